#include "proto/http/http_request.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "tests/proto/http/request_reader.h"

namespace tocsin::proto {
namespace {

TEST(HttpRequestTest, Get) {
  EXPECT_EQ(
      read_one("GET /events?stream=a HTTP/1.1\r\nHost: example.com\r\n\r\n"),
      (SeenRequest{.method = Method::get, .target = "/events?stream=a", .host = "example.com"}));
}

TEST(HttpRequestTest, Post) {
  EXPECT_EQ(read_one("POST /publish HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"),
            (SeenRequest{.method = Method::post,
                         .has_body = true,
                         .content_length = 5,
                         .target = "/publish",
                         .host = "h",
                         .body = "hello"}));
}

TEST(HttpRequestTest, Chunked) {
  const auto seen = read_one(
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nTrailer: x\r\nHost: other\r\n\r\n");
  EXPECT_EQ(seen.body, "hello world");
  EXPECT_TRUE(seen.has_body);
  EXPECT_EQ(seen.content_length, 0U);
  EXPECT_EQ(seen.host, "h") << "a trailer must not change the head";
}

TEST(HttpRequestTest, TransferEncodingInAnyCase) {
  EXPECT_EQ(read_one("POST / HTTP/1.1\r\nHost: h\r\ntransfer-encoding: Chunked \r\n\r\n"
                     "1\r\nx\r\n0\r\n\r\n")
                .body,
            "x");
}

TEST(HttpRequestTest, PipelinedRequests) {
  const auto all = read_all(
      "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab"
      "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n\r\n\r\n"
      "POST /3 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
      "POST /4 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
      "GET /5 HTTP/1.0\r\n\r\n");
  ASSERT_EQ(all.size(), 5U);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].target, "/" + std::to_string(i + 1));
  }
  EXPECT_EQ(all[0].body, "ab");
  EXPECT_EQ(all[3].body, "x");
  EXPECT_FALSE(all[4].http_1_1);
}

TEST(HttpRequestTest, StopsAtTheHeadAndAtTheEnd) {
  RequestParser parser(kMaxHead, kMaxBody);
  const std::string_view first = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab";
  const std::string stream = std::string(first) + "GET / HTTP/1.1\r\n";
  auto step = parser.feed(stream);
  EXPECT_EQ(step.state, State::head_complete);
  // One byte of the head is left, so that a request without a body has something to feed too.
  EXPECT_EQ(step.consumed, first.size() - 3);
  EXPECT_EQ(parser.request().content_length, 2U);
  step = parser.feed(std::string_view(stream).substr(step.consumed));
  EXPECT_EQ(step.state, State::message_complete);
  EXPECT_EQ(step.consumed, 3U);
  EXPECT_EQ(parser.request().body, "ab");
}

TEST(HttpRequestTest, MidMessageFromTheFirstByteToTheLast) {
  RequestParser parser(kMaxHead, kMaxBody);
  EXPECT_FALSE(parser.mid_message());
  EXPECT_EQ(parser.feed("\r\n\r\n").state, State::need_more);
  EXPECT_FALSE(parser.mid_message()) << "empty lines before a request are none of it";
  EXPECT_EQ(parser.feed("P").state, State::need_more);
  EXPECT_TRUE(parser.mid_message());
  EXPECT_EQ(parser.feed("OST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n").state,
            State::head_complete);
  EXPECT_TRUE(parser.mid_message());
  EXPECT_EQ(parser.feed("\n").state, State::need_more);
  EXPECT_TRUE(parser.mid_message());
  EXPECT_EQ(parser.feed("x").state, State::message_complete);
  EXPECT_FALSE(parser.mid_message());
  parser.begin();
  EXPECT_FALSE(parser.mid_message());
  EXPECT_EQ(parser.request().target, "");
}

