// The reader's side of the hub: subscribing, resuming, reading over many topics.
#include <algorithm>
#include <array>
#include <limits>

#include "core/hub.h"
#include "proto/assert.h"
#include "proto/sse/wire_id.h"

namespace tocsin::core {
namespace {

// Of the publisher's event with this id on the wire. In two topics: of the older one, which repeats
// where the newer one would lose.
std::optional<Sequence> find(std::string_view wire, std::span<const TopicCursor> topics) {
  std::optional<Sequence> found;
  for (const TopicCursor& at : topics) {
    const auto sequence = at.topic->log.find(wire);
    if (sequence && (!found || *sequence < *found)) found = sequence;
  }
  return found;
}

// The position that a Last-Event-ID names, in the hub's own form or as a publisher's id in one of
// the topics; nothing if it means nothing here (of no epoch of this history, behind where it
// forked, from the future, not kept).
std::optional<Sequence> resolve(std::string_view id, const Journal& journal,
                                std::span<const TopicCursor> topics) {
  if (id.size() > limits::kMaxWireId) return std::nullopt;
  const auto own = proto::parse_event_id(id);
  if (own && journal.epochs().has(own->epoch)) {
    return journal.epochs().position(*own, journal.last());
  }
  if (const auto found = find(id, topics)) return found;
  // Of several readings the older one, for the same reason.
  std::optional<Sequence> found;
  for (const std::string& wire : proto::other_readings(id)) {
    const auto sequence = find(wire, topics);
    if (sequence && (!found || *sequence < *found)) found = sequence;
  }
  return found;
}

struct Position {
  std::string_view id{};
  std::optional<Sequence> sequence{};
};

// A web page may be opened with one position and its polyfill append another at every reconnect.
Position newest_known(std::span<const std::string_view> ids, const Journal& journal,
                      std::span<const TopicCursor> topics) {
  TOCSIN_ASSERT(!ids.empty());
  Position found{.id = ids.back(), .sequence = std::nullopt};
  for (const std::string_view id : ids) {
    const auto sequence = resolve(id, journal, topics);
    if (sequence > found.sequence) found = {.id = id, .sequence = sequence};
  }
  return found;
}

}  // namespace

std::optional<Subscription> Hub::subscribe(std::span<const std::string_view> topics,
                                           const Resume& resume, ShardId shard, TimeMs now) {
  if (!can_make(topics.size())) {
    const auto missing = static_cast<std::size_t>(std::ranges::count_if(
        topics, [this](std::string_view name) { return topics_.find(name) == nullptr; }));
    if (missing > 0 && !can_make(missing)) return std::nullopt;
  }
  Subscription result;
  for (const std::string_view name : topics) {
    Topic* topic = find_or_make(name, now);
    TOCSIN_ASSERT(topic != nullptr);
    const bool repeated = std::ranges::any_of(
        result.topics, [topic](const TopicCursor& at) { return at.topic == topic; });
    if (!repeated) result.topics.push_back({topic, 0});
  }
  for (const TopicCursor& at : result.topics) {
    at.topic->subscribers.add(shard);
    ++at.topic->readers;
    NamespaceCounts& counts = namespaces_.counts(at.topic->space);
    ++counts.subscriptions;
    ++counts.readers;
  }

  result.newest = last_sequence();
  result.cursor = last_sequence();
  const bool live = resume.kind == Resume::Kind::live;
  const auto replays = [this](const TopicCursor& at) { return replays_itself(*at.topic); };
  if (live && std::ranges::none_of(result.topics, replays)) return result;
  const bool named = resume.kind == Resume::Kind::after_id && !result.topics.empty();
  const auto [id, position] =
      named ? newest_known(resume.ids, journal_, result.topics) : Position{};
  // Who asks for what is older than memory says from where on.
  const bool reaches_back = position || resume.kind == Resume::Kind::earliest;
  Sequence least = last_sequence();
  for (TopicCursor& at : result.topics) {
    const bool replayed = !live || replays(at);
    at.from = replayed ? at.topic->log.history_floor(history_of(*at.topic), now) : last_sequence();
    if (reaches_back) at.from = std::min(at.from, kept_above(*at.topic));
    least = std::min(least, at.from);
  }
  result.cursor = least;
  if (!named) return result;
  result.last_event_id = id;
  if (!position) {
    result.gap = GapReason::unknown_id;
  } else {
    result.cursor = std::max(least, *position);
    const auto expired = [&](const TopicCursor& at) { return at.from > *position; };
    if (std::ranges::any_of(result.topics, expired)) result.gap = GapReason::expired;
  }
  if (result.gap) result.cursor = before_next(result.topics, result.cursor);
  return result;
}

// Right before the first event that a reader at `cursor` is given. Of those that only the store has
// nobody knows whose they are.
Sequence Hub::before_next(std::span<const TopicCursor> topics, Sequence cursor) const {
  Sequence next = last_sequence() + 1;
  for (const TopicCursor& at : topics) {
    const Sequence after = std::max(cursor, at.from);
    if (at.topic->log.dropped() > after) next = std::min(next, after + 1);
    next = std::min(next, at.topic->log.next_after(after).value_or(next));
  }
  return next - 1;
}

// Behind which the store may give a reader what memory has no more; kNoPast: nothing.
Sequence Hub::kept_above(const Topic& topic) const {
  if (bounds_history(topic)) return Store::kNoPast;
  const auto removed = removed_at_.find(topic.name);
  return std::max({store_->floor(), all_removed_,
                   removed == removed_at_.end() ? Sequence{0} : removed->second});
}

Hub::Past Hub::past(std::span<const TopicCursor> topics, Sequence cursor) const {
  Past past{.store = store_->floor()};
  for (const TopicCursor& at : topics) {
    const Sequence gone = at.topic->log.dropped();
    if (gone > std::max(cursor, at.from)) past.memory = std::max(past.memory, gone);
  }
  return past;
}

void Hub::read_whole(std::span<const TopicCursor> topics, Sequence after, Sequence until,
                     std::size_t max_bytes, std::size_t max_pieces,
                     std::vector<Piece>& out) const {
  std::array<TopicCursor, limits::kMaxTopicsPerSubscriber + 1> memory;
  TOCSIN_ASSERT(topics.size() <= memory.size());
  const auto end = std::ranges::copy_if(topics, memory.begin(), [after](const TopicCursor& at) {
                     return at.topic->log.dropped() <= std::max(after, at.from);
                   }).out;
  const std::span<const TopicCursor> whole{memory.begin(), end};
  if (whole.empty()) return;
  const ReadStatus status = read(whole, after, max_bytes, max_pieces, out);
  TOCSIN_ASSERT(status != ReadStatus::gap);
  while (!out.empty() && out.back().last_sequence() > until) {
    Piece& piece = out.back();
    piece.last = piece.page->first_after(until);
    if (piece.last > piece.first) return;
    out.pop_back();
  }
}

TopicCursor Hub::subscribe_direct(ShardId shard, TimeMs now) {
  // Several hubs may have one history: of this name no other hub has a stream.
  std::string name{Topic::kDirectMark};
  name += std::to_string(topics_.hash(name)) + '.' + std::to_string(++directs_made_);
  Topic& topic = insert(std::move(name), last_sequence(), now);
  ++direct_;
  topic.subscribers.add(shard);
  return {&topic, last_sequence()};
}

void Hub::drop_reader(std::span<const TopicCursor> topics) {
  for (const TopicCursor& at : topics) {
    if (at.topic->is_direct()) continue;  // its one reader is known without counting
    NamespaceCounts& counts = namespaces_.counts(at.topic->space);
    TOCSIN_ASSERT(at.topic->readers > 0 && counts.readers > 0);
    --at.topic->readers;
    --counts.readers;
  }
}

void Hub::leave(Topic& topic, ShardId shard, TimeMs now) {
  TOCSIN_ASSERT(topic.subscribers.has(shard));
  topic.subscribers.remove(shard);
  topic.last_used = now;
  // If it is on the shard's list of news, collect() takes it off (and until then its dirty bit
  // keeps the topic): to search the list here would be quadratic when many leave at once.
  if (topic.removed || topic.is_direct()) end_if_unread(topic);
}

ReadStatus Hub::read(std::span<const TopicCursor> topics, Sequence after, std::size_t max_bytes,
                     std::size_t max_pieces, std::vector<Piece>& out) const {
  if (topics.size() > 1) return read_merged(topics, after, max_bytes, max_pieces, out);
  const TopicLog& log = topics.front().topic->log;
  Sequence cursor = std::max(after, topics.front().from);
  for (std::size_t n = 0; n < max_pieces; ++n) {
    Piece piece;
    const ReadStatus status = log.read(cursor, max_bytes, piece);
    if (status == ReadStatus::gap) return status;
    if (status == ReadStatus::end) return n == 0 ? status : ReadStatus::last;
    const std::size_t size = piece.bytes().size();
    if (n > 0 && size > max_bytes) return ReadStatus::more;
    cursor = piece.last_sequence();
    out.push_back(std::move(piece));
    if (status == ReadStatus::last) return status;
    if (size >= max_bytes) return ReadStatus::more;
    max_bytes -= size;
  }
  return ReadStatus::more;
}

// One piece at a time from the topic whose next event is the oldest, up to where another's begins.
ReadStatus Hub::read_merged(std::span<const TopicCursor> topics, Sequence after,
                            std::size_t max_bytes, std::size_t max_pieces,
                            std::vector<Piece>& out) const {
  constexpr Sequence kNone = std::numeric_limits<Sequence>::max();
  struct Next {
    Piece piece;  // all that is left in its page
    Sequence sequence = kNone;
  };
  // No allocation per delivery (I7). One more: the stream's direct topic.
  std::array<Next, limits::kMaxTopicsPerSubscriber + 1> memory;
  TOCSIN_ASSERT(topics.size() <= memory.size());
  const std::span<Next> nexts{memory.data(), topics.size()};
  const auto advance = [&](std::size_t i, Sequence cursor) {
    Next& next = nexts[i];
    const TopicLog& log = topics[i].topic->log;
    const ReadStatus status = log.read(std::max(cursor, topics[i].from), max_bytes, next.piece);
    const bool there = status == ReadStatus::more || status == ReadStatus::last;
    next.sequence = there ? next.piece.page->sequence_of(next.piece.first) : kNone;
    return status;
  };
  for (std::size_t i = 0; i < topics.size(); ++i) {
    if (advance(i, after) == ReadStatus::gap) return ReadStatus::gap;
  }
  for (std::size_t n = 0; n < max_pieces; ++n) {
    std::size_t first = 0;
    Sequence second = kNone;  // the oldest event of the other topics
    for (std::size_t i = 1; i < nexts.size(); ++i) {
      if (nexts[i].sequence < nexts[first].sequence) {
        second = nexts[first].sequence;
        first = i;
      } else {
        second = std::min(second, nexts[i].sequence);
      }
    }
    if (nexts[first].sequence == kNone) return ReadStatus::end;
    Piece piece = nexts[first].piece;
    if (second != kNone) {
      piece.last = std::min(piece.last, piece.page->first_after(second));
    }
    const std::size_t size = piece.bytes().size();
    if (n > 0 && size > max_bytes) return ReadStatus::more;
    max_bytes -= std::min(size, max_bytes);
    const ReadStatus status = advance(first, piece.last_sequence());
    TOCSIN_ASSERT(status != ReadStatus::gap);
    out.push_back(std::move(piece));
    if (second == kNone && nexts[first].sequence == kNone) return ReadStatus::last;
    if (max_bytes == 0) return ReadStatus::more;
  }
  return ReadStatus::more;
}

Hub::Behind Hub::behind(std::span<const TopicCursor> topics, Sequence cursor) const {
  Behind result;
  for (const TopicCursor& at : topics) {
    const Sequence after = std::max(cursor, at.from);
    result.bytes += at.topic->log.bytes_after(after);
    if (const auto time = at.topic->log.time_after(after)) {
      result.since = std::min(result.since.value_or(*time), *time);
    }
  }
  return result;
}

SlowRule Hub::slow_rule(std::span<const TopicCursor> topics) const {
  SlowRule rule{.policy = SlowPolicy::latest, .bytes = 0, .age_ms = settings_.backlog.age_ms};
  for (const TopicCursor& at : topics) {
    if (slow_policy_of(*at.topic) == SlowPolicy::disconnect) rule.policy = SlowPolicy::disconnect;
    rule.bytes = std::max<std::uint64_t>(rule.bytes, backlog_of(*at.topic).bytes);
  }
  return rule;
}

std::optional<Sequence> Hub::skip_to_latest(std::span<TopicCursor> topics, Sequence cursor) const {
  const bool gone = std::ranges::any_of(topics, [cursor](const TopicCursor& at) {
    return at.topic->log.dropped() > std::max(cursor, at.from);
  });
  const std::uint64_t bytes = behind(topics, cursor).bytes;
  for (TopicCursor& at : topics) {
    const TopicLog& log = at.topic->log;
    const Sequence newest = log.last_sequence();
    const Sequence before_newest = newest == 0 ? 0 : newest - 1;
    // If memory has not even that, the store may have it.
    const Sequence gone_up_to = std::min(log.dropped(), store_->floor());
    at.from = std::max({at.from, cursor, gone_up_to, before_newest});
  }
  const Sequence next = before_next(topics, cursor);
  // The cursor alone does not tell: with a quiet topic among many it stays where it was.
  if (!gone && behind(topics, next).bytes == bytes) return std::nullopt;
  return next;
}

std::optional<Sequence> Hub::skip_hole(std::span<TopicCursor> topics, Sequence cursor,
                                       Sequence above) const {
  bool misses = false;
  for (TopicCursor& at : topics) {
    const Sequence after = std::max(cursor, at.from);
    const Sequence gone = std::min(above, at.topic->log.dropped());
    if (gone <= after) continue;
    at.from = gone;
    misses = true;
  }
  if (!misses) return std::nullopt;
  return before_next(topics, cursor);
}

Sequence Hub::skip_gap(std::span<TopicCursor> topics, Sequence cursor, TimeMs now) const {
  for (TopicCursor& at : topics) {
    if (at.topic->log.dropped() > std::max(cursor, at.from)) {
      at.from = at.topic->log.history_floor(history_of(*at.topic), now);
    }
  }
  return before_next(topics, cursor);
}

// --- what there is, for people

Hub::TopicFacts Hub::facts(const Topic& topic) const {
  return {.name = topic.name,
          .space = namespaces_.name(topic.space),
          .events = topic.log.events(),
          .bytes = topic.log.bytes(),
          .readers = topic.readers};
}

std::optional<Hub::TopicFacts> Hub::facts_of(std::string_view name) const {
  const Topic* topic = topics_.find(name);
  if (topic == nullptr || topic->is_direct()) return std::nullopt;
  return facts(*topic);
}

// From the end, for the reason that renew_namespaces() has.
std::size_t Hub::list_topics(std::size_t below, std::size_t most,
                             std::vector<TopicFacts>& out) const {
  below = std::min(below, order_.size());
  for (; most > 0 && below > 0; --most) {
    const Topic& topic = *order_[--below];
    if (!topic.is_direct()) out.push_back(facts(topic));
  }
  return below;
}

}  // namespace tocsin::core
