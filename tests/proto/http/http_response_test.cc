#include "proto/http/http_response.h"

#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::proto {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string text_of(const Reply& reply) {
  std::string out = "before|";
  append_reply(out, reply);
  EXPECT_THAT(out, StartsWith("before|"));
  return out.substr(7);
}

TEST(HttpResponseTest, WholeReply) {
  EXPECT_EQ(text_of({.status = 200,
                     .content_type = "application/json",
                     .body = "{}",
                     .date = "Sun, 06 Nov 1994 08:49:37 GMT",
                     .cors = "Access-Control-Allow-Origin: *\r\n",
                     .extra_headers = "Allow: GET\r\n"}),
            "HTTP/1.1 200 OK\r\n"
            "Content-Type: application/json\r\n"
            "Content-Length: 2\r\n"
            "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "Access-Control-Allow-Origin: *\r\n"
            "Allow: GET\r\n"
            "\r\n"
            "{}");
}

TEST(HttpResponseTest, NoContentHasNoLength) {
  for (const int status : {204, 304}) {
    const std::string text =
        text_of({.status = status, .content_type = "text/plain", .body = "never sent"});
    EXPECT_THAT(text, Not(HasSubstr("Content-")));
    EXPECT_TRUE(text.ends_with("\r\n\r\n"));
  }
}

TEST(HttpResponseTest, WithoutContentTypeThereIsNoBody) {
  const std::string text = text_of({.status = 202, .body = "ignored"});
  EXPECT_THAT(text, HasSubstr("Content-Length: 0\r\n"));
  EXPECT_THAT(text, Not(HasSubstr("Content-Type")));
  EXPECT_TRUE(text.ends_with("\r\n\r\n"));
}

TEST(HttpResponseTest, HeadHasTheLengthAndNotTheBody) {
  const std::string text =
      text_of({.content_type = "text/html", .body = "12345", .head_only = true});
  EXPECT_THAT(text, HasSubstr("Content-Length: 5\r\n"));
  EXPECT_TRUE(text.ends_with("\r\n\r\n"));
}

TEST(HttpResponseTest, ConnectionFieldOnlyWhereTheVersionNeedsIt) {
  EXPECT_THAT(text_of({.http_1_1 = true, .keep_alive = true}), Not(HasSubstr("Connection:")));
  EXPECT_THAT(text_of({.http_1_1 = true, .keep_alive = false}), HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(text_of({.http_1_1 = false, .keep_alive = true}),
              HasSubstr("Connection: keep-alive\r\n"));
  EXPECT_THAT(text_of({.http_1_1 = false, .keep_alive = false}),
              HasSubstr("Connection: close\r\n"));
}

TEST(HttpResponseTest, StreamHead) {
  std::string out = "before|";
  append_stream_head(out, Framing::close, "Sun, 06 Nov 1994 08:49:37 GMT",
                     {"X: y\r\n", "Z: z\r\n"});
  EXPECT_EQ(out,
            "before|HTTP/1.1 200 OK\r\n"
            "Content-Type: text/event-stream\r\n"
            "Cache-Control: no-cache, no-transform\r\n"
            "X-Accel-Buffering: no\r\n"
            "Connection: close\r\n"
            "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "X: y\r\n"
            "Z: z\r\n"
            "\r\n");
  out.clear();
  append_stream_head(out, Framing::chunked, {});
  EXPECT_THAT(out, HasSubstr("\r\nTransfer-Encoding: chunked\r\n"));
  EXPECT_THAT(out, HasSubstr("\r\nConnection: close\r\n"));
}

TEST(HttpResponseTest, ExtraHeadersAreWholeLinesOfOtherFields) {
  for (const char* good : {"", "A: b\r\n", "A:b\r\nX-C:\r\n", "Set-Cookie: a=b; Path=/\r\n",
                           "A: caf\xc3\xa9\tb \r\n", "Content-Language: de\r\n"}) {
    EXPECT_TRUE(are_extra_headers(good)) << good;
  }
  for (const char* bad :
       {"A: b", "A: b\n", "A: b\r\n\r\n", "\r\n", "A\r\n", ": b\r\n", "A : b\r\n", "A: b\nC: d\r\n",
        "A: b\rC: d\r\n", "A: b\r\nC: d", "A: \x01\r\n", " A: b\r\n", "content-length: 3\r\n",
        "Content-Type: x\r\n", "A: b\r\nTransfer-Encoding: chunked\r\n", "CONNECTION: close\r\n"}) {
    EXPECT_FALSE(are_extra_headers(bad)) << bad;
  }
}

TEST(HttpResponseTest, ReasonPhrases) {
  EXPECT_EQ(reason_phrase(200), "OK");
  EXPECT_EQ(reason_phrase(431), "Request Header Fields Too Large");
  EXPECT_EQ(reason_phrase(299), "Unknown");
  for (const int status : {204, 304, 400, 401, 403, 404, 405, 408, 413, 429, 431, 500, 503, 505}) {
    EXPECT_NE(reason_phrase(status), "Unknown") << status;
  }
}

TEST(HttpResponseTest, ProblemDocument) {
  EXPECT_EQ(problem_json(404, "no such path"),
            R"({"type":"about:blank","title":"Not Found","status":404,"detail":"no such path"})");
  EXPECT_EQ(problem_json(400, InputError{.field = "data", .message = "msg required"}),
            R"({"type":"about:blank","title":"Bad Request","status":400,)"
            R"("detail":"msg required","field":"data"})");
  EXPECT_EQ(problem_json(400, InputError{.field = "id", .message = "x", .line = 17}),
            R"({"type":"about:blank","title":"Bad Request","status":400,)"
            R"("detail":"x","field":"id","line":17})");
}

}  // namespace
}  // namespace tocsin::proto
