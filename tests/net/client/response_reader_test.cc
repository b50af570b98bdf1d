#include "net/client/response_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using State = ResponseReader::State;

struct ReadResponse {
  ResponseHead head;
  std::string body;
  State state = State::need_more;
  std::size_t consumed = 0;
  bool keep_alive = false;
  std::string error;
};

// Reads one response out of `bytes`, cut after every position in `cuts`.
ReadResponse read(std::string_view bytes, std::vector<std::size_t> cuts = {}, bool to_head = false,
                  bool at_eof = false, std::size_t max_head = 1000) {
  ReadResponse got;
  ResponseReader reader({[&](const ResponseHead& head) {
                           got.head = head;
                           return true;
                         },
                         [&](std::string_view body) {
                           got.body += body;
                           return true;
                         }},
                        max_head);
  reader.begin(to_head);
  cuts.push_back(bytes.size());
  for (const std::size_t cut : cuts) {
    if (got.state != State::need_more || cut <= got.consumed) continue;
    const auto step = reader.feed(bytes.substr(got.consumed, cut - got.consumed));
    got.consumed += step.consumed;
    got.state = step.state;
  }
  if (at_eof && got.state == State::need_more) got.state = reader.finish();
  got.keep_alive = reader.keep_alive();
  got.error = reader.error();
  return got;
}

TEST(ResponseReader, ReadsAtEverySplit) {
  const std::string with_length =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
      "HTTP/1.1 200 OK\r\nX-Empty:\r\nX-Two:  b c \r\nContent-Length: 5\r\n\r\nhello";
  const std::string chunked =
      "HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\n"
      "HTTP/1.1 200 OK\r\nX-Empty:\r\nX-Two: b c\r\nTransfer-Encoding: chunked\r\n\r\n"
      "2;ext=1\r\nhe\r\n3\r\nllo\r\n0\r\nX-Two: trailer\r\n\r\n";
  for (const std::string& message : {with_length, chunked}) {
    const std::string bytes = message + "HTTP/1.1 204 No";  // the next one
    for (std::size_t a = 1; a < bytes.size(); ++a) {
      for (std::size_t b = a + 1; b <= bytes.size(); b += 7) {
        const ReadResponse got = read(bytes, {a, b});
        ASSERT_EQ(got.state, State::message_complete) << a << ' ' << b << ' ' << got.error;
        ASSERT_EQ(got.consumed, message.size()) << a << ' ' << b;
        ASSERT_EQ(got.head.status, 200);
        ASSERT_EQ(got.body, "hello") << a << ' ' << b;
        ASSERT_EQ(got.head.header("x-two"), "b c");
        ASSERT_EQ(got.head.headers.size(), 3U) << a << ' ' << b;
        ASSERT_EQ(got.head.headers[0], (HeaderField{"X-Empty", ""}));
        ASSERT_TRUE(got.keep_alive);
      }
    }
  }
}

TEST(ResponseReader, ABodyWithoutLengthEndsWithTheConnection) {
  const std::string bytes = "HTTP/1.0 200 OK\r\n\r\nhello";
  EXPECT_EQ(read(bytes).state, State::need_more);
  const ReadResponse got = read(bytes, {}, false, true);
  EXPECT_EQ(got.state, State::message_complete);
  EXPECT_EQ(got.body, "hello");
  EXPECT_FALSE(got.keep_alive);
}

TEST(ResponseReader, SomeResponsesHaveNoBody) {
  for (const char* status : {"204 No Content", "304 Not Modified"}) {
    // A length that such a response may name is not that of a body.
    const std::string head = "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: 7\r\n\r\n";
    const ReadResponse got = read(head + "HTTP/1.1 200");
    EXPECT_EQ(got.state, State::message_complete);
    EXPECT_EQ(got.consumed, head.size());
  }
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
  EXPECT_EQ(read(head, {}, true).state, State::message_complete);
  EXPECT_EQ(read(head, {}, false).state, State::need_more);
}

TEST(ResponseReader, ConnectionCloseIsTheLastResponse) {
  EXPECT_FALSE(
      read("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").keep_alive);
  EXPECT_FALSE(read("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n").keep_alive);
}

TEST(ResponseReader, ACutMessageFails) {
  const std::string bytes = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
  for (std::size_t end = 0; end < bytes.size(); ++end) {
    const ReadResponse got = read(bytes.substr(0, end), {}, false, true);
    ASSERT_EQ(got.state, State::failed) << end;
    ASSERT_THAT(got.error, HasSubstr("middle")) << end;
  }
  EXPECT_EQ(
      read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", {}, false, true)
          .state,
      State::failed);
}

