// Shards wake each other through descriptors; each shard's table is its own, and a number that
// means another file there would put the wake-up's bytes into a client's stream.
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/net/support/server_fixture.h"

namespace tocsin::net {
namespace {

class ServerWake : public ServerTest {};

INSTANTIATE_TEST_SUITE_P(Server, ServerWake, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerWake, ManyShardsWakeEachOtherAndTouchNothingElse) {
  constexpr std::size_t kSubscribers = 48;
  constexpr std::size_t kEvents = 24;
  options.shards = 8;
  start();
  std::vector<std::unique_ptr<TestSubscriber>> subscribers;
  for (std::size_t i = 0; i < kSubscribers; ++i) {
    subscribers.push_back(std::make_unique<TestSubscriber>(address(), "/events?stream=wake"));
  }
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < kEvents; ++i) {  // each from a connection of its own: any shard
    ids.push_back(publish("stream=wake", "event " + std::to_string(i)));
    for (auto& subscriber : subscribers) {
      const auto& events = subscriber->wait_events(i + 1);
      EXPECT_EQ(events[i].id, ids[i]);
      EXPECT_EQ(events[i].data, "event " + std::to_string(i));
    }
  }
  for (auto& subscriber : subscribers) {
    EXPECT_EQ(subscriber->bytes().find('\0'), std::string::npos);
    EXPECT_EQ(subscriber->events().size(), kEvents);
  }
}

}  // namespace
}  // namespace tocsin::net
