#include "net/shard/drain.h"

#include <algorithm>

namespace tocsin::net {
namespace {

constexpr std::uint64_t kAgainMs = 100;
// For what the log has, behind the end of the time. The service manager is told of ten seconds more
// than drain_timeout (tools/serve/serve.cc).
constexpr std::uint64_t kLastEventsMs = 5000;

}  // namespace

void Drain::begin() {
  begin_ms_ = std::max<std::uint64_t>(shard_.now_ms, 1);
  total_ = shard_.table.used();
  acceptor_.stop();
}

// The kernel has heard of the stop by the turn after it, when this is asked first. A shard that
// does not turn is not waited for without end.
bool Drain::nobody_accepts(std::uint64_t elapsed_ms) {
  std::atomic<std::uint32_t>& accepting = shard_.state.accepting;
  if (!stopped_) {
    stopped_ = true;
    accepting.fetch_sub(1, std::memory_order_acq_rel);
  }
  return accepting.load(std::memory_order_acquire) == 0 || elapsed_ms >= kLastEventsMs;
}

void Drain::run() {
  if (!shard_.is_draining()) return;
  if (!begun()) {
    begin();
    return;
  }
  const std::uint64_t time_ms = std::uint64_t{shard_.options->drain_timeout_s} * 1000;
  const std::uint64_t elapsed_ms = shard_.now_ms - begin_ms_;
  if (!nobody_accepts(elapsed_ms)) return;
  if (elapsed_ms < time_ms) {
    const std::uint64_t goal = (total_ * elapsed_ms + time_ms - 1) / time_ms;
    while (slot_ < shard_.table.size() && done_ < goal) end_one(slot_++, Stage::spread);
    return;
  }
  if (!closed_) {
    // What is not published by now will not be, or nobody will know. Whoever waits is told first.
    SharedHub& hub = shard_.state.hub;
    hub.close();
    if (hub.owes_answers() && elapsed_ms < time_ms + kLastEventsMs) return;
    closed_ = true;
    if (requests_.has_mail()) return;
  }
  if (shard_.now_ms < again_ms_) return;
  again_ms_ = shard_.now_ms + kAgainMs;
  const Stage stage = elapsed_ms < time_ms + kLastEventsMs ? Stage::all : Stage::over;
  for (slot_ = 0; slot_ < shard_.table.size(); ++slot_) end_one(slot_, stage);
}

void Drain::end_one(std::uint32_t slot, Stage stage) {
  Peer& peer = shard_.table[slot].peer;
  switch (peer.state) {
    case State::stream:
      ++done_;
      if (stage == Stage::over) {
        lifecycle_.end_stream(slot);
      } else {
        lifecycle_.finish_stream(slot);
      }
      return;
    case State::request:
      ++done_;
      if (stage != Stage::spread) {
        if (requests_.end(slot, peer, Rejection::draining)) {
          shard_.metrics.count(Rejection::draining);
        }
      } else if (requests_.is_between(peer)) {
        // Who has asked, or has connected in order to, is answered. A client that asks again on a
        // connection that was idle expects that it may be closed.
        lifecycle_.terminate(slot, false);
      }
      return;
    case State::linger:
      if (stage != Stage::spread) lifecycle_.terminate(slot, false);
      return;
    case State::closing:
    case State::free:
      return;
  }
}

}  // namespace tocsin::net
