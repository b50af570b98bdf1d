// Requests that two readers in a row may cut in different places, or read as different things: RFC
// 9112, 11.2. Every one of them is refused, whatever llhttp lets through.
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "proto/http/http_request.h"
#include "tests/proto/http/request_reader.h"

namespace tocsin::proto {
namespace {

using namespace std::string_literals;

const std::string kGet = "GET / HTTP/1.1\r\nHost: h\r\n";
const std::string kPost = "POST / HTTP/1.1\r\nHost: h\r\n";
const std::string kChunked = kPost + "Transfer-Encoding: chunked\r\n\r\n";
const std::string kLast = "0\r\n\r\n";

Error line(const std::string& request_line) {
  return error_of(request_line + "\r\nHost: h\r\n\r\n");
}

Error field(const std::string& text) {
  return error_of(kGet + text + "\r\n\r\n");
}

TEST(HttpRequestSmugglingTest, AFieldsNameIsATokenAndTheColonFollows) {
  EXPECT_EQ(field("X: a"), Error::none);
  EXPECT_EQ(field("!#$%&'*+-.^_`|~09: a"), Error::none);
  EXPECT_EQ(field("X:a"), Error::none);
  for (const auto& text :
       {"X : a"s, ": foo"s, ":"s, " X: a"s, "X y: a"s, "X\t: a"s, "\t: a"s, "X\0: a"s, "X\x7f: a"s,
        "X\xC3\xA4: a"s, "X(: a"s, "X\"y\": a"s, "X/y: a"s, "X[]: a"s, "X"s, "Host : h"s,
        "Content-Length : 1"s, "Transfer-Encoding : chunked"s, "Content-Length\0: 1"s}) {
    EXPECT_EQ(field(text), Error::malformed) << text;
  }
}

TEST(HttpRequestSmugglingTest, AFieldsValueHasNoControlCharacters) {
  EXPECT_EQ(field("X: \xC3\xA4\tb"), Error::none);
  for (const auto& text : {"X: a\0b"s, "X:\0"s, "X: \x01"s, "X: a\x0b"s, "X: a\x0c"s, "X:\x0c"s,
                           "X: \x1b"s, "X: a\x7f"s}) {
    EXPECT_EQ(field(text), Error::malformed) << text;
  }
}

TEST(HttpRequestSmugglingTest, LinesOfAHeadEndInCrLf) {
  for (const auto& stream : {"GET / HTTP/1.1\nHost: h\r\n\r\n"s,
                             "GET / HTTP/1.1\rHost: h\r\n\r\n"s,
                             "GET / HTTP/1.1\r\r\nHost: h\r\n\r\n"s,
                             kGet + "X: a\n\r\n",
                             kGet + "X: a\rY: b\r\n\r\n",
                             kGet + "X: a\r\r\n\r\n",
                             kGet + "X:\n\r\n",
                             kGet + "X:\rY\r\n\r\n",
                             kGet + "X:\r\r\n\r\n",
                             kGet + "X: a\r\n\n",
                             kGet + "\n",
                             kGet + "\rX",
                             kGet + "\r\r\n",
                             kGet + "X: \n y\r\n\r\n",
                             kGet + "X: a\n y\r\n\r\n",
                             kGet + "X: a\r\n y\r\n\r\n",
                             "\n" + kGet + "\r\n",
                             "\r" + kGet + "\r\n",
                             "\r\n\n" + kGet + "\r\n",
                             "\r\n " + kGet + "\r\n"}) {
    EXPECT_EQ(error_of(stream), Error::malformed) << stream;
  }
  EXPECT_EQ(error_of("\r\n\r\n" + kGet + "\r\n"), Error::none);
}

TEST(HttpRequestSmugglingTest, ARequestLineHasThreePartsWithABlankBetweenThem) {
  for (const auto& text :
       {"GET  / HTTP/1.1"s,     "GET /  HTTP/1.1"s,        "GET\t/ HTTP/1.1"s,
        "GET /\tHTTP/1.1"s,     "GET / HTTP/1.1 "s,        "GET / HTTP/1.1\t"s,
        " GET / HTTP/1.1"s,     "GET /a b HTTP/1.1"s,      "GET /a\tb HTTP/1.1"s,
        "GET /a\x0c HTTP/1.1"s, "GET /?a\tb HTTP/1.1"s,    "GET /?a\0b HTTP/1.1"s,
        "GET /#\t HTTP/1.1"s,   "GET /a\x01 HTTP/1.1"s,    "GET /a\x7f HTTP/1.1"s,
        "GET / http/1.1"s,      "GET / HTTP/1.10"s,        "GET / HTTP/1,1"s,
        "GET / HTTP1.1"s,       "GET / RTSP/1.0"s,         "OPTIONS / RTSP/1.0"s,
        "DESCRIBE / RTSP/1.0"s, "SOURCE / ICE/1.0"s,       "GET host:80 HTTP/1.1"s,
        "GET path HTTP/1.1"s,   "GET http:/path HTTP/1.1"s}) {
    EXPECT_EQ(line(text), Error::malformed) << text;
  }
  for (const auto& text : {"GET http://host/path HTTP/1.1"s, "GET http://host?query HTTP/1.1"s,
                           "OPTIONS * HTTP/1.1"s, "GET //host/path HTTP/1.1"s}) {
    EXPECT_EQ(line(text), Error::none) << text;
  }
}

// As clients send what was typed; the query is checked to be UTF-8 where it is decoded. Versions of
// llhttp differ here.
TEST(HttpRequestSmugglingTest, BytesBeyondAsciiBelongToAPathOrAQuery) {
  for (const auto& target : {"/\xC3\xA4?b=\xC3\xB6"s, "/\xFFx\x80"s, "/a#\xC3\xA4"s,
                             "//h/\xC3\xA4"s, "http://h/\xC3\xA4"s, "http://h?\xC3\xA4"s}) {
    EXPECT_EQ(read_one("\r\nGET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n").target, target);
    EXPECT_EQ(read_one("PUT " + target + " HTTP/1.0\r\n\r\n").target, target);
  }
  for (const auto& text :
       {"GET \xC3\xA4 HTTP/1.1"s, "GET \xC3\xA4/ HTTP/1.1"s, "GET http://\xC3\xA4/ HTTP/1.1"s,
        "GET http://h\xC3\xA4?a HTTP/1.1"s, "CONNECT h\xC3\xA4:1 HTTP/1.1"s,
        "G\xC3\xA4T / HTTP/1.1"s, "\xC3\xA4 / HTTP/1.1"s, "GET / \xC3\xA4 HTTP/1.1"s,
        "GET /\xC3\xA4\x7f HTTP/1.1"s, "GET /\xC3\xA4  HTTP/1.1"s}) {
    EXPECT_EQ(line(text), Error::malformed) << text;
  }
}

TEST(HttpRequestSmugglingTest, ContentLengthIsOneRowOfDigits) {
  for (const auto& value : {"+1"s,
                            "-1"s,
                            "1 1"s,
                            "1,"s,
                            ",1"s,
                            "1, 1"s,
                            "1,1"s,
                            ""s,
                            " "s,
                            "1.0"s,
                            "1;"s,
                            "1e0"s,
                            "0x1"s,
                            "\"1\""s,
                            "1\x0b"s,
                            "\x0c"
                            "1"s,
                            "1\0"s,
                            "18446744073709551617"s,
                            "1\r\nContent-Length: 1"s,
                            "1\r\ncontent-length: 2"s,
                            "0\r\nContent-Length:"s,
                            "\r\nContent-Length: 1"s}) {
    EXPECT_EQ(error_of(kPost + "Content-Length: " + value + "\r\n\r\nx"), Error::malformed)
        << value;
  }
  EXPECT_EQ(read_one(kPost + "Content-Length: 01 \r\n\r\nx").body, "x");
}

TEST(HttpRequestSmugglingTest, TransferEncodingIsTheOneWordChunked) {
  for (const auto& value : {"chunked, chunked"s,
                            "chunked,"s,
                            ",chunked"s,
                            "chunked,identity"s,
                            "identity, chunked"s,
                            "identity"s,
                            ""s,
                            "chunked;q=1"s,
                            "\"chunked\""s,
                            "chun ked"s,
                            "chunked chunked"s,
                            "xchunked"s,
                            "chunkedx"s,
                            "\x0b"
                            "chunked"s,
                            "\x0c"
                            "chunked"s,
                            "chunked\x0c"s,
                            "chunked\0"s,
                            "chunked\r\nTransfer-Encoding: identity"s,
                            "identity\r\nTransfer-Encoding: chunked"s,
                            "chunked\r\nTransfer-Encoding: chunked"s,
                            "chunked\r\nContent-Length:"s,
                            "chunked\r\nContent-Length: 5"s,
                            "identity\r\nContent-Length: 5"s}) {
    EXPECT_EQ(error_of(kPost + "Transfer-Encoding: " + value + "\r\n\r\n" + kLast),
              Error::malformed)
        << value;
  }
  EXPECT_EQ(read_one(kPost + "tRANSFER-eNCODING:cHUNKED \r\n\r\n1\r\nx\r\n" + kLast).body, "x");
}

TEST(HttpRequestSmugglingTest, AChunksDataIsFollowedByCrLf) {
  EXPECT_EQ(read_one(kChunked + "2\r\nhi\r\n" + kLast).body, "hi");
  for (const auto& end : {"XX"s, "\n\n"s, "\r\r"s, "\rX"s, "X\n"s, "\n"s, "\r"s, ""s, "\n\r"s,
                          " \r\n"s, "\r\n\r\n"s, "\r\n "s}) {
    EXPECT_EQ(error_of(kChunked + "2\r\nhi" + end + kLast), Error::malformed) << end;
  }
  // Data may look like anything.
  EXPECT_EQ(read_one(kChunked + "6\r\n\n \r \r\r\r\n1\r\n\n\r\n" + kLast).body, "\n \r \r\r\n");
}

TEST(HttpRequestSmugglingTest, AChunksSizeIsHexadecimalDigitsAndItsLineEndsInCrLf) {
  for (const auto& size :
       {"2\n"s, "2\rX"s, "2\r"s, "2 \r\n"s, " 2\r\n"s, "2\t\r\n"s, "0x2\r\n"s, "+2\r\n"s, "-2\r\n"s,
        "\r\n"s, ";a\r\n"s, "2h\r\n"s, "2;a\n"s, "2;a\rX\r\n"s, "2;a\0\r\n"s, "2;a=\x01\r\n"s,
        "2;a=\"b\nc\"\r\n"s, "2;a=\"b\r\n"s}) {
    EXPECT_EQ(error_of(kChunked + size + "hi\r\n" + kLast), Error::malformed) << size;
  }
  for (const auto& size : {"2\r\n"s, "0002\r\n"s, "2;a\r\n"s, "2;a=b\r\n"s, "2;a=\"b;c\"\r\n"s}) {
    EXPECT_EQ(read_one(kChunked + size + "hi\r\n" + kLast).body, "hi") << size;
  }
}

TEST(HttpRequestSmugglingTest, ATrailerIsAsStrictAsAHead) {
  const auto trailer = [](const std::string& text) {
    return error_of(kChunked + "2\r\nhi\r\n0\r\n" + text);
  };
  EXPECT_EQ(trailer("X: a\r\n\r\n"), Error::none);
  for (const auto& text : {"\n"s, "\rX"s, "\n\r\n"s, "X : a\r\n\r\n"s, ": a\r\n\r\n"s,
                           "X: a\n\r\n"s, "X: a\r\n\n"s, "X: a\r\n b\r\n\r\n"s, " X: a\r\n\r\n"s,
                           "X: a\0\r\n\r\n"s, "Transfer-Encoding: chunked\r\n\r\n"s}) {
    EXPECT_EQ(trailer(text), Error::malformed) << text;
  }
}

// What was refused would have hidden a second request from who reads it the other way.
TEST(HttpRequestSmugglingTest, NothingBehindARefusedRequestIsRead) {
  const auto all = read_all(kGet + "\r\n" + kGet + "X : a\r\n\r\n" + kGet + "\r\n");
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].error, Error::none);
  EXPECT_EQ(all[1].error, Error::malformed);
}

}  // namespace
}  // namespace tocsin::proto
