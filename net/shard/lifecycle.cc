#include "net/shard/lifecycle.h"

#include <memory>
#include <string>
#include <utility>

#include "proto/assert.h"

namespace tocsin::net {

Lifecycle::Lifecycle(ShardContext& shard, Replays& replays, Outbox& outbox,
                     Subscriptions& subscriptions, Sweep& sweep, Readers& readers,
                     RoutedStreams& routed)
    : shard_(shard),
      replays_(replays),
      outbox_(outbox),
      subscriptions_(subscriptions),
      sweep_(sweep),
      readers_(readers),
      routed_(routed),
      requests_([&table = shard.table](std::uint32_t slot) -> AgeLinks& {
        return table[slot].peer.extra().by_age;
      }),
      holders_([&table = shard.table](std::uint32_t slot) -> AgeLinks& {
        return table[slot].peer.extra().exchange->by_hold_age;
      }) {}

void Lifecycle::change_state(Peer& peer, State next) {
  const auto gauge = [this](State state) -> Counter* {
    switch (state) {
      case State::request:
      case State::linger:
        return &shard_.metrics.requests_open;
      case State::stream:
        return &shard_.metrics.streams_open;
      case State::closing:
        return &shard_.metrics.closing;
      case State::free:
        break;
    }
    return nullptr;
  };
  if (Counter* from = gauge(peer.state)) from->sub();
  if (Counter* to = gauge(next)) to->add();
  peer.state = next;
}

void Lifecycle::begin_request(Peer& peer) {
  TOCSIN_ASSERT(peer.state == State::free);
  change_state(peer, State::request);
  peer.attach().exchange = std::make_unique<Exchange>(shard_.memory);
}

void Lifecycle::begin_stream(std::uint32_t slot, std::uint32_t ends_s) {
  auto& [peer, stream] = shard_.table[slot];
  TOCSIN_ASSERT(peer.state == State::request);
  requests_.remove(slot);
  holders_.remove(slot);
  peer.extra().exchange.reset();
  stream.ends_s = ends_s;
  if (ends_s != 0) ++ending_streams_;
  change_state(peer, State::stream);
}

void Lifecycle::begin_linger(std::uint32_t slot, Peer& peer) {
  TOCSIN_ASSERT(peer.state == State::request);
  holders_.remove(slot);
  peer.extra().exchange.reset();
  change_state(peer, State::linger);
}

void Lifecycle::end_stream(std::uint32_t slot) {
  const bool whole = outbox_.send_end(shard_.table[slot].peer);
  terminate(slot, !whole);
}

void Lifecycle::withdraw_stream(std::uint32_t slot, core::RightLoss reason) {
  const Peer& peer = shard_.table[slot].peer;
  TOCSIN_ASSERT(peer.is_stream());
  std::string frame;
  core::append_expired_frame(frame, reason);
  std::string last;
  peer.body().append(last, frame);
  const bool whole = outbox_.send_end(peer, last);
  shard_.metrics.streams_withdrawn.add();
  terminate(slot, !whole);
}

void Lifecycle::finish_stream(std::uint32_t slot) {
  auto& [peer, stream] = shard_.table[slot];
  TOCSIN_ASSERT(peer.is_stream());
  if (peer.blocked) {
    end_stream(slot);
    return;
  }
  stream.finishing = true;
  shard_.ready.add(slot, peer);
}

void Lifecycle::terminate(std::uint32_t slot, bool reset) {
  Connection& connection = shard_.table[slot];
  Peer& peer = connection.peer;
  if (peer.state == State::closing) return;
  TOCSIN_ASSERT(peer.state != State::free && !peer.batched);
  if (peer.is_stream()) {
    leave_stream(slot, connection);
  } else {
    requests_.remove(slot);
    if (peer.extra().exchange) holders_.remove(slot);
  }
  leave_admission(slot, peer);
  peer.ready = false;
  peer.blocked = false;
  peer.attachment.reset();
  change_state(peer, State::closing);
  if (peer.armed > 0) shard_.io.shut_down(peer.fd, reset);
  close_if_joined(slot, peer);
}

void Lifecycle::count_as_stream(std::uint32_t slot, Peer& peer, const ClientKeys& client) {
  TOCSIN_ASSERT(!peer.admitted);
  shard_.state.admission.leave_request(peer.key, shard_.now_us);
  peer.key = client.address;
  peer.admitted = true;
  if (client.subject == 0) return;
  if (slot >= subjects_.size()) subjects_.resize(shard_.table.size());
  subjects_[slot] = client.subject;
}

void Lifecycle::leave_admission(std::uint32_t slot, Peer& peer) {
  Admission& admission = shard_.state.admission;
  if (!peer.admitted) {
    admission.leave_request(peer.key, shard_.now_us);
    return;
  }
  const std::uint64_t subject =
      slot < subjects_.size() ? std::exchange(subjects_[slot], 0) : std::uint64_t{0};
  admission.leave_stream({.address = peer.key, .subject = subject}, shard_.now_us);
  peer.admitted = false;
}

// The stream is nobody's from now on.
void Lifecycle::leave_stream(std::uint32_t slot, Connection& connection) {
  auto& [peer, stream] = connection;
  if (peer.blocked) shard_.metrics.streams_blocked.sub();
  if (stream.ends_s != 0) --ending_streams_;
  routed_.tell_closed(slot, stream);
  readers_.forget(slot);
  replays_.end(slot, stream);
  subscriptions_.leave(slot, stream, [this](std::uint32_t moved, std::uint32_t topic) {
    sweep_.on_moved(moved, topic);
  });
  sweep_.forget(stream);
}

void Lifecycle::close_if_joined(std::uint32_t slot, Peer& peer) {
  TOCSIN_ASSERT(peer.state == State::closing);
  if (peer.armed > 0) return;
  shard_.io.close(peer.fd);
  change_state(peer, State::free);
  shard_.table.release(slot);
}

}  // namespace tocsin::net
