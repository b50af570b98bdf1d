// How connections end: terminate, join what is in flight, close.
#include <algorithm>
#include <utility>
#include <vector>

#include "net/shard/shard.h"
#include "proto/assert.h"

namespace tocsin::net {

void Shard::change_state(Connection& connection, State next) {
  const auto gauge = [this](State state) -> Counter* {
    switch (state) {
      case State::request:
      case State::linger:
        return &metrics_.requests_open;
      case State::stream:
        return &metrics_.streams_open;
      case State::closing:
        return &metrics_.closing;
      case State::free:
        break;
    }
    return nullptr;
  };
  if (Counter* from = gauge(connection.state)) from->sub();
  if (Counter* to = gauge(next)) to->add();
  connection.state = next;
}

// Ends a stream on purpose, and never in the middle of an event: the rest of one that was cut and
// what ends the body go out first. Where the socket does not take them only a reset tells.
void Shard::end_stream(std::uint32_t slot, Connection& connection) {
  const bool whole = outbox_.send_end(connection);
  terminate(slot, connection, !whole);
}

// `reset`: what the peer has not read is dropped, and the kernel's memory with it.
void Shard::terminate(std::uint32_t slot, Connection& connection, bool reset) {
  if (connection.state == State::closing) return;
  TOCSIN_ASSERT(connection.state != State::free && !connection.batched);
  if (connection.state == State::stream) {
    if (connection.blocked) metrics_.streams_blocked.sub();
    tell_closed(slot, connection);
    leave_topics(slot, connection);
  } else {
    requests_.remove(slot);
    if (connection.extra().exchange) holders_.remove(slot);
  }
  if (connection.admitted) {
    state_.admission.leave_stream(connection.peer_key);
    connection.admitted = false;
  } else {
    state_.admission.leave_request(connection.peer_key);
  }
  if (connection.leftover) {
    connection.leftover = false;
    --sweep_.leftovers;
  }
  connection.ready = false;
  connection.blocked = false;
  connection.attachment.reset();
  change_state(connection, State::closing);
  if (connection.armed > 0) io_.shut_down(connection.fd, reset);
  close_if_joined(slot, connection);
}

void Shard::close_if_joined(std::uint32_t slot, Connection& connection) {
  if (connection.armed > 0) return;
  io_.close(connection.fd);
  change_state(connection, State::free);
  table_.release(slot);
}

void Shard::leave_topics(std::uint32_t slot, Connection& connection) {
  if (!connection.many_topics()) {
    leave_topic(slot, connection.topic, connection.place);
    return;
  }
  const std::vector<TopicPlace> places = std::move(connection.extra().places);
  for (const TopicPlace& at : places) leave_topic(slot, at.topic, at.place);
}

// The last subscriber takes the place of the one that leaves. A running sweep may have passed that
// place: the moved one is looked at by way of the ready list, so that nobody is skipped.
void Shard::leave_topic(std::uint32_t slot, std::uint32_t topic, std::uint32_t place) {
  auto& subscribers = topics_[topic].subscribers;
  TOCSIN_ASSERT(subscribers[place] == slot);
  const std::uint32_t moved = subscribers.back();
  subscribers[place] = moved;
  subscribers.pop_back();
  if (moved != slot) {
    Connection& other = table_[moved];
    if (other.many_topics()) {
      auto& places = other.extra().places;
      std::ranges::find_if(places, [topic](const TopicPlace& at) {
        return at.topic == topic;
      })->place = place;
    } else {
      other.place = place;
    }
    if (topics_[topic].sweeping && !other.blocked) {
      if (!other.leftover && other.cursor < sweep_.cut) {
        other.leftover = true;
        ++sweep_.leftovers;
      }
      make_ready(moved, other);
    }
  }
  drop_topic(topic);
}

void Shard::drop_topic(std::uint32_t topic) {
  const LocalTopic& local = topics_[topic];
  if (!local.subscribers.empty() || local.sweeping || local.ending) return;
  outbox_.forget(*local.topic);
  state_.hub.with([&](core::Hub& hub) { hub.leave(*local.topic, id_, now_ms_); });
  topics_.remove(topic);
}

}  // namespace tocsin::net
