// Random worlds. Each seed draws its own options, faults and clients. See seeds.h.
#include <algorithm>
#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "net/log.h"
#include "proto/limits.h"
#include "tests/sim/world/seeds.h"
#include "tests/sim/world/sim_world.h"

namespace tocsin::sim {
namespace {

constexpr std::uint64_t kSeeds = 1000;
constexpr int kSteps = 250;

template <typename Value>
Value one_of(Random& random, std::initializer_list<Value> values) {
  return values.begin()[random.below(values.size())];
}

net::ServerOptions draw_server(Random& random) {
  net::ServerOptions options;
  options.slow_policy = random.chance(50) ? net::SlowPolicy::disconnect : net::SlowPolicy::latest;
  options.slow_bytes = one_of<std::uint64_t>(random, {4096, 16384, 1 << 20, 1 << 20});
  options.slow_seconds = one_of(random, {1U, 2U, 4U});
  options.history_count = one_of(random, {0U, 3U, 50U, 1000U, 1000U});
  options.history_age_s = one_of(random, {0U, 2U, 300U});
  options.history_bytes = one_of<std::uint64_t>(random, {1024, 1 << 20, 1 << 20});
  options.history_total_bytes = one_of<std::uint64_t>(random, {64 << 10, 512 << 10, 256 << 20});
  options.auto_topics = random.chance(90);
  options.topics = {"t0", "t1"};
  options.topic_idle_s = one_of(random, {1U, 60U});
  options.heartbeat_s = one_of(random, {0U, 1U, 3U});
  options.retry_ms = 100;
  options.max_connections = one_of(random, {4U, 1000U, 1000U, 1000U});
  options.max_per_address = one_of(random, {0U, 0U, 0U, 2U});
  options.accept_rate = one_of(random, {0U, 0U, 0U, 5U});
  options.open_rate_per_address = one_of(random, {0U, 0U, 1U});
  options.max_stream_age_s = one_of(random, {0U, 0U, 0U, 3U});
  options.request_timeout_s = one_of(random, {2U, 3U});
  options.keep_alive_s = one_of(random, {4U, 6U});
  options.drain_timeout_s = one_of(random, {0U, 1U, 3U});
  if (random.chance(8)) {
    options.slow_bytes = 4096;
    options.history_count = 1000;
    options.history_bytes = 1 << 20;
    options.history_total_bytes = 256 << 20;
  }
  return options;
}

// Publishers may bring more than shards that are not turned for a while may be behind: nobody is
// promised to keep up with that, and none of it is dropped before the model has seen it.
bool is_for_floods(const net::ServerOptions& options) {
  return options.slow_bytes < 256 << 10 && options.history_count >= 50 &&
         options.history_bytes >= 1 << 20 && options.history_total_bytes >= 256 << 20;
}

KernelOptions draw_kernel(Random& random) {
  KernelOptions options;
  options.least_capacity = one_of<std::size_t>(random, {48, 300, 4000});
  options.most_capacity = options.least_capacity * one_of<std::size_t>(random, {1, 4, 50});
  options.late = one_of(random, {0U, 20U, 50U});
  options.short_send = one_of(random, {0U, 10U, 60U});
  options.full_send = one_of(random, {0U, 0U, 10U});
  options.starved_send = one_of(random, {0U, 0U, 3U});
  options.starved_receive = one_of(random, {0U, 0U, 10U});
  options.small_receive = one_of(random, {0U, 50U, 90U});
  options.stale = one_of(random, {0U, 20U});
  options.failed_accept = one_of(random, {0U, 0U, 5U});
  options.descriptors = one_of(random, {4096, 4096, 4096, 10});
  return options;
}

std::vector<std::string> draw_topics(Random& random, std::size_t most) {
  std::vector<std::string> topics;
  for (std::uint64_t n = random.between(1, most); n > 0; --n) {
    topics.push_back("t" + std::to_string(random.below(5)));
  }
  return topics;
}

void populate(World& world) {
  Random& random = world.random;
  const Pace paces[] = {Pace::fast, Pace::fast, Pace::slow, Pace::never};
  for (std::uint64_t n = random.between(1, 12); n > 0; --n) {
    SimSubscriber::Plan plan;
    plan.topics = draw_topics(random, random.chance(50) ? 1 : 5);
    plan.pace = random.pick(paces);
    plan.never_reads_again = random.chance(30);
    plan.http_1_0 = random.chance(20);
    if (random.chance(30)) plan.framing = proto::Framing::close;
    if (random.chance(30)) plan.framing = proto::Framing::chunked;
    plan.requests_before = random.chance(15) ? static_cast<unsigned>(random.between(1, 20)) : 0;
    plan.leaves = one_of(random, {0U, 5U, 50U});
    plan.address = random.between(1, 4);
    if (random.chance(15)) plan.start.kind = Start::Kind::earliest;
    if (random.chance(10)) plan.start = {.kind = Start::Kind::after_id, .id = "5eed0001-999999"};
    world.add<SimSubscriber>(std::move(plan));
  }
  for (std::uint64_t n = random.between(1, 4); n > 0; --n) {
    SimPublisher::Plan plan;
    plan.topics = draw_topics(random, 4);
    plan.depth = one_of<std::size_t>(random, {1, 1, 4, 12});
    plan.most_data = one_of<std::size_t>(random, {20, 60, 400});
    // Frames whose rest is not copied; not so many at once that the hub's memory is too small.
    if (plan.depth == 1 && world.options().history_total_bytes > 64 << 10 && random.chance(30)) {
      plan.most_data = 20'000;
    }
    if (is_for_floods(world.options()) && random.chance(80)) {
      plan.depth = 12;
      plan.most_data = 60'000;
    }
    plan.nonsense = one_of(random, {0U, 10U, 40U});
    plan.keyed = one_of(random, {0U, 30U});
    plan.in_pieces = random.chance(25);
    plan.pace = random.chance(80) ? Pace::fast : Pace::slow;
    plan.leaves = one_of(random, {0U, 10U});
    plan.idle = one_of(random, {20U, 60U, 90U});
    world.add<SimPublisher>(std::move(plan));
  }
  constexpr Nuisance::Kind kKinds[] = {Nuisance::Kind::silent, Nuisance::Kind::garbage,
                                       Nuisance::Kind::slow_head, Nuisance::Kind::deaf};
  for (std::uint64_t n = random.below(3); n > 0; --n) world.add<Nuisance>(random.pick(kKinds));
}

// In how many worlds something happened: a state that is never entered proves nothing.
struct Tally {
  std::uint64_t lost_track = 0;  // by the model: the world says nothing
  std::uint64_t waited = 0;      // publishes for the shards
  std::uint64_t late = 0;        // stores
  // Of those of a late store:
  std::uint64_t several_pending = 0;  // publishes at once
  std::uint64_t committed = 0;
  std::uint64_t refused = 0;
  std::uint64_t unknown = 0;
  std::uint64_t stale_answers = 0;
  std::uint64_t stale_batches = 0;
  std::uint64_t left = 0;  // clients that did not stay for their answer
  // Of those whose store gives back what it keeps:
  std::uint64_t past = 0;
  std::uint64_t replayed = 0;
  std::uint64_t shared = 0;      // pages
  std::uint64_t unreadable = 0;

