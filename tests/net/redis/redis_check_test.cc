#include "net/redis/redis_check.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/redis/redis_fixture.h"

namespace tocsin::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class RedisCheckTest : public RedisTest {
 protected:
  std::vector<std::string> weak(const RedisOptions& options) {
    auto found = check_redis(options);
    EXPECT_TRUE(found) << found.error();
    return found.value_or(std::vector<std::string>{});
  }
};

TEST_F(RedisCheckTest, AServerThatKeepsWhatIsAcknowledgedIsWell) {
  EXPECT_THAT(weak(server().options()), IsEmpty());
}

TEST_F(RedisCheckTest, WhatIsTooWeakIsNamed) {
  server().ask({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"});
  server().ask({"CONFIG", "SET", "appendfsync", "everysec"});
  RedisOptions options = server().options();
  options.url.replicas = 2;
  EXPECT_THAT(weak(options),
              UnorderedElementsAre(HasSubstr("maxmemory-policy is allkeys-lru"),
                                   HasSubstr("appendfsync is everysec"),
                                   HasSubstr("replicas is 2 and the server has 0")));
  server().ask({"CONFIG", "SET", "maxmemory-policy", "noeviction"});
  server().ask({"CONFIG", "SET", "appendonly", "no"});
  EXPECT_THAT(weak(server().options()), ElementsAre(HasSubstr("appendonly is no")));
}

TEST_F(RedisCheckTest, AUserWhoMayNotAskIsToldSo) {
  server().ask({"ACL", "SETUSER", "hub", "on", ">secret", "~*", "+@all", "-config"});
  RedisOptions options = server().options();
  options.url.user = "hub";
  options.url.password = "secret";
  EXPECT_THAT(weak(options), ElementsAre(HasSubstr("does not say what appendfsync is")));
}

TEST_F(RedisCheckTest, AServerThatIsNotThereIsAnError) {
  server().kill();
  const auto found = check_redis(server().options());
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error(), HasSubstr("cannot connect"));
}

}  // namespace
}  // namespace tocsin::net
