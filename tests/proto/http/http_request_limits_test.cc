// What the request parser refuses: malformed streams, and everything beyond its limits.
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "proto/http/http_request.h"
#include "proto/limits.h"
#include "tests/proto/http/request_reader.h"

namespace tocsin::proto {
namespace {

using namespace std::string_view_literals;

TEST(HttpRequestLimitsTest, OtherVersions) {
  EXPECT_EQ(error_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Error::version);
  EXPECT_EQ(error_of("GET / HTTP/2.0\r\nHost: h\r\n\r\n"), Error::version);
  EXPECT_EQ(error_of("GET / HTTP/3.0\r\nHost: h\r\n\r\n"), Error::version);
  EXPECT_EQ(error_of("GET / HTTP/0.9\r\nHost: h\r\n\r\n"), Error::version);
  EXPECT_EQ(error_of("GET / HTTP/1.2\r\nHost: h\r\n\r\n"), Error::version);
  EXPECT_EQ(error_of("GET /\r\n\r\n"), Error::version);
}

TEST(HttpRequestLimitsTest, HostIsRequiredOnceInHttp11) {
  EXPECT_EQ(error_of("GET / HTTP/1.1\r\n\r\n"), Error::malformed);
  EXPECT_EQ(error_of("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), Error::malformed);
  EXPECT_EQ(error_of("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), Error::malformed);
  EXPECT_EQ(error_of("GET / HTTP/1.0\r\n\r\n"), Error::none);
  EXPECT_EQ(error_of("GET / HTTP/1.1\r\nHost:\r\n\r\n"), Error::none);
}

TEST(HttpRequestLimitsTest, HostIsAHost) {
  const auto host = [](std::string_view text) {
    return error_of("GET / HTTP/1.1\r\nHost: " + std::string(text) + "\r\n\r\n");
  };
  for (const char* text :
       {"a", "a.example:8080", "127.0.0.1", "[::1]:80", "a_b", "%C3%BC", "A,b"}) {
    EXPECT_EQ(host(text), Error::none) << text;
  }
  for (const char* text : {"a b", "a/b", "a@b", "a?b", "a#b", "<a>", "a\"b", "a\\b", "\xC3\xBC"}) {
    EXPECT_EQ(host(text), Error::malformed) << text;
  }
}

TEST(HttpRequestLimitsTest, AReasonIsGiven) {
  const auto reason_of = [](std::string_view bytes) {
    RequestParser parser(limits::kMaxRequestHead, limits::kMaxRequestBody);
    EXPECT_EQ(parser.feed(bytes).state, RequestParser::State::failed) << bytes;
    return std::string(parser.reason());
  };
  EXPECT_EQ(reason_of("GET / HTTP/1.1\r\n\r\n"), "Host is missing");
  EXPECT_EQ(reason_of("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), "Host is given twice");
  EXPECT_EQ(reason_of("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), "Host is not a host");
  EXPECT_NE(reason_of("\x16\x03\x01\x02").find("TLS"), std::string::npos);
  EXPECT_NE(reason_of("GET / HTTP/1.1\nHost: a\n\n").find("CR LF"), std::string::npos);
  EXPECT_NE(reason_of("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n"), "");
}

TEST(HttpRequestLimitsTest, Malformed) {
  for (const auto stream : {
           "\x16\x03\x01\x02"sv,  // TLS
           "SSH-2.0-x\r\n"sv,
           "GET\r\n\r\n"sv,
           "GET  HTTP/1.1\r\n\r\n"sv,
           "GET / FTP/1.1\r\nHost: h\r\n\r\n"sv,
           "GET / HTTP/1.1 x\r\nHost: h\r\n\r\n"sv,
           "GET /a\0b HTTP/1.1\r\nHost: h\r\n\r\n"sv,
           "GET / HTTP/1.1\r\nHost: h\r\nNo Colon\r\n\r\n"sv,
           "GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n"sv,
           "GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n"sv,
           // Requests whose end two readers may see in different places.
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"sv,
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\nx"sv,
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\nx"sv,
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\nx"sv,
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x1\r\n\r\nx"sv,
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\nx"sv,
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
           "Transfer-Encoding: chunked\r\n\r\n0"sv,
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
           "Content-Length: 1\r\n\r\n0"sv,
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\nx"sv,
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"sv,
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"sv,
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"sv,
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
           "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"sv,
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\nContent-Length: 1\r\n\r\nx"sv,
           "POST / HTTP/1.1\r\nHost: h\r\n"
           "Transfer-Encoding: chunked\r\n ,identity\r\n\r\n0\r\n\r\n"sv,
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\n0\n\n"sv,
           // Lines that end in a lone LF or CR.
           "GET / HTTP/1.1\nHost: h\n\n"sv,
           "GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n"sv,
           "GET / HTTP/1.1\rHost: h\r\n\r\n"sv,
           "GET / HTTP/1.1\r\n Host: h\r\n\r\n"sv,
           // A line that goes on on the next.
           "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n"sv,
           "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n\tb\r\n\r\n"sv,
           "GET / HTTP/1.1\r\nHost:\r\n h\r\n\r\n"sv,
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999\r\n \r\n\r\n"sv,
           // No method's name, and what is no request line at all.
           "G@T / HTTP/1.1\r\nHost: h\r\n\r\n"sv,
           " / HTTP/1.1\r\nHost: h\r\n\r\n"sv,
           "FOO/ HTTP/1.1\r\nHost: h\r\n\r\n"sv,
           "FOO  HTTP/1.1\r\nHost: h\r\n\r\n"sv,
           "FOO / x HTTP/1.1\r\nHost: h\r\n\r\n"sv,
           "FOO / HTTP/1.1\nHost: h\n\n"sv,
           "FOO /\r\n\r\n"sv,
           "FOO / HTTP/1.1 x\r\nHost: h\r\n\r\n"sv,
           "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"sv,
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"sv,
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n"sv,
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
           "fffffffffffffffff\r\n"sv,
       }) {
    EXPECT_EQ(error_of(stream), Error::malformed) << stream;
  }
}

TEST(HttpRequestLimitsTest, AMethodThatNobodyKnows) {
  for (const char* name : {"FOO", "get", "GE", "GETX", "G", "x-y"}) {
    const std::string rest = " /a?b HTTP/1.1\r\nHost: h\r\n\r\n";
    EXPECT_EQ(error_of(name + rest), Error::method) << name;
    EXPECT_EQ(error_of("\r\n" + (name + rest)), Error::method) << name;
    EXPECT_EQ(error_of(name + std::string(" / HTTP/1.0\r\n\r\n")), Error::method) << name;
  }
  RequestParser parser(kMaxHead, kMaxBody);
  EXPECT_EQ(parser.feed("FOO /a").state, State::need_more);
  EXPECT_TRUE(parser.mid_message());
  EXPECT_EQ(parser.feed("?b HTTP/1.1\r\nHost").state, State::failed);
  EXPECT_EQ(parser.request().target, "/a?b");
  EXPECT_EQ(error_of("FOO /" + std::string(kMaxHead, 'x')), Error::head_too_large);
}

// A blank behind a line end is a fold in a head only.
TEST(HttpRequestLimitsTest, BodiesMayHaveLinesThatBeginWithABlank) {
  EXPECT_EQ(read_one("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n a\n ").body, " a\n ");
  EXPECT_EQ(read_one("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "4\r\n a\n \r\n0\r\n\r\n")
                .body,
            " a\n ");
}

TEST(HttpRequestLimitsTest, HeadTooLarge) {
  const std::string start = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
  const std::string end = "\r\n\r\n";
  const std::string filler(kMaxHead - start.size() - end.size(), 'x');
  EXPECT_EQ(error_of(start + filler + end), Error::none) << "exactly the limit";
  EXPECT_EQ(error_of(start + filler + "x" + end), Error::head_too_large);
  EXPECT_EQ(error_of("GET /" + std::string(2 * kMaxHead, 'x')), Error::head_too_large);
  EXPECT_EQ(error_of("GET /" + std::string(2 * kMaxHead, '\xC3')), Error::head_too_large);
  EXPECT_EQ(error_of(start + std::string(2 * kMaxHead, 'x')), Error::head_too_large);
  // Empty lines before a request are bounded too.
  std::string empty_lines;
  while (empty_lines.size() < kMaxHead) empty_lines += "\r\n";
  EXPECT_EQ(error_of(empty_lines), Error::head_too_large);
}

TEST(HttpRequestLimitsTest, EachHeadHasTheWholeLimit) {
  std::string stream;
  for (int i = 0; i < 5; ++i) {
    stream += "GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(kMaxHead - 50, 'x') + "\r\n\r\n";
  }
  EXPECT_EQ(read_all(stream).size(), 5U);
}

TEST(HttpRequestLimitsTest, AnnouncedBodyTooLargeFailsAtTheHead) {
  RequestParser parser(kMaxHead, kMaxBody);
  const auto step = parser.feed(
      "POST /publish?x HTTP/1.1\r\nHost: h\r\nAccept: a\r\nContent-Length: 257\r\n\r\n");
  EXPECT_EQ(step.state, State::failed);
  EXPECT_EQ(parser.error(), Error::body_too_large);
  // The answer needs these.
  EXPECT_EQ(parser.request().method, Method::post);
  EXPECT_EQ(parser.request().path(), "/publish");
  EXPECT_EQ(parser.request().header(Header::accept), "a");

  const std::string fits = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 256\r\n\r\n";
  EXPECT_EQ(read_one(fits + std::string(kMaxBody, 'x')).body, std::string(kMaxBody, 'x'));
}

constexpr auto kChunkedHead = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"sv;

TEST(HttpRequestLimitsTest, ChunkedBodyTooLarge) {
  const std::string head(kChunkedHead);
  EXPECT_EQ(read_one(head + "100\r\n" + std::string(256, 'x') + "\r\n0\r\n\r\n").body.size(), 256U);
  EXPECT_EQ(error_of(head + "101\r\n" + std::string(257, 'x') + "\r\n0\r\n\r\n"),
            Error::body_too_large);
  EXPECT_EQ(error_of(head + "ff\r\n" + std::string(255, 'x') + "\r\n2\r\nxx\r\n0\r\n\r\n"),
            Error::body_too_large);
  EXPECT_EQ(error_of(head + "ffffffff\r\n"), Error::body_too_large);
}

TEST(HttpRequestLimitsTest, ChunkFramingIsBounded) {
  const std::string head(kChunkedHead);
  // A head's worth of extension or trailer, and no more.
  EXPECT_EQ(error_of(head + "1;" + std::string(400, 'e') + "\r\nx\r\n0\r\n\r\n"), Error::none);
  EXPECT_EQ(error_of(head + "1;" + std::string(600, 'e')), Error::head_too_large);
  EXPECT_EQ(error_of(head + "1\r\nx\r\n0\r\nT: " + std::string(600, 't')), Error::head_too_large);
  // The head before it does not count.
  const std::string long_head =
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nX: " + std::string(400, 'x') +
      "\r\n\r\n";
  EXPECT_EQ(error_of(long_head + "1;" + std::string(400, 'e') + "\r\nx\r\n0\r\n\r\n"), Error::none);
  // An endless number of small extensions.
  std::string extended = head;
  for (int i = 0; i < 100; ++i) extended += "1;" + std::string(100, 'e') + "\r\nx\r\n";
  EXPECT_EQ(error_of(extended), Error::head_too_large);
  // One byte a chunk is wasteful but honest.
  std::string single = head;
  for (std::size_t i = 0; i < kMaxBody; ++i) single += "1\r\nx\r\n";
  EXPECT_EQ(read_one(single + "0\r\n\r\n").body, std::string(kMaxBody, 'x'));
}

// One request's own bound, and the next one's without it.
TEST(HttpRequestLimitsTest, ABodysBoundMayBeLowered) {
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\n";
  const std::string chunked = head + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n";
  RequestParser parser(limits::kMaxRequestHead, 100);
  EXPECT_EQ(parser.max_body(), 100U);
  const auto read = [&parser](std::string_view bytes, std::size_t bound) {
    parser.begin();
    auto step = parser.feed(bytes);
    EXPECT_EQ(step.state, State::head_complete);
    parser.limit_body(bound);
    return parser.feed(bytes.substr(step.consumed)).state;
  };
  EXPECT_EQ(read(chunked + "1\r\nc\r\n0\r\n\r\n", 3), State::message_complete);
  EXPECT_EQ(parser.request().body, "abc");
  EXPECT_EQ(read(head + "Content-Length: 3\r\n\r\nabc", 3), State::message_complete);
  EXPECT_EQ(read(chunked + "1\r\n", 2), State::failed);
  EXPECT_EQ(parser.error(), Error::body_too_large);
  EXPECT_EQ(parser.max_body(), 2U);
  EXPECT_EQ(read(chunked + "1\r\nc\r\n0\r\n\r\n", 1000), State::message_complete);
  EXPECT_EQ(parser.max_body(), 100U) << "it is never raised";
}

TEST(HttpRequestLimitsTest, LargeBuffersAreFreedAtBegin) {
  RequestParser parser(limits::kMaxRequestHead, limits::kMaxRequestBody);
  const std::string body(1 << 20, 'x');
  const std::string stream = "POST /" + std::string(4000, 'p') +
                             " HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n" + body;
  auto step = parser.feed(stream);
  ASSERT_EQ(step.state, State::head_complete);
  EXPECT_LT(parser.request().body.capacity(), 5 * 1024U) << "announced, but not there yet";
  step = parser.feed(std::string_view(stream).substr(step.consumed));
  ASSERT_EQ(step.state, State::message_complete);
  EXPECT_EQ(parser.request().body, body);
  parser.begin();
  EXPECT_LT(parser.request().body.capacity(), 5 * 1024U);
  EXPECT_LE(parser.request().target.capacity(), 1024U);
}

// Strings keep their memory for the next request, and nothing of what may be a credential in it.
TEST(HttpRequestLimitsTest, NothingIsLeftOfWhatMayBeACredential) {
  const std::string secret = "a-secret-that-is-longer-than-a-short-string";
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{4096}}) {
    RequestParser parser(limits::kMaxRequestHead, limits::kMaxRequestBody);
    std::string_view rest;
    const std::string stream = "GET /events?token=" + secret + " HTTP/1.1\r\nHost: h\r\n" +
                               "Authorization: Bearer " + secret + "\r\nCookie: a=" + secret +
                               "\r\n\r\n";
    rest = stream;
    State state = State::need_more;
    while (state != State::message_complete) {
      const auto step = parser.feed(rest.substr(0, piece));
      rest.remove_prefix(step.consumed);
      state = step.state;
      ASSERT_NE(state, State::failed);
    }
    const Request& request = parser.request();
    std::vector<std::string_view> memory{request.target, request.header(Header::authorization),
                                         request.header(Header::cookie)};
    for (const std::string_view text : memory) ASSERT_TRUE(text.contains(secret));
    parser.begin();
    for (const std::string_view text : memory) {
      EXPECT_EQ(std::string(text), std::string(text.size(), '\0')) << piece;
    }
  }
}

}  // namespace
}  // namespace tocsin::proto
