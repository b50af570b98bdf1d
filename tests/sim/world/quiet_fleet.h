// Thousands of silent streams on shards that nothing but the clock moves: what they are sent, and
// when. Every figure is exact.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "net/log.h"
#include "net/shard/shard.h"
#include "net/state/server_state.h"
#include "tests/sim/world/fake_kernel.h"

namespace tocsin::sim {

inline constexpr std::uint32_t kIntervalS = 15;
inline constexpr std::uint64_t kIntervalMs = kIntervalS * 1000;
// How far apart looks at the table are: the resolution of everything below.
inline constexpr std::uint64_t kStepMs = 250;
// Has six steps, and not a seventh because the first was a millisecond late.
inline constexpr std::uint64_t kTenthMs = kIntervalMs / 10 - 50;

// Clients that ask for a stream and then take every byte at once; when each was sent something.
class QuietIo final : public net::Io {
 public:
  // `fields`: of each request's query and header.
  QuietIo(const FakeClock& clock, std::string_view query, std::string_view fields)
      : clock_(clock),
        request_(fmt::format("GET /events{} HTTP/1.1\r\nHost: h\r\n{}\r\n", query, fields)) {}

  void connect(std::size_t count) { waiting_ += count; }
  // Of one client: when it was sent something, and what. Only the first is noted down.
  [[nodiscard]] const std::vector<std::pair<std::uint64_t, std::string>>& first_client() const {
    return first_client_;
  }
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
    // Nobody writes to it: these hubs are open.
    const std::span<char> bytes(const_cast<char*>(request_.data()), request_.size());
    ready_.push_back({.token = token, .result = static_cast<int>(bytes.size()), .data = bytes});
  }
  void watch(int, net::Token) override {}
  void send(std::span<net::SendRequest> requests) override {
    for (net::SendRequest& request : requests) {
      request.result = static_cast<std::int64_t>(request.bytes);
      Client& client = clients_[static_cast<std::size_t>(request.fd)];
      client.longest_ms = std::max(client.longest_ms, clock_.now_ms() - client.last_ms);
      client.last_ms = clock_.now_ms();
      if (request.fd != 0) continue;
      std::string bytes;
      for (const iovec& piece : request.pieces) {
        bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
      }
      first_client_.emplace_back(clock_.now_ms(), std::move(bytes));
    }
  }
  void send_last(int, std::string_view) override {}
  std::int64_t receive_now(int, std::span<char>) override { return -EAGAIN; }
  bool has_unread(int) override { return false; }
  void limit_receive_buffer(int, std::uint32_t) override {}
  net::IpAddress peer_ip(int) override { return {}; }
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

  const FakeClock& clock_;
  const std::string request_;
  std::vector<std::pair<std::uint64_t, std::string>> first_client_;
  net::Token accepting_;
  std::size_t waiting_ = 0;
  std::vector<net::Completion> ready_;
  std::vector<Client> clients_;  // by descriptor
};

// Shards that are turned when they ask for it.
class QuietFleet {
 public:
  explicit QuietFleet(std::size_t shards, std::uint32_t interval_s = kIntervalS,
                 std::string_view query = {}, std::string_view fields = {},
                 std::uint32_t max_age_s = 0)
      : state_(1, shards, options(interval_s, max_age_s)) {
    net::log::set_level(net::LogLevel::error);
    state_.phase = net::Phase::running;
    for (std::size_t i = 0; i < shards; ++i) {
      ios_.push_back(std::make_unique<QuietIo>(clock_, query, fields));
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
    const auto published = state_.hub.with([&](core::Hub& hub) {
      return hub.publish({&event, 1}, now());
    });
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
  [[nodiscard]] double worst_tenth(std::uint64_t from, std::uint64_t tenth_ms = kTenthMs) const {
    std::uint64_t most = 0;
    for (const Beats& b : beats_) {
      if (b.at_ms >= from) most = std::max(most, beats(b.at_ms, b.at_ms + tenth_ms));
    }
    return 10.0 * static_cast<double>(most) / static_cast<double>(streams_);
  }
  [[nodiscard]] std::uint64_t open_streams() const {
    std::uint64_t open = 0;
    for (const auto& metrics : state_.metrics) open += metrics->streams_open.get();
    return open;
  }
  [[nodiscard]] const auto& first_client() const { return ios_.front()->first_client(); }
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

  static net::ServerOptions options(std::uint32_t interval_s, std::uint32_t max_age_s) {
    net::ServerOptions options;
    options.heartbeat_s = interval_s;
    options.max_stream_age_s = max_age_s;
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

}  // namespace tocsin::sim