  void count(const World& world, std::uint64_t most_pending) {
    const net::StoreMetrics& store = world.state.hub.store_metrics();
    waited += world.sum([](const auto& m) { return m.publish_waits.get(); }) > 0 ? 1 : 0;
    late += world.has_late_store() ? 1 : 0;
    past += world.has_past() ? 1 : 0;
    replayed += world.sum([](const auto& m) { return m.past_deliveries.get(); }) > 0 ? 1 : 0;
    shared += world.state.past.metrics().pages_shared.get() > 0 ? 1 : 0;
    unreadable += world.state.past.metrics().failures.get() > 0 ? 1 : 0;
    several_pending += most_pending > 1 ? 1 : 0;
    committed += store.answers[0].get() > 0 ? 1 : 0;
    refused += store.answers[1].get() > 0 ? 1 : 0;
    unknown += store.answers[2].get() > 0 ? 1 : 0;
    stale_answers += store.stale_answers.get() > 0 ? 1 : 0;
    stale_batches += store.stale_batches.get() > 0 ? 1 : 0;
    left += world.sum([](const auto& m) { return m.stale_answers.get(); }) > 0 ? 1 : 0;
  }
};

// Empty, or what went wrong.
std::string run_world(std::uint64_t seed, Tally& tally) {
  Random random(seed);
  WorldOptions options;
  options.shards = random.between(1, 3);
  options.late_store = random.chance(60);
  options.past = options.late_store && random.chance(60);
  options.server = draw_server(random);
  if (options.past && random.chance(70)) {  // who comes back has missed more than memory has
    options.server.slow_bytes = 300;
    options.server.history_count = 3;
  }
  options.kernel = draw_kernel(random);
  World world(random.below(UINT64_MAX), options);
  populate(world);
  const bool reconfigures = random.chance(20);
  std::uint64_t most_pending = 0;
  for (int i = 0; i < kSteps && !world.failed(); ++i) {
    world.step();
    most_pending = std::max(most_pending, world.state.hub.store_metrics().pending.get());
    if (!reconfigures || i % 80 != 79) continue;
    net::ServerOptions next = draw_server(random);
    next.slow_policy = options.server.slow_policy;  // clients judge by it
    next.slow_bytes = options.server.slow_bytes;
    world.set_options(next);
  }
  // What a late store will never answer is given up after its time.
  const std::uint64_t patience_ms = world.has_late_store() ? limits::kMaxStoreAnswerMs : 0;
  if (!world.failed()) world.go_quiet(std::max<std::uint64_t>(12'000, patience_ms + 5000));
  if (!world.failed()) world.finish();
  if (!world.failed()) world.end(random.chance(50));
  tally.count(world, most_pending);
  if (world.lost_track) {
    ++tally.lost_track;
    return "";
  }
  return world.failure();
}

TEST(Sim, RandomWorldsKeepTheirPromises) {
  net::log::set_level(net::LogLevel::error);
  Tally tally;
  const std::uint64_t count =
      over_seeds(kSeeds, [&](std::uint64_t seed) { return run_world(seed, tally); });
  // Of floods into little memory: 2 in 100.
  EXPECT_LE(tally.lost_track * 25, count + 50) << "worlds that said nothing";
  if (count < 100) return;
  EXPECT_GT(tally.late, count / 3);
  EXPECT_GT(tally.several_pending, tally.late / 2);
  EXPECT_GT(tally.committed, tally.late / 2);
  EXPECT_GT(tally.refused, tally.late / 4);
  EXPECT_GT(tally.unknown, tally.late / 4);
  EXPECT_GT(tally.stale_answers, tally.late / 10);
  EXPECT_GT(tally.stale_batches, tally.late / 4);
  EXPECT_GT(tally.left, count / 50);
  EXPECT_GT(tally.waited, count / 50);
  EXPECT_GT(tally.replayed, tally.past / 15);
  EXPECT_GT(tally.shared, tally.past / 60);
  EXPECT_GT(tally.unreadable, tally.past / 60);
}

}  // namespace
}  // namespace tocsin::sim
