#include "net/shard/lifecycle.h"

#include <memory>

#include "proto/assert.h"

namespace tocsin::net {

Lifecycle::Lifecycle(ShardContext& shard, Outbox& outbox, Subscriptions& subscriptions,
                     Sweep& sweep, RoutedStreams& routed)
    : shard_(shard),
      outbox_(outbox),
      subscriptions_(subscriptions),
      sweep_(sweep),
      routed_(routed),
      requests_([&table = shard.table](std::uint32_t slot) -> AgeLinks& {
        return table[slot].extra().by_age;
      }),
      holders_([&table = shard.table](std::uint32_t slot) -> AgeLinks& {
        return table[slot].extra().exchange->by_hold_age;
      }) {}

void Lifecycle::change_state(Connection& connection, State next) {
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
  if (Counter* from = gauge(connection.state)) from->sub();
  if (Counter* to = gauge(next)) to->add();
  connection.state = next;
}

void Lifecycle::begin_request(Connection& connection) {
  TOCSIN_ASSERT(connection.state == State::free);
  change_state(connection, State::request);
  connection.attach().exchange =
      std::make_unique<Exchange>(limits::kMaxRequestHead, limits::kMaxRequestBody, shard_.memory);
}

void Lifecycle::begin_stream(std::uint32_t slot, Connection& connection) {
  TOCSIN_ASSERT(connection.state == State::request);
  requests_.remove(slot);
  holders_.remove(slot);
  connection.extra().exchange.reset();
  change_state(connection, State::stream);
}

void Lifecycle::begin_linger(std::uint32_t slot, Connection& connection) {
  TOCSIN_ASSERT(connection.state == State::request);
  holders_.remove(slot);
  connection.extra().exchange.reset();
  change_state(connection, State::linger);
}

void Lifecycle::end_stream(std::uint32_t slot, Connection& connection) {
  const bool whole = outbox_.send_end(connection);
  terminate(slot, connection, !whole);
}

void Lifecycle::finish_stream(std::uint32_t slot, Connection& connection) {
  TOCSIN_ASSERT(connection.state == State::stream);
  if (connection.blocked) {
    end_stream(slot, connection);
    return;
  }
  connection.finishing = true;
  shard_.ready.add(slot, connection);
}

void Lifecycle::terminate(std::uint32_t slot, Connection& connection, bool reset) {
  if (connection.state == State::closing) return;
  TOCSIN_ASSERT(connection.state != State::free && !connection.batched);
  if (connection.state == State::stream) {
    if (connection.blocked) shard_.metrics.streams_blocked.sub();
    routed_.tell_closed(slot, connection);
    subscriptions_.leave(slot, connection, [this](std::uint32_t moved, std::uint32_t topic) {
      sweep_.on_moved(moved, topic);
    });
  } else {
    requests_.remove(slot);
    if (connection.extra().exchange) holders_.remove(slot);
  }
  if (connection.admitted) {
    shard_.state.admission.leave_stream(connection.peer_key);
    connection.admitted = false;
  } else {
    shard_.state.admission.leave_request(connection.peer_key);
  }
  sweep_.forget(connection);
  connection.ready = false;
  connection.blocked = false;
  connection.attachment.reset();
  change_state(connection, State::closing);
  if (connection.armed > 0) shard_.io.shut_down(connection.fd, reset);
  close_if_joined(slot, connection);
}

void Lifecycle::close_if_joined(std::uint32_t slot, Connection& connection) {
  TOCSIN_ASSERT(connection.state == State::closing);
  if (connection.armed > 0) return;
  shard_.io.close(connection.fd);
  change_state(connection, State::free);
  shard_.table.release(slot);
}

}  // namespace tocsin::net
