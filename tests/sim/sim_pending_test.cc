// Publishes that wait for the shards: submitted once, in one line, answered in the order of their
// requests, and of no concern to anybody once their client has gone.
#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "proto/limits.h"
#include "tests/sim/world/scenario.h"

namespace tocsin::sim {
namespace {

class SimPending : public ::testing::Test {
 protected:
  explicit SimPending(const WorldOptions& options = options_of(3))
      : scenario_(room_for_large(options)) {
    scenario_.overload();
  }

  static WorldOptions options_of(std::uint32_t drain_timeout_s) {
    WorldOptions options = plain(2);
    options.server.drain_timeout_s = drain_timeout_s;
    options.server.slow_seconds = 60;
    return options;
  }

  // A publish of `token` to topic b, as it is on the wire.
  std::string post(const std::string& token) {
    Intent intent;
    intent.topic = "b";
    intent.data = token;
    world().note_topic("b");
    world().intents.emplace(token, intent);
    return "POST /publish?stream=b HTTP/1.1\r\nHost: h\r\nContent-Length: " +
           std::to_string(token.size()) + "\r\n\r\n" + token;
  }
  SocketRef connect() { return world().kernel.connect_to(0, 1); }
  // Shard 0 alone goes on, and then would sleep.
  void turn_one(int turns = 20) {
    for (int i = 0; i < turns; ++i) {
      world().turn(0);
      world().clock.advance_us(1000);
    }
  }
  [[nodiscard]] Sequence sequence_of(const std::string& token) {
    return world().intents.find(token)->second.sequence;
  }
  [[nodiscard]] std::uint64_t waits() { return world().state.metrics[0]->publish_waits.get(); }
  [[nodiscard]] std::uint64_t stale() { return world().state.metrics[0]->stale_answers.get(); }
  World& world() { return scenario_.world; }

