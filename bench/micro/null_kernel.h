// A kernel that takes every byte at once and never says anything by itself: what is left of a
// shard's turn is the hub's own work. Subscribers and publishers are descriptors that hand out
// prepared requests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/base/clock.h"
#include "net/io/io.h"
#include "net/shard/shard.h"
#include "net/state/server_state.h"
#include "proto/http/framing.h"

namespace tocsin::bench {

class NullIo final : public net::Io {
 public:
  // The next `count` accepts give connections, each of which sends `request`, which outlives the
  // answer.
  void connect(std::size_t count, std::string_view request);
  // Another request on a connection whose last one was answered. `request` outlives the answer.
  void ask(int fd, std::string_view request);

  [[nodiscard]] int last_fd() const { return next_fd_ - 1; }
  [[nodiscard]] std::uint64_t sends() const { return sends_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

  void accept(int listener, net::Token token) override;
  void cancel_accept(int listener) override;
  bool refuse(int listener, std::string_view bytes) override;
  void receive(int fd, net::Token token) override;
  void watch(int fd, net::Token token) override;
  void send(std::span<net::SendRequest> requests) override;
  void send_last(int, std::string_view) override {}
  std::int64_t receive_now(int fd, std::span<char> buffer) override;
  bool has_unread(int) override { return false; }
  void limit_receive_buffer(int fd, std::uint32_t bytes) override;
  net::IpAddress peer_ip(int fd) override;
  bool is_among_last(int) override { return false; }
  void shut_down_sending(int fd) override;
  void shut_down(int fd, bool reset) override;
  void close(int fd) override;
  void wait(std::uint32_t timeout_ms, std::vector<net::Completion>& completions) override;
  void wake() override {}
  [[nodiscard]] std::string_view name() const override { return "null"; }

 private:
  static constexpr std::size_t kAcceptsATurn = 1000;  // well below a shard's bound for requests

  struct Waiting {
    std::size_t count;
    std::string_view request;
  };

  net::Token accepting_;
  std::deque<Waiting> waiting_;
  std::deque<std::string_view> requests_;  // of those that were accepted and not read yet, in turn
  std::vector<net::Token> receiving_;  // by descriptor; Op::none: not armed
  std::deque<net::Completion> ready_;
  int next_fd_ = 1;
  std::uint64_t sends_ = 0;
  std::uint64_t bytes_ = 0;
};

// A shard on a NullIo with `subscribers` streams of one topic, turned by hand in one thread.
class NullShard {
 public:
  // Exits the process with a message if the streams cannot be opened.
  explicit NullShard(std::size_t subscribers, proto::Framing framing = proto::Framing::chunked);
  ~NullShard();
  NullShard(const NullShard&) = delete;
  NullShard& operator=(const NullShard&) = delete;

  // One event through the hub alone; deliver() brings it to every stream.
  void publish(std::string_view body);
  // Turns until all streams have what was published. False: they do not get it.
  [[nodiscard]] bool deliver();
  // A POST of one event through a connection of its own: answered, and delivered to all streams.
  [[nodiscard]] bool post(std::string_view request);
  // Opens one more stream, of `topic`.
  void subscribe(std::string_view topic);
  // POSTs that came together, of `events` events to topics of one subscriber each. False: not all
  // were delivered.
  [[nodiscard]] bool post_to_topics(std::string_view requests, std::size_t events);

  [[nodiscard]] NullIo& io() { return io_; }
  [[nodiscard]] std::size_t subscribers() const { return subscribers_; }

 private:
  bool turn_until_sends(std::uint64_t sends);

  static constexpr std::uint64_t kMostTurns = 1'000'000;

  std::size_t subscribers_;
  net::ServerState state_;
  net::SteadyClock clock_;
  NullIo io_;
  net::Shard shard_;
  int publisher_ = -1;
  std::uint64_t expected_ = 0;  // sends
};

}  // namespace tocsin::bench
