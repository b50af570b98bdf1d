#include "net/transport/url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

using ::testing::HasSubstr;

TEST(Url, ReadsItsParts) {
  const auto url = parse_url("HTTP://Example.ORG:8080/a/b?x=1#part");
  ASSERT_TRUE(url) << url.error();
  EXPECT_EQ(url->host, "example.org");
  EXPECT_EQ(url->port, 8080);
  EXPECT_EQ(url->target, "/a/b?x=1");
  EXPECT_TRUE(url->path_was_given);
  EXPECT_EQ(url->authority(), "example.org:8080");
  EXPECT_EQ(url->to_string(), "http://example.org:8080/a/b?x=1");
}

TEST(Url, DefaultsPortAndPath) {
  for (const char* text : {"http://h", "http://h/", "http://h:", "http://h:80/#top"}) {
    const auto url = parse_url(text);
    ASSERT_TRUE(url) << text;
    EXPECT_EQ(url->to_string(), "http://h/") << text;
    EXPECT_FALSE(url->path_was_given) << text;
  }
  const auto url = parse_url("http://h?q");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->target, "/?q");
  EXPECT_TRUE(url->path_was_given);
}

TEST(Url, KeepsBracketsOffTheHostAndOnTheAuthority) {
  const auto url = parse_url("http://[::1]:81/x");
  ASSERT_TRUE(url) << url.error();
  EXPECT_EQ(url->host, "::1");
  EXPECT_EQ(url->authority(), "[::1]:81");
}

TEST(Url, EncodesWhatIsNotAscii) {
  const auto url = parse_url("http://h/\xc3\xa9?q=\xc3\xa9%20");
  ASSERT_TRUE(url) << url.error();
  EXPECT_EQ(url->target, "/%C3%A9?q=%C3%A9%20");
}

TEST(Url, SaysWhyATextIsNone) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "begins with http://"},
      {"localhost:8080", "begins with http://"},
      {"/events", "begins with http://"},
      {"https//h/", "http:// or https://"},
      {"ftp://h/", "ftp is not supported"},
      {"http://", "host is missing"},
      {"http://:80/", "host is missing"},
      {"http://user:secret@h/", "user name"},
      {"http://h:0/", "port"},
      {"http://h:65536/", "port"},
      {"http://h:8o/", "port"},
      {"http://h:-1/", "port"},
      {"http://[::1/", "']'"},
      {"http://[fe80::1%25eth0]/", "no IPv6 address"},
      {"http://[::1]x/", "only a port"},
      {"http://h\\x/", "host contains"},
      {"http://h/a b", "spaces or control"},
      {"http://h/\r\nX: y", "spaces or control"},
      {std::string("http://h/\0", 10), "spaces or control"},
  };
  for (const auto& [text, why] : cases) {
    const auto url = parse_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_THAT(url.error(), HasSubstr(why)) << text;
  }
}

TEST(Url, AddsEncodedQueryPairs) {
  auto url = parse_url("http://h/events").value();
  url.add_query("stream", "a&b c");
  url.add_query("stream", "d");
  EXPECT_EQ(url.target, "/events?stream=a%26b%20c&stream=d");
  auto bare = parse_url("http://h/?").value();
  bare.add_query("x", "");
  EXPECT_EQ(bare.target, "/?x=");
}

TEST(Url, ResolvesReferences) {
  // Cases of RFC 3986, 5.4, as far as a path and a query go.
  const auto base = parse_url("http://a/b/c/d?q").value();
  const std::pair<const char*, const char*> cases[] = {
      {"g", "/b/c/g"},      {"./g", "/b/c/g"},        {"g/", "/b/c/g/"},
      {"/g", "/g"},         {"?y", "/b/c/d?y"},       {"g?y", "/b/c/g?y"},
      {"#s", "/b/c/d?q"},   {"g#s", "/b/c/g"},        {"", "/b/c/d?q"},
      {".", "/b/c/"},       {"./", "/b/c/"},          {"..", "/b/"},
      {"../", "/b/"},       {"../g", "/b/g"},         {"../..", "/"},
      {"../../g", "/g"},    {"../../../g", "/g"},     {"/./g", "/g"},
      {"/../g", "/g"},      {"g.", "/b/c/g."},        {"..g", "/b/c/..g"},
      {"./g/.", "/b/c/g/"}, {"g/../h", "/b/c/h"},     {"g?y/../x", "/b/c/g?y/../x"},
      {"//a/x", "/x"},      {"http://a/x?y", "/x?y"},
  };
  for (const auto& [reference, target] : cases) {
    const auto url = resolve_url(base, reference);
    ASSERT_TRUE(url) << reference << ": " << url.error();
    EXPECT_EQ(url->target, target) << reference;
    EXPECT_TRUE(url->same_origin(base)) << reference;
  }
}

TEST(Url, ResolvesToOtherOriginsAndRefusesOtherSchemes) {
  const auto base = parse_url("http://a/b").value();
  EXPECT_FALSE(resolve_url(base, "http://c/").value().same_origin(base));
  EXPECT_FALSE(resolve_url(base, "//a:81/").value().same_origin(base));
  EXPECT_THAT(resolve_url(base, "ftp://a/").error(), HasSubstr("ftp is not supported"));
  EXPECT_FALSE(resolve_url(base, "/x\r\nSet: y"));
}

TEST(Url, Https) {
  const auto url = parse_url("HTTPS://h/a").value();
  EXPECT_TRUE(url.https);
  EXPECT_EQ(url.port, 443);
  EXPECT_EQ(url.authority(), "h");
  EXPECT_EQ(url.to_string(), "https://h/a");
  EXPECT_EQ(parse_url("https://h:443/a").value(), url);
  EXPECT_EQ(parse_url("https://h:80/").value().to_string(), "https://h:80/");
  EXPECT_EQ(parse_url("http://h:443/").value().to_string(), "http://h:443/");
  EXPECT_FALSE(url.same_origin(parse_url("http://h:443/a").value()));
  EXPECT_EQ(resolve_url(url, "/b").value().to_string(), "https://h/b");
  EXPECT_EQ(resolve_url(url, "//i:8/b").value().to_string(), "https://i:8/b");
  EXPECT_EQ(resolve_url(url, "http://h/").value().to_string(), "http://h/");
  EXPECT_EQ(resolve_url(parse_url("http://h/").value(), "https://h/").value().port, 443);
}

}  // namespace
}  // namespace tocsin::net
