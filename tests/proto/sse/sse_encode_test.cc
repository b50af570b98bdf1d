#include "proto/sse/sse_encode.h"

#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/sse/sse_parser.h"

namespace tocsin::proto {
namespace {

using namespace std::string_view_literals;

std::string encoded(const EventView& event) {
  std::string out = "before|";
  encode_frame_body(event, out);
  EXPECT_TRUE(out.starts_with("before|"));
  return out.substr(7);
}

TEST(SseEncodeTest, DataOnly) {
  EXPECT_EQ(encoded({.data = "hello"}), "data: hello\n");
}

TEST(SseEncodeTest, TypeAndRetryStandBeforeTheData) {
  EXPECT_EQ(encoded({.topic = "t", .type = "tick", .id = "7", .data = "x", .retry_ms = 1500}),
            "event: tick\nretry: 1500\ndata: x\n");
  EXPECT_EQ(encoded({.data = "x", .retry_ms = 0}), "retry: 0\ndata: x\n");
}

TEST(SseEncodeTest, EveryLineEndStartsADataLine) {
  EXPECT_EQ(encoded({.data = "a\nb"}), "data: a\ndata: b\n");
  EXPECT_EQ(encoded({.data = "a\rb"}), "data: a\ndata: b\n");
  EXPECT_EQ(encoded({.data = "a\r\nb"}), "data: a\ndata: b\n");
  EXPECT_EQ(encoded({.data = "a\n\rb"}), "data: a\ndata: \ndata: b\n");
  EXPECT_EQ(encoded({.data = "a\r\r\nb\n\nc"}), "data: a\ndata: \ndata: b\ndata: \ndata: c\n");
  EXPECT_EQ(encoded({.data = "\n"}), "data: \ndata: \n");
  EXPECT_EQ(encoded({.data = "\r\n"}), "data: \ndata: \n");
  EXPECT_EQ(encoded({.data = "a\r"}), "data: a\ndata: \n");
  EXPECT_EQ(encoded({.data = "\na\r\n"}), "data: \ndata: a\ndata: \n");
}

TEST(SseEncodeTest, DataCannotInjectFields) {
  const std::string bytes = encoded({.data = "x\n\nevent: admin\rid: 9\r\ndata: y"});
  int events = 0;
  SseParser parser([&](const ReceivedEvent& event) {
    ++events;
    EXPECT_EQ(event.type, "message");
    EXPECT_EQ(event.last_event_id, "");
    EXPECT_EQ(event.data, "x\n\nevent: admin\nid: 9\ndata: y");
  });
  ASSERT_TRUE(parser.feed(bytes + "\n"));
  EXPECT_EQ(events, 1);
}

TEST(SseEncodeTest, ABodyIsReadAsWhatItWasMadeOf) {
  for (const EventView& event :
       {EventView{.data = "x"}, EventView{.data = ""}, EventView{.data = "a\n\r\nb\n"},
        EventView{.data = "\0"sv}, EventView{.type = "tick", .data = "event: x\n"},
        EventView{.type = " ", .data = "é", .retry_ms = 0},
        EventView{.type = "t", .data = ":", .retry_ms = 4'294'967'295}}) {
    const std::string body = encoded(event);
    const auto read = read_frame_body(body);
    ASSERT_TRUE(read) << event.data;
    EXPECT_EQ(read->type, event.type);
    EXPECT_EQ(read->retry_ms, event.retry_ms);
  }
}

TEST(SseEncodeTest, WhatIsNoBodyIsNotRead) {
  for (const std::string_view body :
       {""sv, "\n"sv, "data: x"sv, "data:x\n"sv, "x\n"sv, ": x\n"sv, "event: a\n"sv,
        "event: \ndata: x\n"sv, "retry: \ndata: x\n"sv, "retry: -1\ndata: x\n"sv,
        "retry: 4294967296\ndata: x\n"sv, "retry: 1\nevent: a\ndata: x\n"sv,
        "event: a\nevent: b\ndata: x\n"sv, "id: 1\ndata: x\n"sv, "data: x\nid: 1\n"sv,
        "data: x\n\n"sv, "data: x\n\ndata: y\n"sv, "\ndata: x\n"sv, "data: x\rid: 1\n"sv,
        "data: x\r\n"sv, "data: \xff\n"sv, "data: x\ndata"sv}) {
    EXPECT_FALSE(read_frame_body(body)) << body;
  }
}

TEST(SseEncodeTest, MaxFrameBodyIsReachedByNothingButLineEnds) {
  const std::string type(10, 't');
  for (const std::size_t size : {1U, 2U, 100U}) {
    const std::string data(size, '\n');
    EXPECT_EQ(encoded({.type = type, .data = data, .retry_ms = 4'294'967'295}).size(),
              max_frame_body(size, type.size()));
    const std::string text(size, 'x');
    EXPECT_LE(encoded({.type = type, .data = text}).size(), max_frame_body(size, type.size()));
  }
}

TEST(SseEncodeTest, HeartbeatIsOneCommentAndNoEmptyLine) {
  SseParser parser([](const ReceivedEvent&) { FAIL(); });
  ASSERT_TRUE(parser.feed(kHeartbeat));
  EXPECT_EQ(parser.comments(), 1U);
  EXPECT_TRUE(kHeartbeat.ends_with("\n"));
  EXPECT_FALSE(kHeartbeat.ends_with("\n\n"));
}

TEST(SseEncodeTest, GreetingSetsRetryAndId) {
  std::string bytes;
  append_greeting(bytes, 2500, "9f3c21ab-7");
  SseParser parser([](const ReceivedEvent&) { FAIL(); });
  ASSERT_TRUE(parser.feed(bytes));
  EXPECT_TRUE(bytes.starts_with("\n:"));
  EXPECT_EQ(parser.comments(), 1U);
  EXPECT_EQ(parser.retry_ms(), 2500U);
  EXPECT_EQ(parser.last_event_id(), "9f3c21ab-7");
}

// What clients keep of an event that a broken connection cut, they must not take for the beginning
// of the first one.
TEST(SseEncodeTest, GreetingFreesAClientOfHalfAnEvent) {
  std::vector<std::string> data;
  SseParser parser([&](const ReceivedEvent& event) { data.emplace_back(event.data); });
  ASSERT_TRUE(parser.feed("data: L\n"));
  std::string bytes;
  append_greeting(bytes, 0, "");
  ASSERT_TRUE(parser.feed(bytes + "data: L\n\n"));
  EXPECT_THAT(data, testing::ElementsAre("L", "L"));
}

TEST(SseEncodeTest, GreetingWithoutIdHasNoEmptyLineAtItsEnd) {
  std::string bytes;
  append_greeting(bytes, 0, "");
  EXPECT_EQ(bytes.find("\n\n"), std::string::npos);
  EXPECT_EQ(bytes.find("id"), std::string::npos);
  SseParser parser([](const ReceivedEvent&) { FAIL(); });
  ASSERT_TRUE(parser.feed(bytes));
  EXPECT_EQ(parser.retry_ms(), 0U);
}

}  // namespace
}  // namespace tocsin::proto
