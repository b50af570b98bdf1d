// Streams: how they open, what holds them back.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/own_events.h"
#include "net/base/jitter.h"
#include "net/shard/shard.h"
#include "proto/assert.h"
#include "proto/sse_encode.h"
#include "proto/wire_id.h"

namespace tocsin::net {
namespace {

// A blocked stream's distance is looked at this often.
constexpr std::uint64_t kSlowCheckMs = 1000;
// The kernel had no memory for a send; asking at once would be a busy loop.
constexpr std::uint64_t kStarvedMs = 100;
// Behind the first: long enough for a proxy to have passed on what it read, too short to be noticed
// (the wheel's tick comes on top).
constexpr std::uint64_t kSecondWriteMs = 20;

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
  handler_.append_stream_head(connection.extra().exchange->parser.request(), wanted, reply_);
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
  connection.heartbeat_s = wanted.heartbeat_s;
  connection.extra().second_write = wanted.second_write;
  connection.chunked = wanted.framing == proto::Framing::chunked;
  append_opening(connection, wanted, *subscription);
  metrics_.streams_opened.add();
  if (wanted.resume != core::Resume::Kind::live) metrics_.resumed.add();
  join_topics(slot, connection, *subscription);
  owe_reply(slot, connection);
  watch_hangup(slot, connection);
  if (connection.heartbeat_s != 0) await_heartbeat(slot, connection);
  tell_opened(slot, connection, wanted, *subscription);
}

// What a stream's body begins with, behind the head in reply_.
void Shard::append_opening(Connection& connection, const Outcome& wanted,
                           const core::Subscription& subscription) {
  const auto append = [&](std::string_view piece) {
    proto::append_framed(reply_, connection.framing(), piece);
  };
  const proto::EventId here{state_.hub.epoch(), subscription.cursor};
  // An id longer than any that there can be is not repeated to its sender.
  std::string asked = proto::wire_id(subscription.last_event_id);
  if (asked.size() > limits::kMaxWireId) asked.clear();
  // Without a topic of the hub a position in it means nothing. Before a gap it is what the client
  // named: who is cut between the two would else not be told.
  std::string position;
  if (!wanted.topics.empty()) position = subscription.gap ? asked : proto::to_string(here);
  const bool fresh = wanted.resume == core::Resume::Kind::live;
  std::string piece;
  proto::append_greeting(piece, jittered(options_->retry_ms, random_),
                         fresh && !wanted.hello ? position : std::string{});
  append(piece);
  if (wanted.hello) {
    piece.clear();
    core::append_open_frame(piece, subscription.topics, position);
    append(piece);
  }
  std::string_view first = wanted.route ? wanted.route->first : std::string_view{};
  while (!first.empty()) {  // frame by frame
    const std::size_t end = first.find("\n\n");
    const std::string_view frame = first.substr(0, end == std::string_view::npos ? end : end + 2);
    append(frame);
    first.remove_prefix(frame.size());
  }
  if (!subscription.gap) return;
  piece.clear();
  core::append_gap_frame(piece, *subscription.gap, asked, subscription.topics, here);
  append(piece);
  metrics_.gaps.add();
}

// The stream is owed a piece of its body besides the log: an event, or lines of comment. It goes
// out before what the log has; make_ready() follows.
void Shard::owe(Connection& connection, std::string_view piece) {
  std::string framed;
  proto::append_framed(framed, connection.framing(), piece);
  const auto bytes = std::make_shared<const std::string>(std::move(framed));
  connection.attach().owed.push_back({bytes, *bytes});
}

std::optional<Rejection> Shard::admit(Connection& connection) {
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
void Shard::settle_idle(std::uint32_t slot, Connection& connection) {
  if (!connection.attachment) return;
  if (std::exchange(connection.extra().second_write, false)) {
    wheel_.schedule(
        {.slot = slot, .generation = connection.generation, .call = TimerWheel::Call::second_write},
        now_ms_ + kSecondWriteMs);
  }
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
  if (connection.state == State::stream) {
    metrics_.streams_blocked.add();
  } else {
    count_untaken(slot, connection);
  }
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
  std::string frame;
  const proto::Epoch epoch = state_.hub.epoch();
  core::append_gap_frame(frame, core::GapReason::slow, proto::to_string({epoch, behind}),
                         topic_cursors(connection), {epoch, connection.cursor});
  owe(connection, frame);
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

// Of a full socket what its reader has left in the kernel's memory is dropped with it.
void Shard::end_slow(std::uint32_t slot, Connection& connection) {
  metrics_.slow_disconnects.add();
  if (connection.blocked) {
    terminate(slot, connection, true);
  } else {
    end_stream(slot, connection);
  }
}

}  // namespace tocsin::net