TEST(HttpRequestTest, Methods) {
  constexpr auto kRest = " / HTTP/1.1\r\nHost: h\r\n\r\n";
  const auto method = [&](std::string name) { return read_one(name + kRest).method; };
  EXPECT_EQ(method("GET"), Method::get);
  EXPECT_EQ(method("HEAD"), Method::head);
  EXPECT_EQ(method("POST"), Method::post);
  EXPECT_EQ(method("OPTIONS"), Method::options);
  EXPECT_EQ(method("DELETE"), Method::del);
  for (const auto* other : {"PUT", "PATCH", "TRACE", "SUBSCRIBE"}) {
    EXPECT_EQ(method(other), Method::other) << other;
  }
}

TEST(HttpRequestTest, HeadersAreFoundInAnyCaseAndTrimmed) {
  RequestParser parser(kMaxHead, kMaxBody);
  const auto step = parser.feed(
      "GET / HTTP/1.1\r\nHOST:h\r\naccept:  text/event-stream \t \r\nLast-event-ID: a b\r\n"
      "authorization: Bearer x\r\nContent-Type: t\r\nORIGIN: o\r\nUser-Agent: u\r\n"
      "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-a\r\n"
      "x-varnish: 32770\r\nX-Hosts: no\r\nAccess-Control-Request-Headers-And-More: no\r\nHos: "
      "no\r\n\r\n");
  ASSERT_EQ(step.state, State::head_complete);
  const Request& request = parser.request();
  EXPECT_EQ(request.header(Header::host), "h");
  EXPECT_EQ(request.header(Header::accept), "text/event-stream");
  EXPECT_EQ(request.header(Header::last_event_id), "a b");
  EXPECT_EQ(request.header(Header::authorization), "Bearer x");
  EXPECT_EQ(request.header(Header::content_type), "t");
  EXPECT_EQ(request.header(Header::origin), "o");
  EXPECT_EQ(request.header(Header::user_agent), "u");
  EXPECT_EQ(request.header(Header::x_varnish), "32770");
  EXPECT_EQ(request.header(Header::access_control_request_method), "POST");
  EXPECT_EQ(request.header(Header::access_control_request_headers), "x-a");
}

TEST(HttpRequestTest, RepeatedHeadersAreJoinedOrTheFirstWins) {
  RequestParser parser(kMaxHead, kMaxBody);
  const auto step = parser.feed(
      "GET / HTTP/1.1\r\nHost: h\r\nAccept: a \r\nAccept: b\r\nLast-Event-ID: 1\r\n"
      "Last-Event-ID: 2\r\nContent-Type: x\r\nContent-Type: y\r\n"
      "Cookie: a=1; b=2\r\nCookie: c=3\r\nOrigin:\r\nOrigin: o\r\n\r\n");
  ASSERT_EQ(step.state, State::head_complete);
  EXPECT_EQ(parser.request().header(Header::accept), "a, b");
  EXPECT_EQ(parser.request().header(Header::last_event_id), "1");
  EXPECT_EQ(parser.request().header(Header::content_type), "x");
  EXPECT_EQ(parser.request().header(Header::cookie), "a=1; b=2; c=3");
  EXPECT_EQ(parser.request().header(Header::origin), "o");
}

TEST(HttpRequestTest, AnEmptyHeaderIsThere) {
  RequestParser parser(kMaxHead, kMaxBody);
  std::string_view bytes = "GET / HTTP/1.1\r\nHost: h\r\nLast-Event-ID: \r\n\r\n";
  ASSERT_EQ(parser.feed(bytes).state, State::head_complete);
  EXPECT_TRUE(parser.request().has(Header::last_event_id));
  EXPECT_EQ(parser.request().header(Header::last_event_id), "");
  EXPECT_FALSE(parser.request().has(Header::origin));
  parser.begin();
  EXPECT_FALSE(parser.request().has(Header::last_event_id)) << "of the next request";
}

TEST(HttpRequestTest, NothingIsLeftFromTheRequestBefore) {
  const auto all = read_all(
      "POST /1 HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx"
      "GET /2 HTTP/1.0\r\n\r\n");
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(
      all[1],
      (SeenRequest{.method = Method::get, .http_1_1 = false, .keep_alive = false, .target = "/2"}));
}

