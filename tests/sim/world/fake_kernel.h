// A seeded kernel for shards that are turned by hand in one thread: TCP-like sockets with all that
// can go wrong with them, and a check that its user keeps the rules of net/io/io.h.
//
// What it makes happen, by KernelOptions: short sends, full buffers, ENOBUFS and ENOMEM, resets,
// half-closed and closed peers; accepts that fail; completions that come late, in any order, or
// from requests long gone; receives without a buffer and bytes in pieces cut anywhere. Descriptors
// are private to a shard and reused at once, the lowest first.
//
// What it fails the test for: a request for a descriptor that is closed or of another kind, two
// receives or hangups armed for one, close() of an armed one, a send whose length is not the sum of
// its pieces. Pieces are copied during the call, so that a sanitizer sees memory that is gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/base/clock.h"
#include "net/io/io.h"
#include "tests/sim/world/random.h"

namespace tocsin::sim {

// Settable; with `step_us` every look at it takes that long.
class FakeClock final : public net::Clock {
 public:
  [[nodiscard]] std::uint64_t now_us() const override { return now_us_ += step_us; }
  [[nodiscard]] std::int64_t unix_s() const override {
    return 1'800'000'000 + static_cast<std::int64_t>(now_us_ / 1'000'000);
  }
  [[nodiscard]] std::uint64_t now_ms() const { return now_us_ / 1000; }
  void advance_us(std::uint64_t us) { now_us_ += us; }

  std::uint64_t step_us = 0;

 private:
  mutable std::uint64_t now_us_ = 5'000'000;
};

// Percentages of the calls or completions that go wrong.
struct KernelOptions {
  std::size_t least_capacity = 1 << 20;  // bytes of a socket's send buffer, drawn per connection
  std::size_t most_capacity = 1 << 20;
  unsigned late = 0;             // what is due is held back for this wait
  unsigned short_send = 0;       // less is taken than there is room for
  unsigned full_send = 0;        // nothing is taken although there is room
  unsigned starved_send = 0;     // ENOBUFS, ENOMEM
  unsigned starved_receive = 0;  // ENOBUFS
  unsigned small_receive = 0;    // a part of what is there
  unsigned stale = 0;            // a completion of a request long gone
  unsigned failed_accept = 0;
  int descriptors = 4096;  // of a shard; at the limit accepting fails with EMFILE
};

// One TCP connection, both ends. The client's end is used by way of FakeKernel.
struct Socket {
  std::uint64_t address = 0;  // of the client, the last part of 192.0.2.0/24; 0: not known
  std::string to_server;
  std::string to_client;
  std::size_t capacity = 0;      // of to_client
  bool client_finished = false;  // the client sends no more
  bool client_gone = false;      // and reads no more: what is sent to it is answered by a reset
  bool client_reset = false;
  bool server_finished = false;
  bool server_reset = false;

  // The server's end.
  int fd = -1;  // -1: waiting to be accepted, or closed
  std::size_t shard = 0;
  bool accepted = false;
  bool shut_down = false;
  std::optional<net::Token> receive;
  std::optional<net::Token> hangup;
  std::optional<net::Token> writable;
  std::optional<net::Token> completed;  // the last of these that did
  std::deque<std::int64_t> script;      // what the next sends take at most, or their negative errno
  std::uint64_t sends = 0;
};

using SocketRef = std::shared_ptr<Socket>;

class FakeKernel {
 public:
  FakeKernel(Random& random, std::size_t shards) : random_(random), tables_(shards) {}

  // --- the clients' calls

  // Where nobody accepts it waits. Nothing: nobody listens.
  [[nodiscard]] SocketRef connect(std::uint64_t address);
  [[nodiscard]] SocketRef connect_to(std::size_t shard, std::uint64_t address);
  void write(Socket& socket, std::string_view bytes);
  [[nodiscard]] static std::string read(Socket& socket, std::size_t most);
  static void finish(Socket& socket) { socket.client_finished = true; }
  void reset(Socket& socket);
  static void close(Socket& socket);
  // Nothing more will be read.
  [[nodiscard]] static bool at_end(const Socket& socket) {
    return socket.to_client.empty() && (socket.server_finished || socket.server_reset);
  }

