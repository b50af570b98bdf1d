// Heartbeats of thousands of streams: when they go out, and that they never go out together. Only
// the clock decides, so every figure here is exact.
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "net/log.h"
#include "net/server_state.h"
#include "net/shard.h"
#include "tests/sim/fake_kernel.h"

namespace tocsin::sim {
namespace {

constexpr std::uint32_t kIntervalS = 15;
constexpr std::uint64_t kIntervalMs = kIntervalS * 1000;
// How far apart looks at the table are: the resolution of everything below.
constexpr std::uint64_t kStepMs = 250;
// Has six steps, and not a seventh because the first was a millisecond late.
constexpr std::uint64_t kTenthMs = kIntervalMs / 10 - 50;

// Clients that ask for a stream and then take every byte at once; when each was sent something.
class QuietIo final : public net::Io {
 public:
  explicit QuietIo(const FakeClock& clock) : clock_(clock) {}

  void connect(std::size_t count) { waiting_ += count; }
  [[nodiscard]] std::uint64_t longest_silence() const {
    std::uint64_t longest = 0;
    for (const Client& client : clients_) {
      longest = std::max({longest, client.longest_ms, clock_.now_ms() - client.last_ms});
    }
    return longest;
  }

  void accept(int, net::Token token) override { accepting_ = token; }
  void cancel_accept(int) override {
    ready_.push_back({.token = accepting_, .result = -ECANCELED, .data = {}});
  }
  bool refuse(int, std::string_view) override { return false; }
  void receive(int, net::Token token) override {
    ready_.push_back(
        {.token = token, .result = static_cast<int>(kRequest.size()), .data = kRequest});
  }
  void watch(int, net::Token) override {}
  void send(std::span<net::SendRequest> requests) override {
    for (net::SendRequest& request : requests) {
      request.result = static_cast<std::int64_t>(request.bytes);
      Client& client = clients_[static_cast<std::size_t>(request.fd)];
      client.longest_ms = std::max(client.longest_ms, clock_.now_ms() - client.last_ms);
      client.last_ms = clock_.now_ms();
    }
  }
  void send_last(int, std::string_view) override {}
  std::int64_t receive_now(int, std::span<char>) override { return -EAGAIN; }
  bool has_unread(int) override { return false; }
  void limit_receive_buffer(int, std::uint32_t) override {}
  std::uint64_t peer_key(int) override { return 1; }
  bool is_among_last(int) override { return false; }
  void shut_down_sending(int) override {}
  void shut_down(int, bool) override {}
  void close(int) override {}
  void wait(std::uint32_t wanted_ms, std::vector<net::Completion>& completions) override {
    timeout_ms = wanted_ms;
    for (; waiting_ > 0; --waiting_) {
      const auto fd = static_cast<int>(clients_.size());
      completions.push_back({.token = accepting_, .result = fd, .data = {}});
      clients_.push_back({.last_ms = clock_.now_ms()});
    }
    completions.insert(completions.end(), ready_.begin(), ready_.end());
    ready_.clear();
  }
  void wake() override {}
  [[nodiscard]] std::string_view name() const override { return "quiet"; }

  std::uint32_t timeout_ms = 0;  // of the last wait()

 private:
  struct Client {
    std::uint64_t last_ms = 0;
    std::uint64_t longest_ms = 0;
  };
  static constexpr std::string_view kRequest = "GET /events HTTP/1.1\r\nHost: h\r\n\r\n";

  const FakeClock& clock_;
  net::Token accepting_;
  std::size_t waiting_ = 0;
  std::vector<net::Completion> ready_;
  std::vector<Client> clients_;  // by descriptor
};

// Shards that are turned when they ask for it.
class Fleet {
 public:
  explicit Fleet(std::size_t shards, std::uint32_t interval_s = kIntervalS)
      : state_(1, shards, options(interval_s)) {
    net::log::set_level(net::LogLevel::error);
    state_.phase = net::Phase::running;
    for (std::size_t i = 0; i < shards; ++i) {
      ios_.push_back(std::make_unique<QuietIo>(clock_));
      shards_.push_back(std::make_unique<net::Shard>(static_cast<core::ShardId>(i), state_,
                                                     *ios_[i], clock_, std::vector<int>{0}, i));
      shards_[i]->start_accepting();
    }
  }

