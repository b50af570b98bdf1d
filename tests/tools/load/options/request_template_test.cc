#include "tools/load/options/request_template.h"

#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::load {
namespace {

using ::testing::HasSubstr;

PublishTemplate posting(std::string target) {
  PublishTemplate source;
  source.url = {.host = "hub", .port = 8080, .target = std::move(target)};
  return source;
}

// Requests whose data are letters: 'a' for the first item, 'b' for the second.
std::string request(const PublishTemplate& source,
                    const std::vector<RequestTemplate::Item>& items) {
  const auto compiled = RequestTemplate::compile(source, static_cast<std::uint32_t>(items.size()));
  EXPECT_TRUE(compiled) << (compiled ? "" : compiled.error());
  if (!compiled) return "";
  std::string out = "before ";
  compiled->append(out, items, [&](std::size_t i, char* to) {
    for (std::size_t n = 0; n < items[i].bytes; ++n) to[n] = static_cast<char>('a' + i);
  });
  EXPECT_TRUE(out.starts_with("before "));
  return out.substr(7);
}

TEST(RequestTemplate, PlainPost) {
  EXPECT_EQ(request(posting("/topics/{topic}"), {{"news.1", 5}}),
            "POST /topics/news.1 HTTP/1.1\r\nHost: hub:8080\r\nContent-Type: text/plain\r\n"
            "Content-Length: 5\r\n\r\naaaaa");
}

TEST(RequestTemplate, ContentLengthIsRightForEverySize) {
  PublishTemplate source = posting("/p");
  source.body_prefix = "[";
  source.item = "{\"t\":\"{topic}\",\"d\":\"{data}\"}";
  source.separator = ",\n";
  source.body_suffix = "]";
  for (const std::size_t bytes : {0U, 1U, 9U, 10U, 61U, 99U, 100U, 1000U, 99'999U, 1'048'576U}) {
    const std::string text = request(source, {{"x", bytes}, {"longer-topic", 7}});
    const auto body = text.find("\r\n\r\n") + 4;
    EXPECT_THAT(text, HasSubstr("Content-Length: " + std::to_string(text.size() - body) + "\r\n"));
    EXPECT_EQ(text.substr(body), "[{\"t\":\"x\",\"d\":\"" + std::string(bytes, 'a') +
                                     "\"},\n{\"t\":\"longer-topic\",\"d\":\"bbbbbbb\"}]");
  }
}

TEST(RequestTemplate, TopicIsEncodedInTheTargetOnly) {
  PublishTemplate source = posting("/{topic}?also={topic}");
  source.headers = {{"X-Topic", "<{topic}>"}};
  source.body_prefix = "{topic}:";
  const std::string text = request(source, {{"a b/c", 2}});
  EXPECT_TRUE(text.starts_with("POST /a%20b%2Fc?also=a%20b%2Fc HTTP/1.1\r\n")) << text;
  EXPECT_THAT(text, HasSubstr("\r\nX-Topic: <a b/c>\r\n"));
  EXPECT_THAT(text, HasSubstr("\r\nContent-Length: 8\r\n\r\na b/c:aa"));
}

TEST(RequestTemplate, HeadersOfTheUserReplaceOurs) {
  PublishTemplate source = posting("/");
  source.headers = {{"content-type", "application/json"}, {"Authorization", "Bearer x"}};
  EXPECT_EQ(request(source, {{"t", 1}}),
            "POST / HTTP/1.1\r\nHost: hub:8080\r\ncontent-type: application/json\r\n"
            "Authorization: Bearer x\r\nContent-Length: 1\r\n\r\na");
  source.headers = {{"HOST", "other"}};
  EXPECT_EQ(request(source, {{"t", 1}}),
            "POST / HTTP/1.1\r\nContent-Type: text/plain\r\nHOST: other\r\n"
            "Content-Length: 1\r\n\r\na");
}

TEST(RequestTemplate, DataInTheTarget) {
  PublishTemplate source = posting("/pub?t={topic}&d={data}");
  source.method = "GET";
  EXPECT_EQ(request(source, {{"x", 3}}), "GET /pub?t=x&d=aaa HTTP/1.1\r\nHost: hub:8080\r\n\r\n");
  source.method = "POST";
  EXPECT_EQ(request(source, {{"x", 3}}),
            "POST /pub?t=x&d=aaa HTTP/1.1\r\nHost: hub:8080\r\nContent-Length: 0\r\n\r\n");
}

TEST(RequestTemplate, DataMayStandTwiceAndOtherBracesAreText) {
  PublishTemplate source = posting("/");
  source.item = "{data}{x}{ {topic {data}}";
  EXPECT_THAT(request(source, {{"t", 2}}), HasSubstr("\r\n\r\naa{x}{ {topic aa}"));
}

TEST(RequestTemplate, BatchesMixTopicsOnlyIfTheItemsAloneNameThem) {
  PublishTemplate source = posting("/publish");
  EXPECT_FALSE(RequestTemplate::compile(source, 5)->mixes_topics());
  source.item = "{topic}={data}";
  EXPECT_TRUE(RequestTemplate::compile(source, 5)->mixes_topics());
  source.url.target = "/publish/{topic}";
  EXPECT_FALSE(RequestTemplate::compile(source, 5)->mixes_topics());
  source.url.target = "/publish";
  source.headers = {{"X-Topic", "{topic}"}};
  EXPECT_FALSE(RequestTemplate::compile(source, 5)->mixes_topics());
}

TEST(RequestTemplate, MistakesAreExplained) {
  const auto error = [](auto change, std::uint32_t batch = 1) {
    PublishTemplate source = posting("/");
    change(source);
    const auto compiled = RequestTemplate::compile(source, batch);
    return compiled ? std::string("none") : compiled.error();
  };
  EXPECT_THAT(error([](auto& s) { s.item = "x"; }),
              HasSubstr("neither in --publish-item nor in --publish-url"));
  EXPECT_THAT(error([](auto& s) { s.method = "GET"; }), HasSubstr("must stand in --publish-url"));
  EXPECT_THAT(error([](auto& s) { s.method = "PO ST"; }), HasSubstr("\"PO ST\" is none"));
  EXPECT_THAT(error([](auto& s) { s.content_type = "a\r\nb"; }), HasSubstr("content type"));
  EXPECT_THAT(error([](auto& s) { s.headers = {{"A", "b\nc"}}; }), HasSubstr("malformed"));
  EXPECT_THAT(error([](auto& s) { s.url.target = "/?{data}"; }, 2), HasSubstr("one event, not 2"));
  EXPECT_THAT(error([](auto& s) { s.url.https = true; }), HasSubstr("https is not supported"));
  EXPECT_EQ(error([](auto&) {}, 1000), "none");
}

}  // namespace
}  // namespace tocsin::load