  // --- what the world sees

  [[nodiscard]] int listen(std::size_t shard);
  // As a process that ends does: who waits in them is reset.
  void close_listeners();
  [[nodiscard]] bool due(std::size_t shard) const;
  [[nodiscard]] std::size_t open_descriptors() const;
  [[nodiscard]] const std::vector<std::string>& failures() const { return failures_; }
  void fail(std::string what) { failures_.push_back(std::move(what)); }

  // Every socket's send buffer has at least this from now on.
  void widen(std::size_t capacity);

  struct Counts {
    std::uint64_t accepts = 0;   // Io::accept
    std::uint64_t refusals = 0;  // Io::refuse that found somebody
    std::uint64_t stale = 0;     // stale completions handed out
    std::uint64_t sends = 0;
    std::uint64_t starved_sends = 0;
  };
  Counts counts;
  KernelOptions options;

 private:
  friend class FakeIo;

  struct Listener {
    std::optional<net::Token> accept;
    std::deque<SocketRef> backlog;
    bool cancelled = false;  // the accept
  };
  struct Descriptor {  // one of the two, or free
    SocketRef socket;
    std::unique_ptr<Listener> listener;
  };
  struct Table {
    std::vector<Descriptor> descriptors;
    std::vector<net::Token> dead;  // of requests of connections that are closed
  };

  int allocate(Table& table);
  [[nodiscard]] bool full(const Table& table) const;
  static bool receive_due(const Socket& socket);
  static bool hangup_due(const Socket& socket);
  static bool writable_due(const Socket& socket);

  Random& random_;
  std::vector<Table> tables_;
  std::vector<std::string> failures_;
};

// One shard's view of it.
class FakeIo final : public net::Io {
 public:
  FakeIo(FakeKernel& kernel, std::size_t shard, Random& random)
      : kernel_(kernel), shard_(shard), random_(random) {}

  void accept(int listener, net::Token token) override;
  void cancel_accept(int listener) override;
  bool refuse(int listener, std::string_view bytes) override;
  void receive(int fd, net::Token token) override;
  void watch(int fd, net::Token token) override;
  void send(std::span<net::SendRequest> requests) override;
  void send_last(int fd, std::string_view bytes) override;
  std::int64_t receive_now(int fd, std::span<char> buffer) override;
  bool has_unread(int fd) override;
  void limit_receive_buffer(int fd, std::uint32_t bytes) override;
  net::IpAddress peer_ip(int fd) override;
  bool is_among_last(int fd) override;
  void shut_down_sending(int fd) override;
  void shut_down(int fd, bool reset) override;
  void close(int fd) override;
  // Never blocks: what is due now, or nothing.
  void wait(std::uint32_t timeout_ms, std::vector<net::Completion>& completions) override;
  void wake() override { woken = true; }
  [[nodiscard]] std::string_view name() const override { return "fake"; }

  // Called while a wait with a timeout lasts: what other shards do meanwhile.
  std::function<void()> while_waiting;
  bool woken = false;
  std::uint32_t timeout_ms = 0;  // of the last wait()

 private:
  FakeKernel::Table& table() { return kernel_.tables_[shard_]; }
  Socket* socket_of(int fd, const char* what);
  FakeKernel::Listener* listener_of(int fd, const char* what);
  std::int64_t send_one(Socket& socket, const net::SendRequest& request);
  void complete_accepts(FakeKernel::Listener& listener, std::vector<net::Completion>& out);
  void complete(Socket& socket, std::vector<net::Completion>& out);
  void complete_receive(Socket& socket, std::vector<net::Completion>& out);
  void send_reset(Socket& socket);
  void add_stale(std::vector<net::Completion>& out, std::size_t from);
  static void emit(Socket& socket, std::optional<net::Token>& armed, int result,
                   std::vector<net::Completion>& out);

  FakeKernel& kernel_;
  const std::size_t shard_;
  Random& random_;
  std::deque<std::string> received_;  // bytes of the last completions
};

}  // namespace tocsin::sim