  // `count` streams, evenly over `ms`.
  void open(std::size_t count, std::uint64_t ms) {
    const std::uint64_t begin = now();
    for (const std::size_t before = streams_; streams_ < before + count; step(10)) {
      const std::size_t due = before + count * std::min(now() - begin + 1, ms) / ms;
      for (; streams_ < due; ++streams_) ios_[streams_ % ios_.size()]->connect(1);
    }
  }
  void run(std::uint64_t ms) {
    for (const std::uint64_t until = now() + ms; now() < until;) step(until - now());
  }
  void broadcast() {
    const core::NewEvent event{.topic = proto::kDefaultTopic, .id = {}, .body = "data: x\n"};
    const auto published =
        state_.hub.with([&](core::Hub& hub) { return hub.publish({&event, 1}, now()); });
    ASSERT_TRUE(published.has_value());
    state_.hub.wake(published->wake);
  }

  [[nodiscard]] std::uint64_t now() const { return clock_.now_ms(); }
  [[nodiscard]] std::size_t streams() const { return streams_; }
  // Heartbeats sent from a time on, before another.
  [[nodiscard]] std::uint64_t beats(std::uint64_t from, std::uint64_t to) const {
    std::uint64_t count = 0;
    for (const Beats& b : beats_) count += b.at_ms >= from && b.at_ms < to ? b.count : 0;
    return count;
  }
  // The most in any tenth of the interval from a time on, in parts of what an even spread has.
  [[nodiscard]] double worst_tenth(std::uint64_t from) const {
    std::uint64_t most = 0;
    for (const Beats& b : beats_) {
      if (b.at_ms >= from) most = std::max(most, beats(b.at_ms, b.at_ms + kTenthMs));
    }
    return 10.0 * static_cast<double>(most) / static_cast<double>(streams_);
  }
  // Of any client so far.
  [[nodiscard]] std::uint64_t longest_silence() const {
    std::uint64_t longest = 0;
    for (const auto& io : ios_) longest = std::max(longest, io->longest_silence());
    return longest;
  }

 private:
  struct Beats {
    std::uint64_t at_ms;
    std::uint64_t count;
  };

  static net::ServerOptions options(std::uint32_t interval_s) {
    net::ServerOptions options;
    options.heartbeat_s = interval_s;
    return options;
  }

  // A turn of every shard, then the time until one of them wants another, at most `most_ms`.
  void step(std::uint64_t most_ms) {
    bool more = false;
    std::uint64_t next = now() + most_ms;
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      more |= shards_[i]->turn();
      // A shard asks at the end of a turn, and a turn here begins with that.
      next = std::min(next, last_turn_ms_ + ios_[i]->timeout_ms);
    }
    last_turn_ms_ = now();
    std::uint64_t total = 0;
    for (const auto& metrics : state_.metrics) total += metrics->heartbeats.get();
    if (total > counted_) beats_.push_back({now(), total - std::exchange(counted_, total)});
    if (!more) clock_.advance_us((std::max(next, now() + 1) - now()) * 1000);
  }

