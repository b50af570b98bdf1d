#include "net/auth/topic_pattern.h"

#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/limits.h"
#include "tests/net/support/template_oracle.h"

namespace tocsin::net {
namespace {

TopicPattern of(std::string_view text) {
  auto pattern = TopicPattern::uri_template(text);
  EXPECT_TRUE(pattern) << text << ' ' << pattern.error();
  return std::move(pattern).value_or(TopicPattern::uri_template("x").value());
}
bool matches(std::string_view pattern, std::string_view topic) {
  return of(pattern).matches(topic);
}
std::string fault_of(std::string_view text) {
  const auto pattern = TopicPattern::uri_template(text);
  return pattern ? "" : pattern.error();
}

TEST(UriTemplate, MatchesWhatItCouldExpandTo) {
  // RFC 6570, 1.2, by level.
  EXPECT_TRUE(matches("{var}", "value"));
  EXPECT_TRUE(matches("{hello}", "Hello%20World%21"));
  EXPECT_TRUE(matches("{+path}/here", "/foo/bar/here"));
  EXPECT_TRUE(matches("X{#var}", "X#value"));
  EXPECT_TRUE(matches("map?{x,y}", "map?1024,768"));
  EXPECT_TRUE(matches("X{.x,y}", "X.1024.768"));
  EXPECT_TRUE(matches("{/var,x}/here", "/value/1024/here"));
  EXPECT_TRUE(matches("{;x,y,empty}", ";x=1024;y=768;empty"));
  EXPECT_TRUE(matches("{?x,y}", "?x=1024&y=768"));
  EXPECT_TRUE(matches("?fixed=yes{&x}", "?fixed=yes&x=1024"));
  EXPECT_TRUE(matches("{var:3}", "val"));
  EXPECT_TRUE(matches("{/list*}", "/red/green/blue"));
  EXPECT_TRUE(matches("{?keys*}", "?semi=%3B&dot=.&comma=%2C"));
}

TEST(UriTemplate, AVariableStaysInItsSegment) {
  EXPECT_TRUE(matches("https://example.com/books/{id}", "https://example.com/books/1"));
  EXPECT_TRUE(matches("https://example.com/books/{id}", "https://example.com/books/"));
  EXPECT_FALSE(matches("https://example.com/books/{id}", "https://example.com/books/1/pages"));
  EXPECT_FALSE(matches("https://example.com/books/{id}", "https://example.com/books/1?x"));
  EXPECT_FALSE(matches("https://example.com/books/{id}", "https://example.com/book/1"));
  EXPECT_FALSE(matches("news/{id}", "xnews/1"));
  EXPECT_FALSE(matches("news/{id}", "news/1 "));
  EXPECT_FALSE(matches("news/{id}", "news/é"));
  EXPECT_FALSE(matches("news/{id}", "news/1%2"));
  EXPECT_FALSE(matches("news/{id}", "news/1%2G"));
  EXPECT_TRUE(matches("news/{id}/x", "news/1/x"));
  EXPECT_FALSE(matches("news/{id}/x", "news/1/y"));
  EXPECT_TRUE(matches("{/a,b}", "/1/2"));
  EXPECT_FALSE(matches("{/a,b}", "/1/2/3"));
  EXPECT_TRUE(matches("{/a*}", "/1/2/3"));
  EXPECT_TRUE(matches("x{/a}", "x"));
}

TEST(UriTemplate, WhatIsNoneIsRefused) {
  for (const std::string_view bad :
       {"{",      "a{b",   "{}",     "{a",     "{a b}",     "{a,}",   "{,a}",  "{=a}",
        "{|a}",   "{!a}",  "{a:}",   "{a:0}",  "{a:12345}", "{a:1x}", "{a**}", "{a*:3}",
        "{a..b}", "{.a.}", "{a.}",   "{%4}",   "{%GG}",     "a}",     "{a}}",  "%",
        "%4",     "%GG",   "a b{c}", "a\"{b}", "a<{b}",     "a|{b}",  "{{a}}", "{+}"}) {
    EXPECT_NE(fault_of(bad), "") << bad;
  }
  for (const std::string_view good : {"{a}", "{a.b}", "{_}", "{%41}", "{a:1}", "{a:9999}", "{a*}",
                                      "{?a,b*,c:3}", "caf\xC3\xA9/{x}", "it's{x}", "%41{x}", ""}) {
    EXPECT_EQ(fault_of(good), "") << good;
  }
}

TEST(UriTemplate, HasBounds) {
  std::string expressions;
  for (std::size_t i = 0; i < TopicPattern::kMaxExpressions; ++i) expressions += "{a}";
  EXPECT_EQ(fault_of(expressions), "");
  EXPECT_NE(fault_of(expressions + "{a}"), "");
  std::string variables = "{a";
  for (std::size_t i = 1; i < TopicPattern::kMaxVariables; ++i) variables += ",a";
  EXPECT_EQ(fault_of(variables + "}"), "");
  EXPECT_NE(fault_of(variables + ",a}"), "");
  const std::string longest(limits::kMaxTopicName, 'a');
  EXPECT_TRUE(matches("{x}", longest));
  EXPECT_FALSE(matches("{x}", longest + 'a'));
}

// What sends a backtracking matcher away for years.
TEST(UriTemplate, TakesNoLongerForWhatIsAmbiguous) {
  std::string text;
  for (int i = 0; i < 16; ++i) text += "{a*,b*}a";
  const TopicPattern pattern = of(text);
  const std::string topic(limits::kMaxTopicName - 1, 'a');
  EXPECT_TRUE(pattern.matches(topic));
  EXPECT_FALSE(pattern.matches(topic + '!'));
}

class RandomTemplates {
 public:
  explicit RandomTemplates(std::uint64_t seed) : random_(seed) {}

