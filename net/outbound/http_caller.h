// HTTP requests to one other server, several at once, each over a connection of its own that is
// kept for the next. Never blocks: its owner waits for it.
#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "net/client/http_client.h"
#include "net/outbound/remote_server.h"
#include "net/outbound/secret_request.h"
#include "net/transport/client_socket.h"
#include "net/transport/look_up.h"
#include "net/transport/waiter.h"

namespace tocsin::net {

// Redirects are answers like any other: whoever could send one elsewhere could say who is let in.
//
// Threads: one.
class HttpCaller {
 public:
  struct Limits {
    std::size_t at_once = 1;
    std::size_t max_body_bytes = 0;  // larger answers end with their connection, as too_large
    std::uint32_t timeout_ms = 0;    // of a call whose deadline is later
  };
  using Done = std::move_only_function<void(HttpResult)>;
  // Has a name looked up, and sees to it that on_addresses() is called with the serial.
  using AskName =
      std::function<void(std::uint64_t serial, const std::string& host, std::uint16_t port)>;

  // `waiter` outlives it.
  HttpCaller(RemoteServer server, const Limits& limits, Waiter& waiter, AskName ask_name)
      : server_(std::move(server)),
        limits_(limits),
        waiter_(waiter),
        ask_name_(std::move(ask_name)) {}

  [[nodiscard]] bool has_room() const { return calls_.size() < limits_.at_once; }
  // `done` is called once, by handle(), unless this object goes before; at the deadline at the
  // latest. A request that a kept connection has lost is sent a second time: it must be one that
  // may be asked twice. REQUIRES: has_room().
  void start(SecretRequest request, TimePoint deadline, Done done);

  // Appends what is to be waited for, and says how long at most.
  void poll(std::vector<pollfd>& fds) const;
  [[nodiscard]] std::size_t polled() const { return calls_.size() + idle_.size(); }
  [[nodiscard]] TimePoint deadline() const;
  // Goes on, with what was waited for. `done` may start other calls, and must not destroy this.
  // REQUIRES: as many as polled().
  void handle(std::span<const pollfd> fds);

  void on_addresses(std::uint64_t serial, const LookUpResult& result);

 private:
  struct Call {
    std::uint64_t serial;  // of its look-up
    SecretRequest request;
    TimePoint deadline;
    Done done;
    std::unique_ptr<Connector> connector{};  // while it connects
    std::unique_ptr<HttpClient> client{};    // while it asks
    bool reused = false;                     // over a connection that was kept
    std::optional<HttpResult> result{};
  };

  void connect(Call& call);
  void step(Call& call, short revents);
  static void fail(Call& call, HttpError::Kind kind, std::string message);
  void finish();

  const RemoteServer server_;
  const Limits limits_;
  Waiter& waiter_;
  const AskName ask_name_;
  std::vector<std::unique_ptr<Call>> calls_;  // at most limits_.at_once
  std::vector<std::unique_ptr<HttpClient>> idle_;  // connections; at most as many
  std::uint64_t last_serial_ = 0;
};

}  // namespace tocsin::net
