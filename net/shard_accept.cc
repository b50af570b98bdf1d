// Listeners: taking connections, and what to do when there is nothing left to take them with.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "net/log.h"
#include "net/shard.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

// After descriptors or memory ran out. Long enough to be no busy loop, short enough for a client
// that waits in the backlog.
constexpr std::uint64_t kAcceptPauseMs = 100;
// Connections refused at once after each pause, by the descriptor in reserve.
constexpr int kRefusals = 64;

constexpr std::string_view kRefusal =
    "HTTP/1.1 503 Service Unavailable\r\n"
    "Content-Type: application/problem+json\r\n"
    "Content-Length: 119\r\n"
    "Retry-After: 5\r\n"
    "Connection: close\r\n"
    "\r\n"
    "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
    "\"detail\":\"the hub has no room for another connection\"}";

}  // namespace

void Shard::start_accepting() {
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    Listener& listener = listeners_[i];
    if (listener.accepting || listener.fd < 0 || listener.resume_ms > now_ms_) continue;
    listener.accepting = true;
    listener.resume_ms = 0;
    io_.accept(listener.fd,
               {.op = Op::accept, .generation = 0, .slot = static_cast<std::uint32_t>(i)});
  }
}

void Shard::on_accepted(const Completion& completion) {
  Listener& listener = listeners_[completion.token.slot];
  if (completion.result < 0) {
    on_accept_failed(listener, -completion.result);
    return;
  }
  const int fd = completion.result;
  if (state_.phase.load() == Phase::stopping) {
    io_.close(fd);
    return;
  }
  metrics_.accepted.add();
  if (request_connections_ >= limits::kMaxRequestConnections) close_idle_requests();
  const bool full = request_connections_ >= limits::kMaxRequestConnections;
  const std::uint32_t slot = full ? ConnectionTable::kNoSlot : table_.allocate();
  if (slot == ConnectionTable::kNoSlot) {
    metrics_.rejections[static_cast<std::size_t>(Rejection::exhausted)].add();
    iovec piece{.iov_base = const_cast<char*>(kRefusal.data()), .iov_len = kRefusal.size()};
    SendRequest request{.fd = fd, .pieces = {&piece, 1}, .bytes = kRefusal.size(), .result = 0};
    io_.send({&request, 1});
    io_.shut_down_sending(fd);
    (void)io_.receive_now(fd, scratch_);  // unread bytes would turn the close into a reset
    io_.close(fd);
    return;
  }
  Connection& connection = table_[slot];
  connection.fd = fd;
  connection.opened_s = static_cast<std::uint32_t>(now_ms_ / 1000);
  connection.last_sent_ds = 0;  // nothing yet: see close_idle_requests
  change_state(connection, State::request);
  connection.attach().exchange =
      std::make_unique<Exchange>(limits::kMaxRequestHead, limits::kMaxRequestBody, body_bytes_);
  set_deadline(slot, connection, now_ms_ + std::uint64_t{options_->request_timeout_s} * 1000);
  receive(slot, connection);
}

void Shard::on_accept_failed(Listener& listener, int error) {
  listener.accepting = false;
  if (listener.fd < 0 || state_.phase.load() >= Phase::draining) {  // see stop_accepting
    if (listener.fd >= 0) io_.close(listener.fd);
    listener.fd = -1;
    return;
  }
  // EMFILE, ENFILE, ENOBUFS, ENOMEM: who waits is told, as far as that is possible, and the rest
  // stays in the backlog until there is room again.
  metrics_.accept_pauses.add();
  static constinit log::OncePerSecond place;
  place.write(now_us_ * 1000, LogLevel::warning, "accepting paused",
              {{"error", std::strerror(error)}, {"shard", id_}});
  if (error == EMFILE || error == ENFILE) {
    for (int i = 0; i < kRefusals && io_.refuse(listener.fd, kRefusal); ++i) {
      metrics_.rejections[static_cast<std::size_t>(Rejection::exhausted)].add();
    }
  }
  listener.resume_ms = now_ms_ + kAcceptPauseMs;
}

// Room for a newcomer: ends connections that are between requests, a bounded part of the table at a
// time. Idle keep-alive connections must not lock out new streams.
void Shard::close_idle_requests() {
  constexpr std::uint32_t kLookedAt = 4096;
  constexpr std::uint32_t kClosed = 64;
  std::uint32_t closed = 0;
  for (std::uint32_t i = 0; i < std::min(kLookedAt, table_.size()) && closed < kClosed; ++i) {
    if (idle_slot_ >= table_.size()) idle_slot_ = 0;
    const std::uint32_t slot = idle_slot_++;
    Connection& connection = table_[slot];
    if (connection.state != State::request) continue;
    const Attachment& extra = connection.extra();
    // One that has yet to ask was promised its request_timeout.
    const bool served = connection.last_sent_ds != 0;
    if (!served || extra.exchange->parser.mid_message() || extra.exchange->complete ||
        !extra.exchange->unread.empty() || !extra.owed.empty()) {
      continue;
    }
    terminate(slot, connection, false);
    ++closed;
  }
}

// A listener that is shut down fails its accept, and is closed then: with io_uring the armed accept
// holds the socket open.
void Shard::stop_accepting() {
  for (Listener& listener : listeners_) {
    listener.resume_ms = 0;
    if (listener.fd < 0) continue;
    if (listener.accepting) {
      io_.shut_down(listener.fd, false);
    } else {
      io_.close(listener.fd);
      listener.fd = -1;
    }
  }
}

}  // namespace tocsin::net
