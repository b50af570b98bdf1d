#include "net/shard/drain.h"

#include <algorithm>

namespace tocsin::net {

void Drain::run() {
  if (!shard_.is_draining()) return;
  if (!begun()) {
    begin_ms_ = std::max<std::uint64_t>(shard_.now_ms, 1);
    total_ = shard_.table.used();
    acceptor_.stop();
  }
  const std::uint64_t time_ms = std::uint64_t{shard_.options->drain_timeout_s} * 1000;
  const std::uint64_t elapsed_ms = shard_.now_ms - begin_ms_;
  const bool at_end = elapsed_ms >= time_ms;
  if (at_end) slot_ = 0;
  const std::uint64_t goal =
      at_end ? shard_.table.size() : (total_ * elapsed_ms + time_ms - 1) / time_ms;
  while (slot_ < shard_.table.size() && (at_end || done_ < goal)) end_one(slot_++, at_end);
}

void Drain::end_one(std::uint32_t slot, bool at_end) {
  Connection& connection = shard_.table[slot];
  switch (connection.state) {
    case State::stream:
      ++done_;
      lifecycle_.end_stream(slot, connection);
      return;
    case State::request:
      ++done_;
      if (at_end) {
        if (requests_.end(slot, connection, Rejection::draining)) {
          shard_.metrics.count(Rejection::draining);
        }
      } else if (requests_.is_between(connection)) {
        // Who has asked, or has connected in order to, is answered. A client that asks again on a
        // connection that was idle expects that it may be closed.
        lifecycle_.terminate(slot, connection, false);
      }
      return;
    case State::linger:
      if (at_end) lifecycle_.terminate(slot, connection, false);
      return;
    case State::closing:
    case State::free:
      return;
  }
}

}  // namespace tocsin::net
