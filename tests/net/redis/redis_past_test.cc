// What a hub's memory has no more is read out of the server again.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/net/redis/redis_fixture.h"
#include "tests/net/redis/redis_server.h"
#include "tests/net/store/past_fixture.h"

namespace tocsin::net {
namespace {

class RedisPastTest : public RedisTest {
 protected:
  struct Given {
    core::Sequence above = 0;
    std::vector<proto::EventId> ids;
    KeptEvents events;
  };
  // One read that takes `most` events; nothing: it could not.
  static std::optional<Given> read_once(core::Store& store, core::Sequence after,
                                        core::Sequence until, std::size_t most) {
    Given given;
    const auto above = store.read(
        after, until, [&](proto::EventId id, const core::NewEvent& event) {
          if (given.ids.size() == most) return false;
          given.ids.push_back(id);
          given.events.push_back({std::string{event.topic}, std::string{event.id},
                                  std::string{event.body}});
          return true;
        });
    if (!above) return std::nullopt;
    given.above = *above;
    return given;
  }
  // Of one that loads next to nothing.
  RedisOptions forgetful() {
    RedisOptions options = server().options();
    options.load_bytes = 1;
    options.connect_ms = options.answer_ms = 1000;
    return options;
  }
};

TEST_F(RedisPastTest, EventsOfAllEpochsComeWithTheIdsThatTheyHad) {
  StoreUser& writer = hub();
  for (int epoch = 0; epoch < 3; ++epoch) {
    if (epoch > 0) {
      server().kill();
      server().start();
    }
    publish_until_taken(writer, "first of " + std::to_string(epoch));
    for (std::size_t i = 0; i < 40; ++i) commit(writer, std::to_string(i), 1 + i % 7);
  }
  const KeptEvents all = writer.events();
  TestedHub late(forgetful());
  ASSERT_EQ(late.user->epochs().size(), 3U);
  EXPECT_EQ(late.store->floor(), 0U);
  for (const std::size_t most : {1U, 10U, 1000U}) {
    KeptEvents found;
    while (found.size() < all.size()) {
      const auto given = read_once(*late.store, found.size(), all.size(), most);
      ASSERT_TRUE(given);
      ASSERT_FALSE(given->events.empty());
      EXPECT_EQ(given->above, found.size());
      for (std::size_t i = 0; i < given->ids.size(); ++i) {
        EXPECT_EQ(given->ids[i].sequence, found.size() + i + 1);
        EXPECT_EQ(given->ids[i].epoch, late.user->epochs().of(given->ids[i].sequence));
      }
      found.insert(found.end(), given->events.begin(), given->events.end());
    }
    EXPECT_EQ(found, all);
  }
}

// The floor is a promise: above it nothing is gone.
TEST_F(RedisPastTest, WhatTheServerDropsRaisesTheFloor) {
  RedisOptions options = server().options();
  options.keep_bytes = 1024 * 1024;
  TestedHub writer(options);
  const std::string body(10'000, 'x');
  core::Sequence last = 0;
  for (int i = 0; i < 300; ++i) last = commit(*writer.user, body + std::to_string(i)).last;
  EXPECT_TRUE(eventually([&] { return writer.store->floor() > 100; }));
  const core::Sequence floor = writer.store->floor();
  const auto given = read_once(*writer.store, floor, last, 1);
  ASSERT_TRUE(given);
  EXPECT_EQ(given->above, floor);
  ASSERT_EQ(given->ids.size(), 1U);
  EXPECT_EQ(given->ids.front().sequence, floor + 1);
  const auto oldest = read_once(*writer.store, 0, last, 1);
  ASSERT_TRUE(oldest);
  EXPECT_GT(oldest->above, 100U) << "what is gone";
  EXPECT_LE(oldest->above, floor);

  // By hand, which no hub is told of until it reads.
  const std::string entry = server().ask({"XREVRANGE", "{test}:log", "+", "-", "COUNT", "1"});
  server().ask({"XTRIM", "{test}:log", "MINID", entry.substr(0, entry.find(' '))});
  const auto rest = read_once(*writer.store, 0, last, 10);
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->above, last - 1);
  EXPECT_EQ(writer.store->floor(), last - 1);
}

TEST_F(RedisPastTest, WhatIsDamagedIsAHole) {
  TestedHub one(server().options());
  for (int i = 0; i < 3; ++i) commit(*one.user, "before" + std::to_string(i));
  const std::string newest = server().ask({"XREVRANGE", "{test}:log", "+", "-", "COUNT", "1"});
  const std::string id = newest.substr(0, newest.find('-') + 1) + "2";
  server().ask({"XDEL", "{test}:log", id});
  const auto given = read_once(*one.store, 0, 3, 10);
  ASSERT_TRUE(given);
  EXPECT_EQ(given->events, events("before0"));
  const auto behind = read_once(*one.store, 1, 3, 10);
  ASSERT_TRUE(behind);
  EXPECT_EQ(behind->above, 2U);
  EXPECT_EQ(behind->events, events("before2"));
}

TEST_F(RedisPastTest, WhileTheServerIsAwayThereIsNothingAndThenAll) {
  TestedHub one(forgetful());
  const KeptEvents all = events("x", 20);
  const core::Place place = commit(*one.user, "x", 20);
  ASSERT_EQ(read_once(*one.store, 0, place.last, 5)->events.size(), 5U);
  server().kill();
  // What was read and not taken is still here.
  EXPECT_EQ(read_once(*one.store, 5, place.last, 5)->events.size(), 5U);
  TestedHub* const hub = &one;
  const auto from_server = [&] {
    // A batch that nothing keeps.
    return read_once(*hub->store, place.last, place.last + 1, 5);
  };
  EXPECT_FALSE(from_server());
  server().start();
  publish_until_taken(*one.user, "y");
  one.user->wait_told(place.last + 1);
  EXPECT_EQ(from_server()->events, events("y"));
  EXPECT_EQ(read_once(*one.store, 0, place.last, 50)->events, all);
}

// --- a whole hub

class ServerPastOnRedis : public PastTest {
 protected:
  void SetUp() override {
    if (RedisServer::program().empty()) GTEST_SKIP() << RedisServer::kMissing;
    server_.emplace();
    options.history = server_->url().to_string();
  }
  void TearDown() override {
    PastTest::TearDown();
    server_.reset();
  }

 private:
  std::optional<RedisServer> server_;
};
INSTANTIATE_TEST_SUITE_P(Server, ServerPastOnRedis, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerPastOnRedis, AStreamResumesAnywhere) {
  start();
  publish_events(3000);
  const std::vector<Published> all = published();
  for (int i = 0; i < 20; ++i) {
    const Topics topics = some_topics(random_);
    const core::Sequence from = i == 0 ? 0 : random_() % all.size();
    TestSubscriber reader(address(), target_of(topics),
                          resume_at(i == 0 ? "earliest" : position(from)), i % 2 == 0 ? 0 : 4096);
    EXPECT_EQ(read_all(reader, topics, from, all), 0U) << "nothing is gone";
  }
  EXPECT_GT(metric("tocsin_replay_deliveries_total"), 0);
  EXPECT_EQ(sum(&ShardMetrics::gaps), 0U);
}

}  // namespace
}  // namespace tocsin::net