  FakeClock clock_;
  net::ServerState state_;
  std::vector<std::unique_ptr<QuietIo>> ios_;
  std::vector<std::unique_ptr<net::Shard>> shards_;
  std::size_t streams_ = 0;
  std::vector<Beats> beats_;
  std::uint64_t counted_ = 0;
  std::uint64_t last_turn_ms_ = 0;
};

constexpr std::size_t kStreams = 20'000;
constexpr std::uint64_t kLatestMs = kIntervalMs * 5 / 4 + kStepMs;

// Half of the streams must wait for at least three quarters of the interval, and all may wait for
// five quarters: an even spread over that half is twice as dense as one over all of it.
constexpr double kDense = 2.1;
constexpr double kEven = 1.1;

void expect_even_from_now_on(Fleet& fleet) {
  const std::uint64_t begin = fleet.now();
  fleet.run(6 * kIntervalMs);
  EXPECT_LE(fleet.worst_tenth(begin), kDense);
  EXPECT_LE(fleet.worst_tenth(begin + kIntervalMs * 3 / 2), kEven);
  const auto streams = static_cast<double>(fleet.streams());
  EXPECT_NEAR(static_cast<double>(fleet.beats(begin + 2 * kIntervalMs, begin + 6 * kIntervalMs)),
              4 * streams, streams / 50)
      << "one per interval on average";
  EXPECT_LE(fleet.longest_silence(), kLatestMs);
}

TEST(SimHeartbeat, AreSpreadAfterARampOfAnySpeed) {
  for (const std::uint64_t ms : {std::uint64_t{200}, std::uint64_t{2000}, kIntervalMs / 4,
                                 kIntervalMs, 2 * kIntervalMs + 77}) {
    SCOPED_TRACE(ms);
    Fleet fleet(2);
    fleet.open(kStreams, ms);
    fleet.run(100);
    EXPECT_LE(fleet.worst_tenth(0), kDense);
    expect_even_from_now_on(fleet);
  }
}

TEST(SimHeartbeat, AreSpreadAfterABroadcast) {
  Random random(1);
  Fleet fleet(2);
  fleet.open(kStreams, 2000);
  for (int i = 0; i < 3; ++i) {
    fleet.run(kIntervalMs + random.below(kIntervalMs));
    const std::uint64_t before = fleet.now();
    fleet.broadcast();
    fleet.run(kIntervalMs * 3 / 4 - 2 * kStepMs);
    EXPECT_EQ(fleet.beats(before + 1, fleet.now()), 0U) << "not before three quarters";
    expect_even_from_now_on(fleet);
  }
}

// However broadcasts come, nobody waits too long and nothing comes at once.
TEST(SimHeartbeat, AreSpreadBetweenBroadcasts) {
  Random random(1);
  Fleet fleet(2);
  fleet.open(5000, 1000);
  for (int i = 0; i < 60; ++i) {
    fleet.run(1 + random.below(kIntervalMs * 3));
    fleet.broadcast();
  }
  EXPECT_LE(fleet.worst_tenth(0), kDense);
  EXPECT_LE(fleet.longest_silence(), kLatestMs);
}

// Who gets events more often than that needs no comments.
TEST(SimHeartbeat, AreNotSentBetweenFrequentEvents) {
  Fleet fleet(2);
  fleet.open(1000, 100);
  for (int i = 0; i < 50; ++i) {
    fleet.broadcast();
    fleet.run(kIntervalMs * 7 / 10);
  }
  EXPECT_EQ(fleet.beats(0, fleet.now()), 0U);
}

TEST(SimHeartbeat, AreOnePerIntervalWhateverItIs) {
  for (const std::uint32_t interval_s : {1U, 2U, 3U, 7U, 100U}) {
    SCOPED_TRACE(interval_s);
    const std::uint64_t interval_ms = std::uint64_t{interval_s} * 1000;
    Fleet fleet(1, interval_s);
    fleet.open(300, interval_ms / 2);
    fleet.run(interval_ms / 3);
    fleet.broadcast();
    const std::uint64_t begin = fleet.now() + 2 * interval_ms;
    fleet.run(6 * interval_ms);
    EXPECT_NEAR(static_cast<double>(fleet.beats(begin, begin + 4 * interval_ms)), 4 * 300, 12);
    EXPECT_LE(fleet.longest_silence(), interval_ms * 5 / 4 + kStepMs);
  }
}

// Many shards with a few streams each, in the same slots of their tables.
TEST(SimHeartbeat, OfManyShardsDoNotMeet) {
  Fleet fleet(50);
  fleet.open(500, 100);
  fleet.run(2 * kIntervalMs);
  const std::uint64_t begin = fleet.now();
  fleet.run(4 * kIntervalMs);
  EXPECT_LE(fleet.worst_tenth(begin), 1.5);
  EXPECT_LE(fleet.longest_silence(), kLatestMs);
}

}  // namespace
}  // namespace tocsin::sim
