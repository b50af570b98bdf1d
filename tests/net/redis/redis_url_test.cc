#include "net/redis/redis_url.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(RedisUrlTest, HasEverythingThatItNames) {
  const auto url = parse_redis_url(
      "rediss://hub:p%40ss%3aw@one.example:7000,10.0.0.2,[::1]:6380/news"
      "?replicas=2&ca=/etc/a%40b.pem");
  ASSERT_TRUE(url) << url.error();
  EXPECT_TRUE(url->tls);
  EXPECT_EQ(url->user, "hub");
  EXPECT_EQ(url->password, "p@ss:w");
  EXPECT_THAT(url->servers, ElementsAre(RedisUrl::Server{"one.example", 7000},
                                        RedisUrl::Server{"10.0.0.2", 6379},
                                        RedisUrl::Server{"::1", 6380}));
  EXPECT_EQ(url->name, "news");
  EXPECT_EQ(url->replicas, 2U);
  EXPECT_EQ(url->ca_file, "/etc/a@b.pem");
}

TEST(RedisUrlTest, HasDefaults) {
  const auto url = parse_redis_url("redis://localhost/a");
  ASSERT_TRUE(url) << url.error();
  EXPECT_FALSE(url->tls);
  EXPECT_EQ(url->user, "");
  EXPECT_EQ(url->password, "");
  EXPECT_EQ(url->replicas, 0U);
  EXPECT_EQ(url->to_string(), "redis://localhost:6379/a");
  EXPECT_EQ(parse_redis_url("redis://:secret@localhost/a")->user, "");
  EXPECT_EQ(parse_redis_url("redis://:s@c@localhost/a")->password, "s@c");
}

TEST(RedisUrlTest, NamesSentinelsAndTheirMaster) {
  const auto url =
      parse_redis_url("redis+sentinel://u:p@one,two:7000,[::1]/main.1/news?replicas=1");
  ASSERT_TRUE(url) << url.error();
  EXPECT_FALSE(url->tls);
  EXPECT_EQ(url->user, "u");
  EXPECT_THAT(url->servers,
              ElementsAre(RedisUrl::Server{"one", 26379}, RedisUrl::Server{"two", 7000},
                          RedisUrl::Server{"::1", 26379}));
  EXPECT_EQ(url->master, "main.1");
  EXPECT_EQ(url->name, "news");
  EXPECT_EQ(url->replicas, 1U);
  EXPECT_EQ(url->to_string(),
            "redis+sentinel://u:***@one:26379,two:7000,[::1]:26379/main.1/news?replicas=1");
  EXPECT_TRUE(parse_redis_url("rediss+sentinel://h/m/a?ca=/b")->tls);
  EXPECT_EQ(parse_redis_url("redis://h/a")->master, "") << "it is the server itself";
}

TEST(RedisUrlTest, ShowsNoPassword) {
  for (const char* text : {"redis://u:hunter2@h/a?replicas=1", "rediss://:hunter2@h/a"}) {
    const auto url = parse_redis_url(text);
    ASSERT_TRUE(url);
    EXPECT_THAT(url->to_string(), Not(HasSubstr("hunter2")));
    EXPECT_THAT(url->to_string(), HasSubstr(":***@"));
  }
}

TEST(RedisUrlTest, RefusesWhatIsNoneAndNamesNoPassword) {
  for (const char* text :
       {"", "redis", "http://h/a", "redis:h/a", "redis://", "redis:///a", "redis://h",
        "redis://h/", "redis://h/a/b", "redis://h/a{b}", "redis://h/a b", "redis://h:0/a",
        "redis://h:65536/a", "redis://h:x/a", "redis://h,/a", "redis://[::1/a", "redis://[::1]x/a",
        "redis://h/a?", "redis://h/a?wait=1", "redis://h/a?replicas=", "redis://h/a?replicas=17",
        "redis://h/a?replicas=1x", "redis://h/a?ca=x", "rediss://h/a?ca=",
        "rediss://h/a?replicas=1&", "redis://hunter2@h/a", "redis://u:@h/a",
        "redis://u:hunter2%4@h/a", "redis://u:hunter2@/a", "redis://u:hunter2@h",
        "redis://u:hunter2@h/a?b", "redis+sentinel://h/a", "redis+sentinel://h/a/",
        "redis+sentinel://h//a", "redis+sentinel://h/m/a/b", "redis+sentinel://u:hunter2@h/m",
        "redis+sentinel://h/m m/a", "redis+cluster://h/a"}) {
    const auto url = parse_redis_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_THAT(url.error(), Not(HasSubstr("hunter2"))) << text;
  }
}

}  // namespace
}  // namespace tocsin::net
