// Listeners: taking connections, and what to do when there is nothing left to take them with.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "net/log.h"
#include "net/shard/shard.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

// After descriptors or memory ran out. Long enough to be no busy loop, short enough for a client
// that waits in the backlog.
constexpr std::uint64_t kAcceptPauseMs = 100;
// Connections ended, or refused by the descriptor in reserve, before each pause.
constexpr std::uint32_t kRefusals = 64;

// After idle connections were ended for want of descriptors: they are closed by then.
constexpr std::uint64_t kRoomMs = 1;
// Connections that one newcomer looks at.
constexpr int kLooks = 16;

}  // namespace

void Shard::start_accepting() {
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    Listener& listener = listeners_[i];
    if (listener.accepting || listener.resume_ms > now_ms_) continue;
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
  const auto refused = take(fd);
  if (!refused) return;
  metrics_.count(*refused);
  refusal_.clear();
  handler_.append_turned_away(*refused, refusal_);
  io_.send_last(fd, refusal_);
  (void)io_.receive_now(fd, scratch_);  // unread bytes would turn the close into a reset
  io_.close(fd);
}

// Into the table, or says why not.
std::optional<Rejection> Shard::take(int fd) {
  const std::uint64_t key = options_->max_per_address == 0 ? 0 : io_.peer_key(fd);
  if (const auto refused = state_.admission.admit_request(*options_, key)) return refused;
  const bool full = requests_.size() >= limits::kMaxRequestConnections && !make_room();
  const std::uint32_t slot = full ? ConnectionTable::kNoSlot : table_.allocate();
  if (slot == ConnectionTable::kNoSlot) {
    state_.admission.leave_request(key);
    return Rejection::exhausted;
  }
  Connection& connection = table_[slot];
  connection.fd = fd;
  connection.peer_key = key;
  connection.opened_s = static_cast<std::uint32_t>(now_ms_ / 1000);
  change_state(connection, State::request);
  connection.attach().exchange =
      std::make_unique<Exchange>(limits::kMaxRequestHead, limits::kMaxRequestBody, memory_);
  on_progress(slot, connection, std::uint64_t{options_->request_timeout_s} * 1000);
  receive(slot, connection);
  return std::nullopt;
}

void Shard::on_accept_failed(Listener& listener, int error) {
  listener.accepting = false;
  if (state_.phase.load() >= Phase::draining) return;  // see stop_accepting
  // EMFILE, ENFILE, ENOBUFS, ENOMEM: who waits is told, as far as that is possible, and the rest
  // stays in the backlog until there is room again.
  metrics_.accept_pauses.add();
  static constinit log::OncePerSecond place;
  place.write(now_us_ * 1000, LogLevel::warning, "accepting paused",
              {{"error", std::strerror(error)}, {"shard", id_}});
  // The older half goes: who has only just come is given the time to ask. Where connections are
  // being closed already, there will be room without that.
  const bool closing = metrics_.closing.get() > 0;
  const std::uint32_t most = closing ? 0 : std::min(kRefusals, (requests_.size() + 1) / 2);
  std::uint32_t ended = 0;
  while (ended < most && make_room()) ++ended;
  if (closing || ended > 0) {
    listener.resume_ms = now_ms_ + kRoomMs;
    return;
  }
  for (std::uint32_t i = 0; i < kRefusals && (error == EMFILE || error == ENFILE); ++i) {
    refusal_.clear();
    handler_.append_turned_away(Rejection::exhausted, refusal_);
    if (!io_.refuse(listener.fd, refusal_)) break;
    metrics_.count(Rejection::exhausted);
  }
  listener.resume_ms = now_ms_ + kAcceptPauseMs;
}

// Room for a newcomer: ends the connection that has been without progress for the longest. It may
// be silent, between requests, in the middle of one, or does not take its answers; thousands of
// them, wherever they come from, lock nobody out. False: all that were looked at wait for us, and
// count as young again.
bool Shard::make_room() {
  for (int i = 0; i < kLooks && requests_.size() > 0; ++i) {
    const std::uint32_t slot = requests_.oldest();
    Connection& connection = table_[slot];
    if (waits_for_us(connection)) {
      requests_.renew(slot);
      continue;
    }
    metrics_.made_room.add();
    (void)end_request(slot, connection, Rejection::exhausted);
    return true;
  }
  return false;
}

// Ends a connection that is no stream. In the middle of a request it is told why: true.
bool Shard::end_request(std::uint32_t slot, Connection& connection, Rejection why) {
  const auto asks = [](const Exchange& exchange) {
    return exchange.parser.mid_message() || exchange.complete;
  };
  const bool told = connection.state == State::request && !connection.blocked &&
                    asks(*connection.extra().exchange);
  if (told) {
    refusal_.clear();
    handler_.append_turned_away(why, refusal_);
    io_.send_last(connection.fd, refusal_);
  }
  terminate(slot, connection, connection.blocked);
  return told;
}

// It has asked: for an answer that is being made or sent, or in bytes that we have yet to read.
bool Shard::waits_for_us(const Connection& connection) {
  if (connection.state != State::request) return false;
  const Attachment& extra = connection.extra();
  if (extra.exchange->complete || extra.starved) return true;
  if (connection.blocked) return false;  // its peer does not read
  return connection.owes() || !extra.exchange->unread.empty() || io_.has_unread(connection.fd);
}

// Whoever connects from now on waits in the socket until the next process accepts from it. Those
// that were taken before are served.
void Shard::stop_accepting() {
  for (Listener& listener : listeners_) {
    listener.resume_ms = 0;
    if (listener.accepting) io_.cancel_accept(listener.fd);
  }
}

bool Shard::accepting() const {
  return std::ranges::any_of(listeners_, &Listener::accepting);
}

}  // namespace tocsin::net
