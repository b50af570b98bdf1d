#include "net/shard/acceptor.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "net/log.h"
#include "proto/limits.h"

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

Acceptor::Acceptor(ShardContext& shard, Lifecycle& lifecycle, Requests& requests,
                   AnswerWriter& answers, const std::vector<int>& listeners)
    : shard_(shard), lifecycle_(lifecycle), requests_(requests), answers_(answers) {
  for (const int fd : listeners) listeners_.push_back({.fd = fd});
}

void Acceptor::start() {
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    Listener& listener = listeners_[i];
    if (listener.accepting || listener.resume_ms > shard_.now_ms) continue;
    listener.accepting = true;
    listener.resume_ms = 0;
    shard_.io.accept(listener.fd,
                     {.op = Op::accept, .generation = 0, .slot = static_cast<std::uint32_t>(i)});
  }
}

void Acceptor::on_accepted(const Completion& completion) {
  Listener& listener = listeners_[completion.token.slot];
  if (completion.result < 0) {
    on_failed(listener, -completion.result);
    return;
  }
  const int fd = completion.result;
  if (shard_.state.phase.load() == Phase::stopping) {
    shard_.io.close(fd);
    return;
  }
  shard_.metrics.accepted.add();
  const auto refused = take(fd);
  if (!refused) return;
  shard_.metrics.count(refused->why);
  refusal_.clear();
  answers_.turn_away(*refused, refusal_);
  shard_.io.send_last(fd, refusal_);
  // Unread bytes would turn the close into a reset.
  const std::int64_t read = shard_.io.receive_now(fd, shard_.scratch);
  if (read > 0) shard_.wipe({shard_.scratch.data(), static_cast<std::size_t>(read)});
  shard_.io.close(fd);
}

// Into the table, or says why not.
std::optional<AdmissionRefusal> Acceptor::take(int fd) {
  const std::uint64_t key = shard_.options->max_per_address == 0 ? 0 : counted_key(fd);
  Admission& admission = shard_.state.admission;
  if (auto refused = admission.admit_request(*shard_.options, key, shard_.now_us)) return refused;
  const bool full = lifecycle_.requests().size() >= limits::kMaxRequestConnections && !make_room();
  const std::uint32_t slot = full ? ConnectionTable::kNoSlot : shard_.table.allocate();
  if (slot == ConnectionTable::kNoSlot) {
    admission.leave_request(key, shard_.now_us);
    return AdmissionRefusal{.why = Rejection::exhausted};
  }
  Peer& peer = shard_.table[slot].peer;
  peer.fd = fd;
  peer.key = key;
  requests_.begin(slot, peer);
  return std::nullopt;
}

// By which a connection is counted; 0: not at all, as a proxy's are everybody's.
std::uint64_t Acceptor::counted_key(int fd) {
  const IpAddress address = shard_.io.peer_ip(fd);
  return shard_.proxies.trusts(address) ? 0 : address.client_key();
}

void Acceptor::on_failed(Listener& listener, int error) {
  listener.accepting = false;
  if (shard_.state.phase.load() >= Phase::draining) return;  // see stop
  // EMFILE, ENFILE, ENOBUFS, ENOMEM: who waits is told, as far as that is possible, and the rest
  // stays in the backlog until there is room again.
  shard_.metrics.accept_pauses.add();
  static constinit log::OncePerSecond place;
  place.write(shard_.now_us * 1000, LogLevel::warning, "accepting paused",
              {{"error", std::strerror(error)}, {"shard", shard_.id}});
  // The older half goes: who has only just come is given the time to ask. Where connections are
  // being closed already, there will be room without that.
  const bool closing = shard_.metrics.closing.get() > 0;
  const std::uint32_t most =
      closing ? 0 : std::min(kRefusals, (lifecycle_.requests().size() + 1) / 2);
  std::uint32_t ended = 0;
  while (ended < most && make_room()) ++ended;
  if (closing || ended > 0) {
    listener.resume_ms = shard_.now_ms + kRoomMs;
    return;
  }
  for (std::uint32_t i = 0; i < kRefusals && (error == EMFILE || error == ENFILE); ++i) {
    refusal_.clear();
    answers_.turn_away({.why = Rejection::exhausted}, refusal_);
    if (!shard_.io.refuse(listener.fd, refusal_)) break;
    shard_.metrics.count(Rejection::exhausted);
  }
  listener.resume_ms = shard_.now_ms + kAcceptPauseMs;
}

// Room for a newcomer: ends the connection that has been without progress for the longest. It may
// be silent, between requests, in the middle of one, or does not take its answers; thousands of
// them, wherever they come from, lock nobody out. False: all that were looked at wait for us, and
// count as young again.
bool Acceptor::make_room() {
  for (int i = 0; i < kLooks && lifecycle_.requests().size() > 0; ++i) {
    const std::uint32_t slot = lifecycle_.requests().oldest();
    Peer& peer = shard_.table[slot].peer;
    if (requests_.waits_for_us(peer)) {
      lifecycle_.requests().renew(slot);
      continue;
    }
    shard_.metrics.made_room.add();
    (void)requests_.end(slot, peer, Rejection::exhausted);
    return true;
  }
  return false;
}

void Acceptor::stop() {
  for (Listener& listener : listeners_) {
    listener.resume_ms = 0;
    if (listener.accepting) shard_.io.cancel_accept(listener.fd);
  }
}

bool Acceptor::accepting() const {
  return std::ranges::any_of(listeners_, &Listener::accepting);
}

std::uint64_t Acceptor::due_ms() const {
  std::uint64_t due = 0;
  for (const Listener& listener : listeners_) {
    if (listener.resume_ms == 0) continue;
    due = due == 0 ? listener.resume_ms : std::min(due, listener.resume_ms);
  }
  return due;
}

}  // namespace tocsin::net
