// Streams, from opening to closing.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/gap.h"
#include "net/jitter.h"
#include "net/shard.h"
#include "proto/assert.h"
#include "proto/sse_encode.h"

namespace tocsin::net {
namespace {

// A blocked stream's distance is looked at this often.
constexpr std::uint64_t kSlowCheckMs = 1000;
// The kernel had no memory for a send; asking at once would be a busy loop.
constexpr std::uint64_t kStarvedMs = 100;

// Of the topics that a stream was to read, for who asked for several.
std::string missing_topic(SharedHub& hub, const std::vector<std::string>& topics) {
  const auto missing = hub.with([&](const core::Hub& shared) {
    return std::ranges::find_if(topics, [&](const auto& name) { return !shared.exists(name); });
  });
  return missing == topics.end() ? "no such topic" : "topic " + *missing + ": no such topic";
}

}  // namespace

// --- opening ---

void Shard::open_stream(std::uint32_t slot, Connection& connection, Outcome& wanted) {
  const std::uint64_t counted_key = connection.peer_key;  // as a request, until it is a stream
  if (const auto refused = admit(connection)) {
    turn_away(slot, connection, *refused);
    return;
  }
  auto subscription = subscribe(wanted);
  if (!subscription) {
    state_.admission.leave_stream(std::exchange(connection.peer_key, counted_key));
    connection.admitted = false;
    if (options_->auto_topics) {
      turn_away(slot, connection, Rejection::topic_limit);
    } else {
      handler_.refuse(connection.extra().exchange->parser.request(), 404, Rejection::not_found,
                      missing_topic(state_.hub, wanted.topics), reply_);
      refuse_and_linger(slot, connection);
    }
    return;
  }
  state_.admission.leave_request(counted_key);
  requests_.remove(slot);
  connection.extra().exchange.reset();
  change_state(connection, State::stream);
  if (!connection.blocked) {
    connection.extra().deadline_ms = 0;
  } else {  // by answers to what was pipelined in front: watched as a stream from now on
    metrics_.streams_blocked.add();
    if (!connection.extra().starved) set_deadline(slot, connection, now_ms_ + kSlowCheckMs);
  }
  if (options_->receive_buffer != 0) {
    io_.limit_receive_buffer(connection.fd, options_->receive_buffer);
  }
  connection.opened_s = static_cast<std::uint32_t>(now_ms_ / 1000);
  connection.cursor = subscription->cursor;
  connection.opened_at = subscription->newest;
  const proto::EventId here{state_.hub.epoch(), subscription->cursor};
  handler_.append_stream_head(wanted, reply_);
  const bool fresh = wanted.resume == core::Resume::Kind::live;
  // Without a topic of the hub the position in it means nothing.
  proto::append_greeting(reply_, jittered(options_->retry_ms, random_),
                         fresh && !wanted.topics.empty() ? proto::to_string(here) : std::string{});
  if (wanted.route) reply_ += wanted.route->first;
  if (subscription->gap) {
    // An id longer than any that there can be is not repeated to its sender.
    std::string_view asked = subscription->last_event_id;
    if (asked.size() > limits::kMaxEventId) asked = {};
    core::append_gap_frame(reply_, *subscription->gap, asked, subscription->topics, here);
    metrics_.gaps.add();
  }
  metrics_.streams_opened.add();
  if (!fresh) metrics_.resumed.add();
  join_topics(slot, connection, *subscription);
  owe_reply(slot, connection);
  watch_hangup(slot, connection);
  tell_opened(slot, connection, wanted, *subscription);
}

std::optional<Rejection> Shard::admit(Connection& connection) {
  if (state_.phase.load(std::memory_order_relaxed) >= Phase::draining) return Rejection::draining;
  if (io_.is_among_last(connection.fd)) return Rejection::exhausted;
  std::uint64_t key = connection.peer_key;
  if (key == 0 && options_->max_per_address != 0) key = io_.peer_key(connection.fd);
  if (const auto refused = state_.admission.admit_stream(*options_, key, now_us_)) return refused;
  connection.peer_key = key;
  connection.admitted = true;
  return std::nullopt;
}

void Shard::join_topics(std::uint32_t slot, Connection& connection,
                        const core::Subscription& subscription) {
  const auto join = [&](core::Topic* topic) {
    const std::uint32_t local = topics_.find_or_add(topic);
    auto& subscribers = topics_[local].subscribers;
    subscribers.push_back(slot);
    return TopicPlace{local, static_cast<std::uint32_t>(subscribers.size() - 1)};
  };
  if (subscription.topics.size() == 1) {
    const TopicPlace at = join(subscription.topics.front().topic);
    connection.topic = at.topic;
    connection.place = at.place;
    return;
  }
  connection.topic = Connection::kManyTopics;
  Attachment& extra = connection.attach();
  for (const core::TopicCursor& at : subscription.topics) extra.places.push_back(join(at.topic));
  extra.topics = subscription.topics;
}

void Shard::watch_hangup(std::uint32_t slot, Connection& connection) {
  TOCSIN_ASSERT(!connection.hangup_armed);
  connection.hangup_armed = true;
  ++connection.armed;
  io_.watch(connection.fd, token(Op::hangup, slot));
}

// --- running ---

// Nothing to send now: the stream shrinks to its record.
void Shard::settle_idle(std::uint32_t, Connection& connection) {
  if (!connection.attachment) return;
  if (!connection.many_topics()) {
    connection.attachment.reset();
    return;
  }
  std::vector<Owed>().swap(connection.extra().owed);
  connection.extra().deadline_ms = 0;
}

void Shard::block(std::uint32_t slot, Connection& connection, bool starved) {
  TOCSIN_ASSERT(!connection.blocked && !connection.batched);
  connection.blocked = true;
  Attachment& extra = connection.attach();
  extra.starved = starved;
  extra.blocked_since_ms = now_ms_;
  if (connection.state == State::stream) metrics_.streams_blocked.add();
  if (starved) {
    set_deadline(slot, connection, now_ms_ + kStarvedMs);
    return;
  }
  ++connection.armed;
  io_.watch(connection.fd, token(Op::writable, slot));
  set_deadline(
      slot, connection,
      now_ms_ + (connection.state == State::stream ? kSlowCheckMs
                                                   : std::uint64_t{options_->slow_seconds} * 1000));
}

void Shard::unblock(std::uint32_t slot, Connection& connection) {
  if (!connection.blocked) return;
  connection.blocked = false;
  Attachment& extra = connection.extra();
  extra.starved = false;
  extra.deadline_ms = 0;
  if (connection.state == State::stream) {
    metrics_.streams_blocked.sub();
    if (const auto behind = std::exchange(extra.skipped_behind, std::nullopt)) {
      owe_gap(connection, *behind);
    }
  } else {
    on_progress(slot, connection, std::uint64_t{options_->keep_alive_s} * 1000);
  }
  make_ready(slot, connection);
}

std::span<core::TopicCursor> Shard::topic_cursors(Connection& connection) {
  if (connection.many_topics()) return connection.extra().topics;
  single_ = {topics_[connection.topic].topic, 0};
  return {&single_, 1};
}

// It was blocked so long that the log went on without it.
void Shard::on_gap(std::uint32_t slot, Connection& connection) {
  const auto topics = topic_cursors(connection);
  const core::SlowRule rule =
      state_.hub.with([&](const core::Hub& hub) { return hub.slow_rule(topics); });
  if (rule.policy == core::SlowPolicy::disconnect) {
    end_slow(slot, connection);
    return;
  }
  const core::Sequence before = connection.cursor;
  connection.cursor = state_.hub.with(
      [&](core::Hub& hub) { return hub.skip_gap(topics, connection.cursor, now_ms_); });
  if (!connection.many_topics()) connection.cursor = std::max(connection.cursor, single_.from);
  metrics_.slow_skips.add();
  owe_gap(connection, before);
  make_ready(slot, connection);
}

// `behind`: the position up to which the stream was sent everything.
void Shard::owe_gap(Connection& connection, core::Sequence behind) {
  auto frame = std::make_shared<std::string>();
  const proto::Epoch epoch = state_.hub.epoch();
  core::append_gap_frame(*frame, core::GapReason::slow, proto::to_string({epoch, behind}),
                         topic_cursors(connection), {epoch, connection.cursor});
  connection.attach().owed.push_back({frame, *frame});
  metrics_.gaps.add();
}

// Policy `latest`: forgets what it missed but the newest event; told when there is room.
void Shard::skip_to_latest(Connection& connection) {
  const auto topics = topic_cursors(connection);
  const core::Sequence before = connection.cursor;
  const bool skipped = state_.hub.with([&](core::Hub& hub) {
    const bool gone = std::ranges::any_of(topics, [&](const core::TopicCursor& at) {
      return at.topic->log.dropped() > std::max(before, at.from);
    });
    const std::uint64_t bytes = hub.behind(topics, before).bytes;
    connection.cursor = hub.skip_to_latest(topics, before);
    // The cursor alone does not tell: with a quiet topic among many it stays where it was.
    return gone || hub.behind(topics, connection.cursor).bytes != bytes;
  });
  if (!skipped) {
    connection.cursor = before;  // the position that its reader knows
    return;
  }
  auto& behind = connection.extra().skipped_behind;
  if (!behind) behind = before;  // else it was skipped before, and not told yet
  metrics_.slow_skips.add();
}

// Called for a blocked stream from time to time. Counted is what was published since it opened and
// has not been taken: how far a replay reaches back says nothing about its reader.
void Shard::check_slow(std::uint32_t slot, Connection& connection) {
  if (connection.lost()) {
    end_slow(slot, connection);
    return;
  }
  const auto topics = topic_cursors(connection);
  const core::Sequence from = std::max(connection.cursor, connection.opened_at);
  const auto [behind, rule] = state_.hub.with([&](const core::Hub& hub) {
    return std::pair{hub.behind(topics, from), hub.slow_rule(topics)};
  });
  const std::uint64_t slow_ms = std::uint64_t{options_->slow_seconds} * 1000;
  const bool old = behind.since && *behind.since + slow_ms < now_ms_;
  const bool stuck = connection.extra().blocked_since_ms + slow_ms < now_ms_;
  if (behind.bytes > rule.bytes || old || stuck) {
    if (rule.policy == core::SlowPolicy::disconnect) {
      end_slow(slot, connection);
      return;
    }
    skip_to_latest(connection);
  }
  set_deadline(slot, connection, now_ms_ + kSlowCheckMs);
}

void Shard::end_slow(std::uint32_t slot, Connection& connection) {
  metrics_.slow_disconnects.add();
  terminate(slot, connection, true);
}

// --- closing: terminate, join what is in flight, close ---

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
    if (connection.extra().exchange) unfinished_.remove(slot);
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
