// A shard whose store answers late, never, or when nobody is there any more.
#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "proto/limits.h"
#include "tests/sim/world/scenario.h"

namespace tocsin::sim {
namespace {

class SimLate : public ::testing::Test {
 protected:
  SimLate() {
    for (std::size_t i = 0; i < world().shards(); ++i) world().io(i).while_waiting = nullptr;
  }
  static WorldOptions late() {
    WorldOptions options = plain();
    options.late_store = true;
    return options;
  }
  // Of a client that has published `token` to topic a.
  SocketRef publish(const std::string& token) {
    Intent intent;
    intent.topic = "a";
    intent.data = token;
    world().note_topic("a");
    world().intents.emplace(token, intent);
    const SocketRef client = world().kernel.connect_to(0, 1);
    world().kernel.write(*client, "POST /publish?stream=a HTTP/1.1\r\nHost: h\r\nContent-Length: " +
                                      std::to_string(token.size()) + "\r\n\r\n" + token);
    EXPECT_TRUE(world().settle());
    return client;
  }
  // All that it has arrives; then the shards go on.
  void store_goes_on() {
    for (int i = 0; i < 50; ++i) world().store_step(true);
    EXPECT_TRUE(world().settle());
  }
  [[nodiscard]] const net::StoreMetrics& metrics() { return world().state.hub.store_metrics(); }
  World& world() { return scenario_.world; }

  SimScenario scenario_{late()};
};

TEST_F(SimLate, NothingPollsAndTheShardIsWoken) {
  (void)scenario_.subscribe({"a"});
  const SocketRef client = publish("one");
  EXPECT_EQ(client->to_client, "");
  EXPECT_EQ(metrics().pending.get(), 1U);
  world().turn(0);
  EXPECT_GE(world().io(0).timeout_ms, 200U);
  const auto has_mail = [this] { return !world().state.mailboxes[0]->empty(); };
  world().io(0).while_waiting = [&] {
    for (int i = 0; i < 10 && !has_mail(); ++i) world().store_step(true);
    EXPECT_TRUE(has_mail());
    EXPECT_TRUE(world().io(0).woken);
  };
  world().turn(0);
  world().io(0).while_waiting = nullptr;
  scenario_.run();
  EXPECT_EQ(FakeKernel::read(*client, SIZE_MAX).substr(0, 12), "HTTP/1.1 204");
  FakeKernel::close(*client);
  scenario_.finish();
}

TEST_F(SimLate, NobodyWaitsForEver) {
  (void)scenario_.subscribe({"a"});
  const SocketRef client = publish("one");
  world().pass(limits::kMaxStoreAnswerMs - 100);
  EXPECT_EQ(client->to_client, "");
  world().pass(2000);
  const std::string answer = FakeKernel::read(*client, SIZE_MAX);
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 503");
  EXPECT_NE(answer.find(R"("outcome":"unknown")"), std::string::npos);
  EXPECT_EQ(metrics().pending.get(), 0U);
  EXPECT_EQ(world().intents.find("one")->second.sequence, 0U);
  store_goes_on();
  EXPECT_EQ(world().intents.find("one")->second.sequence, 1U) << "it may happen all the same";
  EXPECT_EQ(metrics().stale_answers.get(), 1U);
  FakeKernel::close(*client);
  scenario_.finish();
}

TEST_F(SimLate, WhoHasLeftIsNotAnswered) {
  const std::uint32_t before = world().shard(0).connections().used();
  const SocketRef client = publish("one");
  world().kernel.reset(*client);
  EXPECT_TRUE(world().settle());
  EXPECT_EQ(world().shard(0).connections().used(), before);
  // Another has the slot now.
  const SocketRef other = publish("two");
  store_goes_on();
  EXPECT_EQ(FakeKernel::read(*other, SIZE_MAX).substr(0, 12), "HTTP/1.1 204");
  EXPECT_EQ(world().state.metrics[0]->stale_answers.get(), 1U);
  EXPECT_EQ(metrics().pending.get(), 0U);
  FakeKernel::close(*other);
  scenario_.finish();
}

}  // namespace
}  // namespace tocsin::sim
