#include "net/shard/streams.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "core/own_events.h"
#include "net/base/jitter.h"
#include "net/shard/slow_readers.h"
#include "proto/assert.h"
#include "proto/sse/event_id.h"
#include "proto/sse/frame_end.h"
#include "proto/sse/sse_encode.h"
#include "proto/sse/wire_id.h"

namespace tocsin::net {
namespace {

// Behind the first: long enough for a proxy to have passed on what it read, too short to be noticed
// (the wheel's tick comes on top).
constexpr std::uint64_t kSecondWriteMs = 20;
// Streams that one turn ends: each is a system call or two, and a client that comes back at once.
constexpr std::size_t kEndSlice = 256;
// Events that the others may have had since this hub was told last how far the history is, half a
// second ago or so. An id above is nobody's.
constexpr core::Sequence kMostUntold = 10'000'000;

}  // namespace

// --- opening ---

std::optional<Streams::Refusal> Streams::open(std::uint32_t slot, const Outcome& wanted,
                                              const IpAddress& client, std::string& reply) {
  Connection& connection = shard_.table[slot];
  auto& [peer, stream] = connection;
  if (is_behind(wanted)) return Refusal{.admission = {.why = Rejection::behind}};
  if (const auto refused = admit(peer, wanted.client)) return Refusal{.admission = *refused};
  const auto subscription = subscribe(wanted);
  if (!subscription) {
    shard_.state.admission.take_back_stream(*shard_.options, wanted.client, shard_.now_us);
    return no_topics(wanted);
  }
  lifecycle_.count_as_stream(slot, peer, wanted.client);
  answers_.stream_head(peer.extra().exchange->parser.request(), wanted, reply);
  become_stream(slot, connection, wanted, *subscription);
  append_opening(peer.body(), wanted, *subscription, reply);
  shard_.metrics.streams_opened.add();
  if (wanted.resume != core::Resume::Kind::live) shard_.metrics.resumed.add();
  shard_.topics.join(slot, stream, subscription->topics);
  readers_.note(slot, wanted, client);
  peer.owe(std::exchange(reply, {}));
  shard_.ready.add(slot, peer);
  watch_hangup(slot, peer);
  if (stream.heartbeat_s != 0) heartbeats_.await(slot, stream);
  if (stream.expires) heartbeats_.await_end(slot, stream);
  routed_.tell_opened(slot, stream, wanted, *subscription);
  return std::nullopt;
}

std::optional<AdmissionRefusal> Streams::admit(const Peer& peer, const ClientKeys& client) {
  if (shard_.io.is_among_last(peer.fd)) return AdmissionRefusal{.why = Rejection::exhausted};
  return shard_.state.admission.admit_stream(*shard_.options, client, shard_.now_us);
}

// The client was told of an event by another hub of this history, and is here before the event is,
// or before its epoch is. To take its position for unknown would repeat to it all that is kept. To
// open the stream there would skip what comes at these sequences if the history forks before them.
bool Streams::is_behind(const Outcome& wanted) {
  if (!shard_.state.hub.shares_history()) return false;
  if (wanted.resume != core::Resume::Kind::after_id) return false;
  const StoreMetrics& store = shard_.state.hub.store_metrics();
  const bool away = store.away.get() > 0;
  const std::uint64_t behind = store.behind.get();
  return shard_.state.hub.with([&](const core::Hub& hub) {
    const core::Sequence last = hub.last_sequence();
    const core::Epochs& epochs = hub.journal().epochs();
    return std::ranges::any_of(wanted.last_event_ids, [&](const std::string& text) {
      const auto id = proto::parse_event_id(text);
      if (!id) return false;
      if (!epochs.has(id->epoch)) return away || behind > 0;
      if (id->epoch != epochs.current() || id->sequence <= last) return false;
      return away || id->sequence - last <= behind + kMostUntold;
    });
  });
}

// The stream's topics, and one of its own where somebody is to write to it.
std::optional<core::Subscription> Streams::subscribe(const Outcome& wanted) {
  const std::vector<std::string_view> names(wanted.topics.begin(), wanted.topics.end());
  const std::vector<std::string_view> ids(wanted.last_event_ids.begin(),
                                          wanted.last_event_ids.end());
  // Without either it reads a log that nothing is written to.
  const bool direct = wanted.route && (wanted.route->on_open || names.empty());
  return shard_.state.hub.with([&](core::Hub& hub) {
    auto subscription =
        hub.subscribe(names, {.kind = wanted.resume, .ids = ids}, shard_.id, shard_.now_ms);
    if (subscription && direct) {
      subscription->topics.push_back(hub.subscribe_direct(shard_.id, shard_.now_ms));
    }
    return subscription;
  });
}

// Why there was no subscription, for who asked for several topics.
Streams::Refusal Streams::no_topics(const Outcome& wanted) {
  if (shard_.options->auto_topics) return {.admission = {.why = Rejection::topic_limit}};
  const auto missing = shard_.state.hub.with([&](const core::Hub& hub) {
    return std::ranges::find_if(wanted.topics, [&](const auto& name) { return !hub.exists(name); });
  });
  return {.admission = {.why = Rejection::not_found},
          .detail = missing == wanted.topics.end() ? "no such topic"
                                                   : "topic " + *missing + ": no such topic"};
}

void Streams::become_stream(std::uint32_t slot, Connection& connection, const Outcome& wanted,
                            const core::Subscription& subscription) {
  auto& [peer, stream] = connection;
  const EndOfLife end = end_of_life(wanted);
  lifecycle_.begin_stream(slot, end.at_s);
  if (!peer.blocked) {
    peer.extra().deadline_ms = 0;
  } else {  // by answers to what was pipelined in front: watched as a stream from now on
    shard_.metrics.streams_blocked.add();
    if (!peer.extra().starved) {
      shard_.deadlines.set(slot, peer, shard_.now_ms + SlowReaders::kCheckMs);
    }
  }
  if (shard_.options->receive_buffer != 0) {
    shard_.io.limit_receive_buffer(peer.fd, shard_.options->receive_buffer);
  }
  peer.framing = wanted.framing;
  peer.extra().second_write = wanted.second_write;
  stream.cursor = subscription.cursor;
  stream.opened_at = subscription.newest;
  stream.catching_up = stream.cursor < stream.opened_at;
  stream.heartbeat_s = wanted.heartbeat_s;
  stream.expires = end.expires;
}

// Until when a stream that opens now may last: the first of all that bounds it, its age and the
// expiry of what its client may read it with.
Streams::EndOfLife Streams::end_of_life(const Outcome& wanted) {
  constexpr std::uint64_t kNever = UINT64_MAX;
  const std::uint64_t age_s = shard_.options->max_stream_age_s;
  // From 3/4 to 5/4 of it: those that came together do not go together.
  const std::uint64_t too_old_s =
      age_s == 0 ? kNever : shard_.now_s() + age_s * (75 + shard_.random() % 50) / 100;
  std::uint64_t expired_s = kNever;
  if (wanted.principal != nullptr && wanted.principal->expires_at_s) {
    const std::int64_t left_s = *wanted.principal->expires_at_s - shard_.clock.unix_s();
    // Both clocks are within a second: not before that time, and at most two seconds behind it.
    expired_s = (shard_.now_ms + 999) / 1000 + static_cast<std::uint64_t>(std::max(left_s, {}));
  }
  const std::uint64_t ends_s = std::min(too_old_s, expired_s);
  if (ends_s >= UINT32_MAX) return {};
  return {.at_s = std::max(static_cast<std::uint32_t>(ends_s), 1U),
          .expires = expired_s <= too_old_s};
}

// What a stream's body begins with, behind the head in `reply`.
void Streams::append_opening(StreamBody body, const Outcome& wanted,
                             const core::Subscription& subscription, std::string& reply) {
  const auto append = [&](std::string_view piece) { body.append(reply, piece); };
  const proto::EventId here{shard_.state.hub.epoch(), subscription.cursor};
  // An id longer than any that there can be is not repeated to its sender.
  std::string asked = proto::wire_id(subscription.last_event_id);
  if (asked.size() > limits::kMaxWireId) asked.clear();
  // Without a topic of the hub a position in it means nothing. Before a gap it is what the client
  // named: who is cut between the two would else not be told.
  std::string position;
  if (!wanted.topics.empty()) position = subscription.gap ? asked : proto::to_string(here);
  const bool fresh = wanted.resume == core::Resume::Kind::live;
  std::string piece;
  proto::append_greeting(piece, jittered(shard_.options->retry_ms, shard_.random),
                         fresh && !wanted.hello ? position : std::string{});
  append(piece);
  if (wanted.hello) {
    piece.clear();
    core::append_open_frame(piece, subscription.topics, position);
    append(piece);
  }
  std::string_view first = wanted.route ? wanted.route->first : std::string_view{};
  while (!first.empty()) append(proto::take_frame(first));
  if (!subscription.gap) return;
  piece.clear();
  core::append_gap_frame(piece, *subscription.gap, asked, subscription.topics, here);
  append(piece);
  shard_.metrics.gaps.add();
}

void Streams::watch_hangup(std::uint32_t slot, Peer& peer) {
  TOCSIN_ASSERT(!peer.hangup_armed);
  peer.hangup_armed = true;
  ++peer.armed;
  shard_.io.watch(peer.fd, shard_.table.token(Op::hangup, slot));
}

// --- running ---

void Streams::shrink(std::uint32_t slot, Peer& peer) {
  if (peer.extra().second_write) {
    shard_.deadlines.call(slot, Deadlines::Call::second_write, shard_.now_ms + kSecondWriteMs);
  }
  peer.attachment.reset();
}

// --- topics that were removed ---

void Streams::end_with(const std::vector<std::uint32_t>& topics) {
  for (const std::uint32_t topic : topics) {
    ending_.push_back({.topic = topic, .left = shard_.topics[topic].subscribers.size()});
  }
}

void Streams::end_slice() {
  std::size_t ended = 0;
  while (!ending_.empty()) {
    auto& [local, left] = ending_.back();
    const std::vector<std::uint32_t>& subscribers = shard_.topics[local].subscribers;
    // From the last to the first: who takes the place of one that goes has been here.
    for (; (left = std::min(left, subscribers.size())) > 0; ++ended) {
      if (ended == kEndSlice) return;
      lifecycle_.finish_stream(subscribers[--left]);
    }
    shard_.topics[local].ending = false;
    const std::uint32_t topic = local;
    ending_.pop_back();
    subscriptions_.drop_if_unread(topic);
  }
}

// --- rights that are gone

std::optional<Denial> Streams::deny_by_now(const Outcome& wanted) const {
  if (wanted.principal != nullptr && wanted.principal->is_expired(shard_.clock.unix_s())) {
    return Denial{.cause = DenialCause::expired, .reason = "the credential has expired meanwhile"};
  }
  if (wanted.principal != nullptr) {
    auto revoked = shard_.state.revocations.deny(*wanted.principal, shard_.clock.unix_s());
    if (revoked) return revoked;
  }
  const std::vector<std::string_view> topics(wanted.topics.begin(), wanted.topics.end());
  const StreamRight right = Readers::right_of(wanted);
  if (right.holds(shard_.access.get(), *shard_.options, topics)) return std::nullopt;
  return Denial{.cause = DenialCause::insufficient_scope,
                .reason = "the right to read this has gone meanwhile"};
}

void Streams::ask_again() {
  unasked_ = shard_.table.size();
  if (shard_.access == nullptr) readers_.forget_all();
}

void Streams::ask_slice() {
  constexpr std::uint32_t kBetweenLooks = 64;
  if (unasked_ == 0) return;
  const std::uint64_t until_us = shard_.slice_end_us();
  while (unasked_ > 0) {
    const std::uint32_t slot = --unasked_;
    const auto& [peer, stream] = shard_.table[slot];
    if (peer.is_stream() && !readers_.has_right(slot, stream)) {
      lifecycle_.withdraw_stream(slot, core::RightLoss::revoked);
    }
    if (slot % kBetweenLooks == 0 && shard_.clock.now_us() > until_us) return;
  }
}

}  // namespace tocsin::net
