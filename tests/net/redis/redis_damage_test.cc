// What is missing or damaged in the stream: it costs what stands before it, and no hub more than
// one start.
#include <cstddef>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/redis/redis_fixture.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;

class RedisDamageTest : public RedisTest {
 protected:
  // A hub that starts. It may end once, and be well from the next time on.
  StoreUser& hub_in_the_end() {
    StoreUser& first = hub();
    if (first.why_lost().empty()) return first;
    EXPECT_THAT(first.why_lost(), HasSubstr("begins behind event"));
    end_hub();
    StoreUser& next = hub();
    EXPECT_EQ(next.why_lost(), "");
    return next;
  }
  // Events a/0 to a/5 in entries of their own. The entries' ids.
  std::vector<std::string> six_entries() {
    StoreUser& writer = hub();
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < 6; ++i) {
      (void)writer.publish({{"a", "", body_of("a", i)}});
      const std::string newest = server().ask({"XREVRANGE", "{test}:log", "+", "-", "COUNT", "1"});
      ids.push_back(newest.substr(0, newest.find(' ')));
    }
    end_hub();
    return ids;
  }
  // Those from the one of this number on.
  static KeptEvents six_from(std::size_t first) {
    const KeptEvents all = events("a", 6);
    return {all.begin() + static_cast<std::ptrdiff_t>(first), all.end()};
  }
  static std::string behind(const std::string& id, int generations, int events) {
    const std::size_t dash = id.find('-');
    return std::to_string(std::stoull(id.substr(0, dash)) + static_cast<unsigned>(generations)) +
           "-" + std::to_string(std::stoull(id.substr(dash + 1)) + static_cast<unsigned>(events));
  }
};

TEST_F(RedisDamageTest, EntriesMissingInTheMiddle) {
  const auto ids = six_entries();
  for (const std::size_t gone : {1U, 2U, 4U}) server().ask({"XDEL", "{test}:log", ids[gone]});
  StoreUser& next = hub_in_the_end();
  EXPECT_EQ(next.events(), six_from(5)) << "behind the last hole";
  EXPECT_EQ(next.beginning().last(), 5U) << "who was before is told of the gap";
  EXPECT_EQ(commit(next, "new").first, 7U);
  EXPECT_EQ(hub().told(), 7U);
}

TEST_F(RedisDamageTest, TheNewestEntryMissing) {
  const auto ids = six_entries();
  server().ask({"XDEL", "{test}:log", ids[5]});
  StoreUser& next = hub_in_the_end();
  EXPECT_EQ(next.beginning().last(), 6U) << "its number is not given again";
  EXPECT_EQ(commit(next, "new").first, 7U);
  EXPECT_EQ(hub().events(), events("new"));
}

TEST_F(RedisDamageTest, AnEntryThatIsDamaged) {
  const auto ids = six_entries();
  server().ask({"XADD", "{test}:log", behind(ids[5], 0, 1), "n", "1", "d", "garbage"});
  StoreUser& next = hub_in_the_end();
  EXPECT_EQ(next.events(), KeptEvents());
  const core::Place place = commit(next, "new");
  EXPECT_EQ(hub().told(), place.last);
}

// A hub that runs ends for it, as it may have shown what stands before. The next one does not.
TEST_F(RedisDamageTest, AnEntryThatIsDamagedUnderItsHubs) {
  StoreUser& one = hub();
  commit(one, "a");
  const std::string newest = server().ask({"XREVRANGE", "{test}:log", "+", "-", "COUNT", "1"});
  server().ask({"XADD", "{test}:log", behind(newest.substr(0, newest.find(' ')), 0, 1), "n", "1",
                "d", "garbage"});
  EXPECT_TRUE(eventually([&] { return !one.why_lost().empty(); }));
  EXPECT_THAT(one.why_lost(), HasSubstr("is damaged"));
  EXPECT_TRUE(eventually([&] { return server().ask({"HGET", "{test}:head", "f"}) == "2"; }));
  StoreUser& next = hub();
  EXPECT_EQ(next.why_lost(), "");
  EXPECT_EQ(commit(next, "new").first, 3U);
}

// Of an epoch that nobody has begun: as what others put there.
TEST_F(RedisDamageTest, EntriesThatAreNoneOfAHubs) {
  const auto ids = six_entries();
  server().ask({"XADD", "{test}:log", behind(ids[5], 1, 1), "n", "1", "d", "garbage"});
  server().ask({"XADD", "{test}:log", behind(ids[5], 2, 1000), "hello", "world"});
  StoreUser& next = hub();
  EXPECT_EQ(next.why_lost(), "");
  EXPECT_EQ(next.events(), events("a", 6));
  EXPECT_EQ(commit(next, "new").first, 7U);
  EXPECT_EQ(hub().told(), 7U);
}

// As of a server whose memory ended between two commands.
TEST_F(RedisDamageTest, AnEntryThatTheHeadDoesNotSpeakOf) {
  six_entries();
  server().ask({"HSET", "{test}:head", "s", "5"});
  StoreUser& next = hub();
  EXPECT_EQ(next.events(), events("a", 6)) << "it is there";
  EXPECT_EQ(commit(next, "new").first, 7U);
  EXPECT_EQ(hub().told(), 7U);
}

TEST_F(RedisDamageTest, TheHeadIsGoneAndNobodyKnowsIt) {
  six_entries();
  server().ask({"DEL", "{test}:head"});
  StoreUser& next = hub();
  EXPECT_EQ(next.why_lost(), "");
  EXPECT_EQ(commit(next, "new").first, 7U);
  EXPECT_EQ(hub().told(), 7U);
}

}  // namespace
}  // namespace tocsin::net