  SimScenario scenario_;
};

std::string statuses(const std::string& answers) {
  std::string result;
  for (std::size_t at = 0; (at = answers.find("HTTP/1.1 ", at)) != std::string::npos; at += 9) {
    result += answers.substr(at + 9, 3) + " ";
  }
  return result;
}

TEST_F(SimPending, AnswersComeInTheOrderOfTheRequestsAndNothingPolls) {
  const SocketRef client = connect();
  world().kernel.write(*client, post("one") + "GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n" +
                                    post("two") + "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
  turn_one();
  EXPECT_EQ(waits(), 2U);
  EXPECT_EQ(client->to_client, "");
  EXPECT_GE(world().io(0).timeout_ms, 200U);
  scenario_.run(10);
  EXPECT_EQ(statuses(FakeKernel::read(*client, SIZE_MAX)), "204 404 204 200 ");
  EXPECT_LT(sequence_of("one"), sequence_of("two"));
  FakeKernel::close(*client);
  scenario_.finish();
}

TEST_F(SimPending, TheShardIsWoken) {
  const SocketRef client = connect();
  world().kernel.write(*client, post("one"));
  turn_one();
  const auto has_mail = [this] { return !world().state.mailboxes[0]->empty(); };
  world().io(0).while_waiting = [&] {
    for (int i = 0; i < 100 && !has_mail(); ++i) world().turn(1);
    EXPECT_TRUE(has_mail());
    EXPECT_TRUE(world().io(0).woken);
  };
  world().turn(0);
  world().io(0).while_waiting = nullptr;
  scenario_.run(10);
  EXPECT_EQ(statuses(FakeKernel::read(*client, SIZE_MAX)), "204 ");
  FakeKernel::close(*client);
  scenario_.finish();
}

TEST_F(SimPending, TheyAreOrderedAsTheyCame) {
  const SocketRef first = connect();
  world().kernel.write(*first, post("one"));
  turn_one();
  const SocketRef second = connect();
  world().kernel.write(*second, post("two"));
  turn_one();
  scenario_.run(10);
  EXPECT_LT(sequence_of("one"), sequence_of("two"));
  FakeKernel::close(*first);
  FakeKernel::close(*second);
  scenario_.finish();
}

TEST_F(SimPending, AClientHasABoundedNumberOfThem) {
  const SocketRef client = connect();
  std::string requests;
  std::string wanted;
  for (std::size_t i = 0; i < limits::kMaxPendingAnswers + 5; ++i) {
    requests += post("token-" + std::to_string(i));
    wanted += "204 ";
  }
  world().kernel.write(*client, requests);
  turn_one();
  EXPECT_EQ(waits(), limits::kMaxPendingAnswers);
  scenario_.run(10);
  EXPECT_EQ(statuses(FakeKernel::read(*client, SIZE_MAX)), wanted);
  FakeKernel::close(*client);
  scenario_.finish();
}

TEST_F(SimPending, WhoLeavesIsNotWaitedFor) {
  const std::uint32_t before = world().shard(0).connections().used();
  for (const bool resets : {false, true}) {
    const std::string token = resets ? "reset" : "closed";
    const SocketRef client = connect();
    world().kernel.write(*client, post(token));
    turn_one();
    if (resets) {
      world().kernel.reset(*client);
    } else {
      FakeKernel::close(*client);
    }
  }
  turn_one();
  // Who has shut down its side may await its answer.
  EXPECT_LE(world().shard(0).connections().used(), before + 1);
  scenario_.run(10);
  EXPECT_EQ(world().shard(0).connections().used(), before);
  EXPECT_NE(sequence_of("reset"), 0U);
  EXPECT_NE(sequence_of("closed"), 0U);
  EXPECT_GE(stale(), 1U);
  scenario_.finish();
}

TEST_F(SimPending, AStreamOpensBehindThem) {
  const std::uint64_t before = world().state.metrics[0]->streams_open.get();
  const SocketRef client = connect();
  world().kernel.write(*client,
                       post("before") + "GET /events?stream=b HTTP/1.1\r\nHost: h\r\n\r\n");
  turn_one();
  EXPECT_EQ(world().state.metrics[0]->streams_open.get(), before);
  scenario_.run(10);
  const std::string answers = FakeKernel::read(*client, SIZE_MAX);
  EXPECT_EQ(statuses(answers), "204 200 ");
  EXPECT_EQ(answers.find("data: before"), std::string::npos);  // it was published before
  EXPECT_EQ(world().state.metrics[0]->streams_open.get(), before + 1);
  FakeKernel::close(*client);
  scenario_.finish();
}

// What comes of it is said, also where that is a refusal.
TEST_F(SimPending, TheHubMayRefuseInTheEnd) {
  const SocketRef client = connect();
  world().kernel.write(*client,
                       "POST /publish?stream=b&id=5eed0001-7 HTTP/1.1\r\nHost: h\r\n"
                       "Content-Length: 1\r\n\r\nx");
  turn_one();
  EXPECT_EQ(waits(), 1U);
  scenario_.run(10);
  EXPECT_EQ(statuses(FakeKernel::read(*client, SIZE_MAX)), "400 ");
  FakeKernel::close(*client);
  scenario_.finish();
}

TEST_F(SimPending, ADrainWaitsForThem) {
  const SocketRef client = connect();
  world().kernel.write(*client, post("late"));
  turn_one();
  world().ending = true;
  world().state.phase = net::Phase::draining;
  turn_one(100);
  EXPECT_EQ(client->to_client, "");
  scenario_.run(2);
  EXPECT_EQ(statuses(FakeKernel::read(*client, SIZE_MAX)), "204 ");
  EXPECT_NE(sequence_of("late"), 0U);
  world().end(true);
}

// The kernel has no memory for what is owed in front; a timer asks again, whatever comes behind.
TEST_F(SimPending, ARefusalBehindThemLeavesTheTimerOfAStarvedSocket) {
  const SocketRef client = connect();
  world().kernel.options.starved_send = 100;
  world().kernel.write(*client, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n" + post("one"));
  turn_one(2);
  world().kernel.write(*client, "nonsense\r\n\r\n");
  turn_one(2);
  world().kernel.options.starved_send = 0;
  world().pass(500);
  EXPECT_EQ(statuses(FakeKernel::read(*client, SIZE_MAX)), "200 204 400 ");
  FakeKernel::close(*client);
  scenario_.finish();
}

// An answer in front of them filled the socket, and their client has read it: from then on it is
// the hub that is awaited, for as long as that takes.
TEST_F(SimPending, RoomInTheSocketGivesThemNoDeadline) {
  net::ServerOptions options = world().options();
  options.keep_alive_s = 1;
  options.request_timeout_s = 1;
  world().set_options(options);
  const SocketRef client = connect();
  client->capacity = 1024;
  world().kernel.write(*client, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n" + post("one"));
  turn_one();
  EXPECT_EQ(waits(), 1U);
  EXPECT_EQ(client->to_client.size(), client->capacity);
  std::string answers;
  for (int i = 0; i < 1000; ++i) {
    answers += FakeKernel::read(*client, SIZE_MAX);
    turn_one(1);
  }
  EXPECT_EQ(statuses(answers), "200 ");
  turn_one(3000);
  scenario_.run(10);
  answers += FakeKernel::read(*client, SIZE_MAX);
  EXPECT_EQ(statuses(answers), "200 204 ");
  FakeKernel::close(*client);
  scenario_.finish();
}

class SimPendingAtTheEnd : public SimPending {
 protected:
  SimPendingAtTheEnd() : SimPending(options_of(0)) {}
};

// Refused is nowhere, also when the shards catch up after all.
TEST_F(SimPendingAtTheEnd, WhatWasNotPublishedNeverWillBe) {
  const SocketRef client = connect();
  world().kernel.write(*client, post("never"));
  turn_one();
  world().ending = true;
  world().state.phase = net::Phase::draining;
  turn_one(5200);  // for so long it waits for the other shard to stop accepting
  EXPECT_EQ(statuses(client->to_client), "503 ");
  EXPECT_TRUE(client->server_finished);
  world().end(true);
  EXPECT_EQ(sequence_of("never"), 0U);
}

}  // namespace
}  // namespace tocsin::sim
