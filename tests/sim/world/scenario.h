// A quiet world for one scenario: nothing goes wrong but what the test asks for, time stands still,
// and clients act when told to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "net/log.h"
#include "proto/sse/sse_encode.h"
#include "tests/sim/world/sim_world.h"

namespace tocsin::sim {

inline WorldOptions plain(std::size_t shards = 1) {
  WorldOptions options;
  options.shards = shards;
  options.server.heartbeat_s = 0;
  return options;
}

// Sockets take all that is published in overload().
inline WorldOptions room_for_large(WorldOptions options) {
  options.kernel.least_capacity = options.kernel.most_capacity = 64 << 20;
  return options;
}

class SimScenario {
 public:
  explicit SimScenario(const WorldOptions& options = plain(), std::uint64_t seed = 1)
      : world(seed, options) {
    net::log::set_level(net::LogLevel::error);
    world.quiet = true;
  }
  ~SimScenario() { EXPECT_EQ(world.failure(), ""); }

  // Its connection is open, and no shard has seen it yet.
  SimSubscriber& connect(SimSubscriber::Plan plan) {
    SimSubscriber& subscriber = world.add<SimSubscriber>(std::move(plan));
    subscribers.push_back(&subscriber);
    subscriber.act(world);
    return subscriber;
  }
  SimSubscriber& subscribe(std::vector<std::string> topics, Start start = {},
                           std::optional<proto::Framing> framing = {}) {
    SimSubscriber::Plan plan;
    plan.topics = std::move(topics);
    plan.framing = framing;
    plan.start = std::move(start);
    SimSubscriber& subscriber = connect(std::move(plan));
    run();
    EXPECT_TRUE(subscriber.stream() != nullptr && subscriber.stream()->begun());
    return subscriber;
  }

  // One batch, straight into the hub as from another thread: (topic, data behind the token).
  void publish(const std::vector<std::pair<std::string, std::string>>& events) {
    std::vector<core::NewEvent> batch;
    std::vector<std::string> bodies;
    for (const auto& [topic, data] : events) {
      const std::string token = world.new_token();
      Intent intent;
      intent.topic = topic;
      intent.data = token + " " + data;
      proto::encode_frame_body({.topic = topic, .data = intent.data}, bodies.emplace_back());
      world.note_topic(topic);
      world.intents.emplace(token, std::move(intent));
    }
    for (std::size_t i = 0; i < events.size(); ++i) {
      batch.push_back({.topic = events[i].first,
                       .id = {},
                       .body = bodies[i],
                       .received = static_cast<core::ReceiptUs>(world.clock.now_us())});
    }
    const auto published =
        world.state.hub.with([&](core::Hub& hub) { return hub.publish(batch, world.now_ms()); });
    ASSERT_TRUE(published.has_value());
    world.state.metrics[0]->events_published.add(batch.size());
    world.state.hub.wake(published->wake);
  }
  void publish(const std::string& topic, const std::string& data) { publish({{topic, data}}); }
  // Publishers wait from here on: shard 1 has a reader of topic a and more news than it may be
  // behind, and stands still until run() turns it. REQUIRES: two shards, and room_for_large().
  void overload() {
    while (world.shard(1).connections().used() == 0) (void)subscribe({"a"});
    const std::string large(1'000'000, 'x');
    while (!world.state.hub.with([](const core::Hub& hub) { return hub.overloaded(); })) {
      publish("a", large);
    }
    world.io(0).while_waiting = nullptr;
  }

  void act() {
    for (SimSubscriber* subscriber : subscribers) subscriber->act(world);
  }
  // Until everybody has everything.
  void run(int rounds = 3) {
    for (int i = 0; i < rounds; ++i) {
      EXPECT_TRUE(world.settle());
      act();
    }
  }
  // What a connection of its own is answered.
  std::string ask(std::size_t shard, std::string_view request) {
    const SocketRef socket = world.kernel.connect_to(shard, 1);
    if (!socket) return "nobody listens";
    world.kernel.write(*socket, request);
    EXPECT_TRUE(world.settle());
    std::string answer = FakeKernel::read(*socket, SIZE_MAX);
    FakeKernel::close(*socket);
    return answer;
  }
  // Nobody misses anything, and nothing is left behind.
  void finish() {
    run();
    world.finish();
    world.end(false);
  }

  World world;
  std::vector<SimSubscriber*> subscribers;
};

}  // namespace tocsin::sim