TEST(HttpRequestTest, KeepAlive) {
  const auto keep = [](std::string version, std::string fields) {
    return read_one("GET / HTTP/" + version + "\r\nHost: h\r\n" + fields + "\r\n").keep_alive;
  };
  EXPECT_TRUE(keep("1.1", ""));
  EXPECT_TRUE(keep("1.1", "Connection: keep-alive\r\n"));
  EXPECT_FALSE(keep("1.1", "Connection: close\r\n"));
  EXPECT_FALSE(keep("1.1", "connection: foo, CLOSE\r\n"));
  EXPECT_FALSE(keep("1.0", ""));
  EXPECT_TRUE(keep("1.0", "Connection: Keep-Alive\r\n"));
  EXPECT_FALSE(keep("1.0", "Connection: close\r\n"));
}

TEST(HttpRequestTest, RequestsBehindConnectionCloseAreStillDelimited) {
  const auto all = read_all(
      "GET /1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_EQ(all.size(), 2U);
  EXPECT_FALSE(all[0].keep_alive);
  EXPECT_TRUE(all[1].keep_alive);
}

TEST(HttpRequestTest, ExpectContinue) {
  const auto expects = [](std::string version, std::string fields) {
    return read_one("POST / HTTP/" + version + "\r\nHost: h\r\n" + fields +
                    "Content-Length: 1\r\n\r\nx")
        .expects_continue;
  };
  EXPECT_TRUE(expects("1.1", "Expect: 100-continue\r\n"));
  EXPECT_TRUE(expects("1.1", "expect:100-Continue \t\r\n"));
  EXPECT_FALSE(expects("1.1", ""));
  EXPECT_FALSE(expects("1.1", "Expect: 100-continued\r\n"));
  EXPECT_FALSE(expects("1.1", "Expect: 100-continu\r\n"));
  EXPECT_FALSE(expects("1.1", "Expect: 100-continue x\r\n"));
  EXPECT_FALSE(expects("1.0", "Expect: 100-continue\r\n"));
  // Nothing to wait for.
  EXPECT_FALSE(
      read_one("GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n").expects_continue);
}

TEST(HttpRequestTest, GetWithABody) {
  const auto all = read_all(
      "GET /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: "
      "h\r\n\r\n");
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].body, "abc");
  EXPECT_EQ(all[1].target, "/2");
}

TEST(HttpRequestTest, UpgradeIsIgnored) {
  const auto all = read_all(
      "GET /1 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
      "POST /2 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
      "Content-Length: 2\r\n\r\nab"
      "GET /3 HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].method, Method::get);
  EXPECT_EQ(all[1].body, "ab");
  EXPECT_EQ(all[2].target, "/3");
}

TEST(HttpRequestTest, ConnectIsAnotherMethodAndTheLastRequest) {
  const auto seen = read_one("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n");
  EXPECT_EQ(seen.method, Method::other);
  EXPECT_EQ(seen.error, Error::none);
  EXPECT_FALSE(seen.keep_alive);
}

TEST(HttpRequestTest, PathAndQuery) {
  const auto parts = [](std::string target) {
    Request request;
    request.target = std::move(target);
    return std::string(request.path()) + " " + std::string(request.query());
  };
  EXPECT_EQ(parts("/events?stream=a&x=1"), "/events stream=a&x=1");
  EXPECT_EQ(parts("/events"), "/events ");
  EXPECT_EQ(parts("/events?"), "/events ");
  EXPECT_EQ(parts("/events?a#b?c"), "/events a");
  EXPECT_EQ(parts("/events#a?b"), "/events ");
  EXPECT_EQ(parts("/a?b?c"), "/a b?c");
  EXPECT_EQ(parts("*"), "* ");
  EXPECT_EQ(parts("http://host:80/events?x"), "/events x");
  EXPECT_EQ(parts("http://host?x"), "/ x");
  EXPECT_EQ(parts("/p://x"), "/p://x ");
}

}  // namespace
}  // namespace tocsin::proto
