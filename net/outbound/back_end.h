// The operator's back end as the hub asks it (docs/auth.md, "A webhook"): a number of questions at
// once, the others in a line; the same question of several requests once; answers are kept for a
// while. Nobody waits for longer than the time-out, however long the line is.
//
// Threads: find() from any; the rest from one, which waits for it as for an HttpCaller.
#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "net/auth/authentication.h"
#include "net/auth/principal_cache.h"
#include "net/base/clock.h"
#include "net/jose/digest.h"
#include "net/log.h"
#include "net/outbound/back_end_words.h"
#include "net/outbound/http_caller.h"
#include "net/outbound/remote_server.h"
#include "net/outbound/secret_request.h"
#include "net/state/metrics.h"

namespace tocsin::net {

struct BackEndSettings {
  RemoteServer server{};
  std::uint32_t timeout_ms = 5000;  // from a request's question to its answer
  std::uint32_t at_once = 16;       // calls
  std::uint32_t cache_s = 60;       // 0: no answer is kept
  std::size_t cache_bytes = std::size_t{4} * 1024 * 1024;
  // What else of the configuration its answers depend on: what it is told of a request. Any text.
  std::string terms{};

  // Principal::source of those whom it lets in.
  [[nodiscard]] std::uint64_t source() const;
  friend bool operator==(const BackEndSettings&, const BackEndSettings&) = default;
};

// A request that waits, and what it has asked.
struct Inquirer {
  LaterAuthentication later;
  std::size_t bytes = 0;  // of limits::kMaxInquiries
};
struct BackEndInquiry {
  std::uint64_t back_end = 0;  // Outbound's number of the one that it is for
  Digest digest{};
  SecretRequest request{};
  AskedRight asked{};
  TimePoint asked_at{};
  Inquirer inquirer;
};

class BackEnd {
 public:
  // What gives back an inquirer's bytes, once it has its answer.
  using Release = std::function<void(std::size_t bytes)>;
  // All outlive it.
  BackEnd(const BackEndSettings& settings, Waiter& waiter, const Clock& clock,
          OutboundMetrics& metrics, HttpCaller::AskName ask_name, Release release);

  [[nodiscard]] const BackEndSettings& settings() const { return settings_; }
  // A kept answer; null: there is none.
  [[nodiscard]] PrincipalPtr find(const Digest& digest, std::int64_t now_s) {
    return cache_.find(digest, now_s);
  }

  void ask(BackEndInquiry&& inquiry);
  // Whoever waits is told that there is no answer; nothing but the destructor comes behind it.
  void give_up();

  void poll(std::vector<pollfd>& fds) const { caller_.poll(fds); }
  [[nodiscard]] std::size_t polled() const { return caller_.polled(); }
  [[nodiscard]] TimePoint deadline() const;
  void handle(std::span<const pollfd> fds);
  void on_addresses(std::uint64_t serial, const LookUpResult& result) {
    caller_.on_addresses(serial, result);
  }

 private:
  // A question, and who waits for its answer.
  struct Question {
    SecretRequest request{};  // until it is sent
    AskedRight asked{};
    std::vector<Inquirer> inquirers{};
    TimePoint until{};  // nobody waits any longer
    bool is_sent = false;
  };
  using Questions = std::map<Digest, Question>;

  void send_next();
  void on_answer(const Digest& digest, TimePoint sent_at, const HttpResult& result);
  void answer(Questions::iterator question, const BackEndAnswer& answer);

  const BackEndSettings settings_;
  Waiter& waiter_;
  const Clock& clock_;
  OutboundMetrics& metrics_;
  const Release release_;
  PrincipalCache cache_;
  HttpCaller caller_;
  Questions questions_;
  std::deque<Digest> line_;  // those that are not sent, the oldest first
  log::OncePerSecond fault_log_;
};

}  // namespace tocsin::net
