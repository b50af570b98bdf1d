// The cases of web-platform-tests' eventsource/format-*, each at every split of the bytes and with
// each kind of line end.
#include "proto/sse/sse_parser.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/proto/sse/parsed_stream.h"

namespace tocsin::proto {
namespace {

using namespace std::string_view_literals;

ParsedStream parse(const std::vector<std::string_view>& pieces) {
  StreamRecorder recorder;
  for (const auto piece : pieces) EXPECT_TRUE(recorder.feed(piece));
  return recorder.parsed();
}

void expect_at_every_split(std::string_view bytes, const ParsedStream& expected) {
  EXPECT_EQ(parse({bytes}), expected) << bytes;
  for (std::size_t split = 0; split <= bytes.size(); ++split) {
    EXPECT_EQ(parse({bytes.substr(0, split), bytes.substr(split)}), expected)
        << bytes << " split at " << split;
  }
  std::vector<std::string_view> single;
  for (std::size_t at = 0; at < bytes.size(); ++at) single.push_back(bytes.substr(at, 1));
  EXPECT_EQ(parse(single), expected) << bytes << " byte by byte";
}

// With LF replaced by each of the three line ends.
void expect_with_every_line_end(std::string_view lf_bytes, const ParsedStream& expected) {
  for (const std::string_view end : {"\n", "\r", "\r\n"}) {
    std::string bytes;
    for (char c : lf_bytes) {
      if (c == '\n') {
        bytes += end;
      } else {
        bytes += c;
      }
    }
    expect_at_every_split(bytes, expected);
  }
}

TEST(SseParserTest, Data) {
  expect_with_every_line_end("data:hello\n\n", {.events = {{.data = "hello"}}});
  expect_with_every_line_end("data:a\ndata:b\n\ndata:c\n\n",
                             {.events = {{.data = "a\nb"}, {.data = "c"}}});
}

TEST(SseParserTest, DataWithoutColonOrValue) {
  expect_with_every_line_end("data\n\n", {.events = {{.data = ""}}});
  expect_with_every_line_end("data:\n\n", {.events = {{.data = ""}}});
  expect_with_every_line_end("data:\n\ndata\ndata\n\ndata:test\n\n",
                             {.events = {{.data = ""}, {.data = "\n"}, {.data = "test"}}});
}

TEST(SseParserTest, OneLeadingSpaceIsStripped) {
  expect_with_every_line_end("data: a\n\n", {.events = {{.data = "a"}}});
  expect_with_every_line_end("data:  a \n\n", {.events = {{.data = " a "}}});
  expect_with_every_line_end("data:\ttest\rdata: \ndata:test\n\n",
                             {.events = {{.data = "\ttest\n\ntest"}}});
  expect_with_every_line_end("data: \n\n", {.events = {{.data = ""}}});
}

TEST(SseParserTest, LeadingByteOrderMarkIsStrippedOnce) {
  expect_with_every_line_end(
      "\xEF\xBB\xBF"
      "data:1\n\n\xEF\xBB\xBF"
      "data:2\n\ndata:3\n\n",
      {.events = {{.data = "1"}, {.data = "3"}}});
  expect_with_every_line_end(
      "\xEF\xBB\xBF\xEF\xBB\xBF"
      "data:1\n\ndata:2\n\n",
      {.events = {{.data = "2"}}});
}

TEST(SseParserTest, PartOfAByteOrderMarkBeginsTheFirstLine) {
  expect_with_every_line_end(
      "\xEF\xBB"
      "data:1\n\ndata:2\n\n",
      {.events = {{.data = "2"}}});
  expect_with_every_line_end("\xEF:x\ndata:2\n\n", {.events = {{.data = "2"}}});
  expect_with_every_line_end("\xEF\ndata:2\n\n", {.events = {{.data = "2"}}});
}

TEST(SseParserTest, Comments) {
  expect_with_every_line_end("data:1\n:\0\n:\ndata:2\n: data:3\n\ndata:4\n"sv,
                             {.events = {{.data = "1\n2"}}, .comments = 3});
  expect_with_every_line_end(": keepalive\n", {.comments = 1});
  expect_with_every_line_end(":a\n\n:b\n\n", {.comments = 2});
}

TEST(SseParserTest, MixedLineEnds) {
  expect_at_every_split("data:a\r\ndata:b\ndata:c\r\r\ndata:d\n\r",
                        {.events = {{.data = "a\nb\nc"}, {.data = "d"}}});
  // CR LF CR is two line ends, LF CR LF two as well.
  expect_at_every_split("data:a\r\n\rdata:b\n\r\n", {.events = {{.data = "a"}, {.data = "b"}}});
}

TEST(SseParserTest, FieldNamesAreExact) {
  expect_with_every_line_end(
      "DATA:1\nData:2\n data:3\ndata :4\ndatafoo:5\nda:6\nfoo\nretry1:7\neventx:8\n\n", {});
  expect_with_every_line_end(
      "data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacomment\n"
      "data:test\n\n",
      {.events = {{.data = "test\n\ntest"}}, .comments = 1});
}

TEST(SseParserTest, EventType) {
  expect_with_every_line_end("event:test\ndata:x\n\ndata:y\n\n",
                             {.events = {{.type = "test", .data = "x"}, {.data = "y"}}});
  expect_with_every_line_end("event: a\nevent: b\ndata:x\n\n",
                             {.events = {{.type = "b", .data = "x"}}});
  expect_with_every_line_end("event: a\nevent\ndata:x\n\nevent: a\nevent:\ndata:y\n\n",
                             {.events = {{.data = "x"}, {.data = "y"}}});
  expect_with_every_line_end("event:  \ndata:x\n\n", {.events = {{.type = " ", .data = "x"}}});
}

TEST(SseParserTest, EventTypeIsForgottenByABlockWithoutData) {
  expect_with_every_line_end("event:test\n\ndata:x\n\n", {.events = {{.data = "x"}}});
}

TEST(SseParserTest, Ids) {
  expect_with_every_line_end(
      "id:1\ndata:a\n\ndata:b\n\nid: 2\ndata:c\n\n",
      {.events = {{.data = "a", .id = "1"}, {.data = "b", .id = "1"}, {.data = "c", .id = "2"}},
       .last_event_id = "2"});
}

TEST(SseParserTest, EmptyIdResets) {
  expect_with_every_line_end("id:1\ndata:a\n\nid\ndata:b\n\n",
                             {.events = {{.data = "a", .id = "1"}, {.data = "b"}}});
  expect_with_every_line_end("id:1\ndata:a\n\nid:\ndata:b\n\n",
                             {.events = {{.data = "a", .id = "1"}, {.data = "b"}}});
}

TEST(SseParserTest, IdWithNulIsIgnored) {
  expect_with_every_line_end(
      "id:1\n\nid:2\0x\ndata:a\n\nid:\0\ndata:b\n\n"sv,
      {.events = {{.data = "a", .id = "1"}, {.data = "b", .id = "1"}}, .last_event_id = "1"});
}

TEST(SseParserTest, IdWithoutDataCountsAtTheEndOfItsBlock) {
  expect_with_every_line_end("id:7\n\n", {.last_event_id = "7"});
  expect_with_every_line_end("id:7\n", {});
  expect_with_every_line_end("id:7\n\nid:8\n", {.last_event_id = "7"});
}

TEST(SseParserTest, Retry) {
  expect_with_every_line_end("retry:3000\n\n", {.retry_ms = 3000});
  expect_with_every_line_end("retry: 3000\n", {.retry_ms = 3000});
  expect_with_every_line_end("retry:03000\ndata:x\n\n",
                             {.events = {{.data = "x"}}, .retry_ms = 3000});
  expect_with_every_line_end("retry:0\n", {.retry_ms = 0});
  // Any number of digits is one; a server that says so wants no client back soon.
  for (const std::string large : {"4294967295", "4294967296", "99999999999999999999999"}) {
    expect_at_every_split("retry:1000\nretry:" + large + "\n\n", {.retry_ms = UINT32_MAX});
  }
}

TEST(SseParserTest, BogusRetryIsIgnored) {
  for (const std::string bogus : {"3000x", "x", "-1", "+1", "1.5", "1 ", "  1", "", "0x10", "1e3",
                                  "99999999999999999999999x"}) {
    expect_at_every_split("retry:1000\nretry:" + bogus + "\n\n", {.retry_ms = 1000});
  }
  expect_with_every_line_end("retry:1000\nretry\n", {.retry_ms = 1000});
}

TEST(SseParserTest, IncompleteBlockIsNoEvent) {
  expect_with_every_line_end("data:a\n\ndata:b\n", {.events = {{.data = "a"}}});
  expect_with_every_line_end("data:a\n\ndata:b", {.events = {{.data = "a"}}});
  expect_with_every_line_end("\n\n\ndata:a\n\n\n\n", {.events = {{.data = "a"}}});
}

TEST(SseParserTest, Utf8AndNulPassThrough) {
  expect_with_every_line_end("data:ok…鐘\xF0\x9F\x94\x94\n\n",
                             {.events = {{.data = "ok…鐘\xF0\x9F\x94\x94"}}});
  expect_with_every_line_end("data:a\0b\n\n"sv, {.events = {{.data = std::string("a\0b"sv)}}});
  expect_with_every_line_end("data:\xFF\xC3\n\n", {.events = {{.data = "\xFF\xC3"}}});
}

TEST(SseParserTest, EndOfStreamForgetsTheHalfReadBlockAndKeepsTheId) {
  std::vector<std::string> seen;
  SseParser parser([&](const ReceivedEvent& event) {
    seen.push_back(std::string(event.data) + "/" + std::string(event.last_event_id) + "/" +
                   std::string(event.type));
  });
  ASSERT_TRUE(parser.feed("id:1\ndata:a\n\nid:2\nevent:x\ndata:lost\ndata:half"));
  parser.end_of_stream();
  EXPECT_EQ(parser.last_event_id(), "1");
  // A new stream may begin with a byte order mark again.
  ASSERT_TRUE(
      parser.feed("\xEF\xBB\xBF"
                  "data:b\n\n"));
  EXPECT_EQ(seen, (std::vector<std::string>{"a/1/message", "b/1/message"}));
  // An LF at the start of a stream is not the rest of the last one's CRLF.
  ASSERT_TRUE(parser.feed("data:c\r"));
  parser.end_of_stream();
  ASSERT_TRUE(parser.feed("\ndata:d\n\n"));
  EXPECT_EQ(seen.back(), "d/1/message");
}

TEST(SseParserTest, SetLastEventIdIsWhatEventsWithoutIdHave) {
  std::string id;
  SseParser parser([&](const ReceivedEvent& event) { id = event.last_event_id; });
  parser.set_last_event_id("42");
  EXPECT_EQ(parser.last_event_id(), "42");
  ASSERT_TRUE(parser.feed("data:x\n\n"));
  EXPECT_EQ(id, "42");
}

TEST(SseParserTest, LimitOfALineAndOfTheData) {
  constexpr std::size_t kLimit = 32;
  const auto feeds = [](std::string_view bytes, std::size_t piece) {
    SseParser parser([](const ReceivedEvent&) {}, kLimit);
    while (!bytes.empty()) {
      if (!parser.feed(bytes.substr(0, piece))) {
        EXPECT_FALSE(parser.feed("\n\n")) << "a passed limit must stay";
        parser.end_of_stream();
        EXPECT_TRUE(parser.feed("data:x\n\n"));
        return false;
      }
      bytes.remove_prefix(std::min(piece, bytes.size()));
    }
    return true;
  };
  for (const std::size_t piece : {1U, 7U, 1000U}) {
    EXPECT_TRUE(feeds(std::string(32, 'x') + "\n", piece));
    EXPECT_FALSE(feeds(std::string(33, 'x') + "\n", piece));
    EXPECT_FALSE(feeds(std::string(33, 'x'), piece)) << "an endless line must not be kept";
    EXPECT_TRUE(feeds("data:123456789\ndata:123456789\ndata:12345678901\n\n", piece));
    EXPECT_FALSE(feeds("data:123456789\ndata:123456789\ndata:123456789012\n\n", piece));
    EXPECT_TRUE(feeds("data:12345678901234567890\n\ndata:12345678901234567890\n\n", piece));
  }
}

TEST(SseParserTest, LongLinesAcrossTheSearchWindow) {
  for (const std::size_t size : {250U, 255U, 256U, 257U, 511U, 512U, 600U}) {
    const std::string data(size, 'x');
    for (const std::string end : {"\n", "\r", "\r\n"}) {
      std::string bytes;
      bytes.append("data:").append(data).append(end).append(end);
      EXPECT_EQ(parse({bytes}), (ParsedStream{.events = {{.data = data}}})) << size;
    }
  }
}

}  // namespace
}  // namespace tocsin::proto