TEST(ResponseReader, RefusesWhatIsNoResponse) {
  for (const char* bytes :
       {"SSH-2.0-OpenSSH_9.2\r\n", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"}) {
    const ReadResponse got = read(bytes);
    EXPECT_EQ(got.state, State::failed) << bytes;
    EXPECT_NE(got.error, "") << bytes;
    EXPECT_THAT(got.error, Not(HasSubstr("callback"))) << bytes;  // llhttp's word, not the cause
  }
}

TEST(ResponseReader, AStatusLineIsThatOfHttp1) {
  const auto answer = [](const std::string& line) {
    return read("\r\n" + line + "\r\nContent-Length: 0\r\n\r\n", {1, 7, 12, 15});
  };
  for (const char* good : {"HTTP/1.1 200 OK", "HTTP/1.0 200 OK", "HTTP/1.1 200", "HTTP/1.1 200 "}) {
    EXPECT_EQ(answer(good).state, State::message_complete) << good << answer(good).error;
  }
  for (const char* bad : {"HTTP/1.1 0200 OK", "HTTP/1.1 020 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 20",
                          "HTTP/2.0 200 OK", "HTTP/0.9 200 OK", "HTTP/1.1  200 OK",
                          "HTTP/1.1 200OK", "HTTP/1.1 200\tOK", "http/1.1 200 OK", "ICY 200 OK"}) {
    EXPECT_EQ(answer(bad).state, State::failed) << bad;
    const std::string behind = "HTTP/1.1 103 Early Hints\r\n\r\n" + std::string(bad);
    EXPECT_EQ(read(behind + "\r\nContent-Length: 0\r\n\r\n").state, State::failed) << bad;
  }
}

// Two readers would find different fields in it (RFC 9112, 5.1): one a length, the other none.
TEST(ResponseReader, AFieldsNameIsATokenAndTheColonFollows) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const std::string chunked = ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n";
  for (const char* field : {"X : a", "Content-Length : 0", "Content-Length\t: 0", "X y: a",
                            "Transfer-Encoding : chunked", "X(: a", "X\x7f: a", ": a", "X"}) {
    const std::string line = field + std::string("\r\n");
    for (const std::string& bytes :
         {ok + line + "Content-Length: 0\r\n\r\n", "HTTP/1.1 103 Early\r\n" + line + "\r\n" + ok,
          chunked + line + "\r\n"}) {
      for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
        const ReadResponse got = read(bytes, {cut});
        ASSERT_EQ(got.state, State::failed) << bytes << ' ' << cut;
        ASSERT_NE(got.error, "") << bytes;
      }
    }
  }
  EXPECT_EQ(read(ok + "!#$%&'*+-.^_`|~09:a\r\nContent-Length: 0\r\n\r\n").state,
            State::message_complete);
}

TEST(ResponseReader, BoundsTheHead) {
  const std::string many = "HTTP/1.1 200 OK\r\n" + [] {
    std::string fields;
    for (int i = 0; i < 300; ++i) fields += "a:\r\n";
    return fields;
  }();
  for (const std::string& bytes : {"HTTP/1.1 200 OK\r\nX: " + std::string(2000, 'x'),
                                   "HTTP/1.1 200 OK\r\n" + std::string(2000, 'x'),
                                   "HTTP/1.1 200 " + std::string(2000, 'x'), many}) {
    const ReadResponse got = read(bytes);
    EXPECT_EQ(got.state, State::failed);
    EXPECT_THAT(got.error, HasSubstr("too long"));
  }
}

TEST(ResponseReader, HandlersCanStopIt) {
  const std::string bytes = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
  ResponseReader head_stop(
      {[](const ResponseHead&) { return false; }, [](std::string_view) { return true; }}, 1000);
  EXPECT_EQ(head_stop.feed(bytes).state, State::failed);
  EXPECT_EQ(head_stop.error(), "");
  ResponseReader body_stop(
      {[](const ResponseHead&) { return true; }, [](std::string_view) { return false; }}, 1000);
  EXPECT_EQ(body_stop.feed(bytes).state, State::failed);
}

TEST(ResponseReader, KnowsWhetherAMessageIsUnderWay) {
  ResponseReader reader(
      {[](const ResponseHead&) { return true; }, [](std::string_view) { return true; }}, 1000);
  EXPECT_FALSE(reader.mid_message());
  static_cast<void>(reader.feed("HTTP/1.1 100 Continue\r\n\r\n"));
  EXPECT_TRUE(reader.mid_message());
  static_cast<void>(reader.feed("HTTP/1.1 204 No Content\r\n\r\n"));
  EXPECT_FALSE(reader.mid_message());
  reader.begin();
  EXPECT_FALSE(reader.mid_message());
}

TEST(HeaderField, IsChecked) {
  EXPECT_TRUE(is_header_field({"X-Ok", "a b\tc\xc3\xa9"}));
  EXPECT_TRUE(is_header_field({"X", ""}));
  for (const HeaderField& bad : HeaderList{{"", "x"},
                                           {"a b", "x"},
                                           {"a:", "x"},
                                           {"a", "x\r\ny"},
                                           {"a", "x\n"},
                                           {"a", " x"},
                                           {"a", "x\t"}}) {
    EXPECT_FALSE(is_header_field(bad)) << bad.name << '=' << bad.value;
  }
}

TEST(ResponseHead, MediaTypeIsWithoutParametersAndCase) {
  EXPECT_EQ(
      (ResponseHead{200, {{"content-type", "Text/Event-Stream ; charset=utf-8"}}}).media_type(),
      "text/event-stream");
  EXPECT_EQ((ResponseHead{200, {}}).media_type(), "");
}

}  // namespace
}  // namespace tocsin::net