  std::string next_template() {
    std::string text;
    for (std::size_t count = below(4); count > 0; --count) {
      text += pick({"", "a", "/", "x=", "a/b", ",", "?", "%41", "."});
      if (below(3) == 0) continue;
      text += '{';
      text += pick({"", "", "+", "#", ".", "/", ";", "?", "&"});
      for (std::size_t variables = 1 + below(3); variables > 0; --variables) {
        text += pick({"a", "bc", "d.e"});
        text += pick({"", "", "*", ":3"});
        if (variables > 1) text += ',';
      }
      text += '}';
    }
    return text;
  }
  std::string next_topic() {
    std::string text;
    for (std::size_t count = below(8); count > 0; --count) {
      text += pick({"a", "b", "/", "=", ",", ".", ";", "?", "&", "#", "%41", "%", "4", " ", "!"});
    }
    return text;
  }

 private:
  std::size_t below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_);
  }
  std::string pick(std::initializer_list<const char*> choices) {
    return choices.begin()[below(choices.size())];
  }
  std::mt19937_64 random_;
};

TEST(UriTemplate, MatchesAsTheRegularExpressionDoes) {
  const char* given = std::getenv("TOCSIN_SEED");
  const std::uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
  RandomTemplates random(seed);
  int both = 0;
  for (int i = 0; i < 400; ++i) {
    const std::string text = random.next_template();
    const TopicPattern pattern = of(text);
    const TemplateOracle oracle(text);
    for (int j = 0; j < 50; ++j) {
      const std::string topic = random.next_topic();
      ASSERT_EQ(pattern.matches(topic), oracle.matches(topic)) << text << "  " << topic;
      both += oracle.matches(topic) ? 1 : 0;
    }
  }
  EXPECT_GT(both, 100) << "the test would see nothing";
}

bool url_matches(std::string_view text, std::string_view topic) {
  const auto pattern = TopicPattern::url_pattern(text);
  EXPECT_TRUE(pattern) << text;
  return pattern && pattern->matches(topic);
}

TEST(UrlPattern, MatchesAPath) {
  EXPECT_TRUE(url_matches("https://example.com/books/:id", "https://example.com/books/1"));
  EXPECT_TRUE(url_matches("https://example.com/books/:id", "https://example.com/books/1?a=b#c"));
  EXPECT_FALSE(url_matches("https://example.com/books/:id", "https://example.com/books/"));
  EXPECT_FALSE(url_matches("https://example.com/books/:id", "https://example.com/books/1/2"));
  EXPECT_FALSE(url_matches("https://example.com/books/:id", "http://example.com/books/1"));
  EXPECT_FALSE(url_matches("https://example.com/books/:id", "https://example.com.evil/books/1"));
  EXPECT_TRUE(url_matches("https://example.com/users/42/*", "https://example.com/users/42/"));
  EXPECT_TRUE(url_matches("https://example.com/users/42/*", "https://example.com/users/42/a/b"));
  EXPECT_FALSE(url_matches("https://example.com/users/42/*", "https://example.com/users/42"));
  EXPECT_FALSE(url_matches("https://example.com/users/42/*", "https://example.com/users/420/"));
  EXPECT_TRUE(url_matches("https://example.com/:a-:b.json", "https://example.com/x-y.json"));
  EXPECT_TRUE(url_matches("http://h:8080/a", "http://h:8080/a"));
  EXPECT_TRUE(url_matches("https://h:443/a", "https://h/a")) << "as a URL parser writes it";
}

// What a URL parser would rewrite is not matched by how it is spelt.
TEST(UrlPattern, ATopicIsWrittenAsAUrlIs) {
  for (const std::string_view path : {"a/../b", "../a", "a/..", "a/.", "./a", "a/%2e%2e/b",
                                      "a/.%2E/b", "a\\..\\b", "a/../b?x", "a/..#x"}) {
    EXPECT_FALSE(url_matches("https://h/u/*", "https://h/u/" + std::string(path))) << path;
  }
  EXPECT_TRUE(url_matches("https://h/u/*", "https://h/u/a.b/.c/..d/e."));
}

TEST(UrlPattern, WhatTheHubDoesNotKnowIsRefused) {
  for (const std::string_view bad : {"",
                                     "*",
                                     "/books/:id",
                                     "books/:id",
                                     "https://",
                                     "https://h",
                                     "https:///a",
                                     "ftp://h/a",
                                     "https://*.h/a",
                                     "https://:sub.h/a",
                                     "https://h/:id?",
                                     "https://h/:id*",
                                     "https://h/:id+",
                                     "https://h/:id(\\d+)",
                                     "https://h/(a|b)",
                                     "https://h/{a}?",
                                     "https://h/**",
                                     "https://h/a?b",
                                     "https://h/a#b",
                                     "https://h/:a/:a",
                                     "https://h/:",
                                     "https://h/:1",
                                     "https://H/a",
                                     "https://h:/a",
                                     "https://h:99999999/a",
                                     "https://u@h/a",
                                     "https://h/a/../b",
                                     "https://h/a b",
                                     "https://h/\xC3\xA9",
                                     "https://h/a\\b",
                                     "https://h:0443/a"}) {
    EXPECT_FALSE(TopicPattern::url_pattern(bad)) << bad;
  }
}

}  // namespace
}  // namespace tocsin::net
