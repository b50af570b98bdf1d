// The hub: topics, the one sequence, who reads what, and what memory may be let go.
//
// Shards (net) do all the work; the hub is what they share. It says what to do and never does I/O:
// publish() returns which shards to wake, collect() which topics a shard must sweep, read() the
// bytes to send. Time is an argument.
//
// A batch goes in by three steps: it is submitted (refused, or not), ordered by the store (given
// its place in the history, core/store.h) and applied (appended, announced). publish() does all
// three where the store orders at once.
//
// Invariants: sequences are dense and increasing, given in order (I3, I13: core/journal.h). Nothing
// is in a log, and so before a subscriber, that has no place in the history (I12): apply() is the
// only way there. Every event is encoded once, into the log (I2). No page goes before every shard
// has swept it, so a subscriber whose socket keeps up never meets a gap, however slow the hub's own
// cores are.
//
// A direct topic is the log of one stream alone: made with it, found by no subscriber, gone with
// it.
//
// Threads: every member needs the hub's lock (net/state/shared_hub.h). Topic pointers are stable
// while the shard that got them from subscribe() has not called leave().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/batch.h"
#include "core/journal.h"
#include "core/keyed_hash.h"
#include "core/memory_store.h"
#include "core/namespaces.h"
#include "core/settings.h"
#include "core/shard_set.h"
#include "core/store.h"
#include "core/topic.h"
#include "core/topic_log.h"
#include "core/topic_table.h"
#include "proto/assert.h"
#include "proto/limits.h"
#include "proto/sse/event.h"
#include "proto/sse/event_id.h"

namespace tocsin::core {

// The batch's place, if it has one already.
struct Published : Place {
  ShardSet wake{};        // shards that had nothing to do before
  bool repeated = false;  // it was published before, there

  // The store answers later.
  [[nodiscard]] bool pending() const { return last == 0; }
  // Of one that is pending, kept where its place has room (the size of this is felt by those who
  // publish an event at a time): for whoever gave the ticket. REQUIRES: pending().
  [[nodiscard]] Ticket ticket() const {
    TOCSIN_ASSERT(pending());
    return first;
  }
  void set_ticket(Ticket ticket) {
    TOCSIN_ASSERT(pending());
    first = ticket;
  }
};

enum class PublishError : std::uint8_t {
  unknown_topic,  // and topics are not made by use
  topic_limit,    // max_topics
  too_many_new,   // one batch with more than kMaxNewTopics new topics
  reserved_id,    // a publisher's own id in the form of this hub's ids
  too_large,      // frame_bytes() is more than max_event_bytes(topic)
  busy,           // overloaded(): ask again when the shards have caught up; nothing was published
  unavailable,    // the store has no room, or cannot be reached; nothing was published
  // Of a publish with a key (core/store.h).
  differs,
  hole,
  forgotten,
};

// How a subscriber wants to begin.
struct Resume {
  enum class Kind : std::uint8_t { live, after_id, earliest };
  Kind kind = Kind::live;
  // after_id: the positions that the client named, at least one, in any of the forms that clients
  // send (proto/sse/wire_id.h). The newest of those that the hub knows counts; the order of the
  // others does not matter.
  std::span<const std::string_view> ids{};
};

enum class GapReason : std::uint8_t { expired, unknown_id, slow };

// One topic of a subscriber: replay takes nothing at or below `from` (history's floor when it
// came).
struct TopicCursor {
  Topic* topic = nullptr;
  Sequence from = 0;
};

struct Subscription {
  Sequence newest = 0;              // of the hub at this moment
  Sequence cursor = 0;              // everything up to here is delivered (or lost, see gap)
  std::vector<TopicCursor> topics;  // without repetitions
  std::optional<GapReason> gap;
  std::string_view last_event_id;  // of Resume::ids the one that counts; if none is known, the last
};

// A shard's unfinished work as the hub sees it. Bytes and sequences before the first unswept event.
struct Collected {
  std::vector<Topic*> topics;
  std::vector<Topic*> removed;  // of these: their streams end when they have what is there
  Sequence cut = 0;             // the newest sequence at the time
};

// How far behind the readers of some topics may be, and what happens then.
struct SlowRule {
  SlowPolicy policy;
  std::uint64_t bytes;
  TimeMs age_ms;
};

class Hub {
 public:
  // A hub whose history begins and ends with it. `epoch`: random, different at each start; `key`:
  // random.
  Hub(proto::Epoch epoch, std::size_t shards, HubSettings settings, const HashKey& key = {})
      : Hub(std::make_unique<MemoryStore>(epoch), shards, std::move(settings), key) {}
  // A hub that goes on with the history of a store, from where that begins. What is older is not
  // in its logs (see past()); what is newer comes by apply().
  Hub(std::unique_ptr<Store> store, std::size_t shards, HubSettings settings,
      const HashKey& key = {});
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  // All events or none, in their order: submitted, ordered and applied. On an error `failed` (if
  // given) is the offending event's index. `ticket`: by which a store that answers later names the
  // batch; what such a store has committed is applied by who is told of it. `key`: by which the
  // batch is known again; null: none. `expected` is told the number that comes next, where the
  // key's does not. A batch without a key that repeats() is not published again, if
  // HubSettings::ids_once.
  [[nodiscard]] std::expected<Published, PublishError> publish(std::span<const NewEvent> events,
                                                               TimeMs now,
                                                               std::size_t* failed = nullptr,
                                                               Ticket ticket = 0,
                                                               const PublishKey* key = nullptr,
                                                               std::uint64_t* expected = nullptr);
  // Each event has an id of its publisher, and the newest event with that id in its topic is the
  // same, byte for byte, and kept: where the last of them is.
  [[nodiscard]] std::optional<Sequence> repeats(std::span<const NewEvent> events) const;
  [[nodiscard]] bool ids_once() const { return settings_.ids_once; }
  // The first step alone: may the batch be published, as things are now? Changes nothing. What
  // waits after it (for `busy`, or for whoever gives the order) needs a copy: core/batch.h.
  // REQUIRES: at least one event.
  [[nodiscard]] std::optional<PublishError> submit(std::span<const NewEvent> events,
                                                   std::size_t& failed) const;
  // The last step, for a batch that has its place: appends it, and says which shards to wake. Never
  // refuses, as the batch has happened. An event whose topic is not there and cannot be made any
  // more takes its sequence and nothing else. REQUIRES: the place is the next one.
  [[nodiscard]] ShardSet apply(const Place& place, std::span<const NewEvent> events, TimeMs now);

  // What comes next is of a new epoch; what is here, and every cursor, stays. REQUIRES: it is none
  // that the history had.
  void fork(proto::Epoch epoch) { journal_.fork(epoch, journal_.last()); }

  // Makes `shard` a reader of the topics (there may be none), all or none of them. Nothing: a topic
  // does not exist and is not made (auto_topics is off, or max_topics are there).
  [[nodiscard]] std::optional<Subscription> subscribe(std::span<const std::string_view> topics,
                                                      const Resume& resume, ShardId shard,
                                                      TimeMs now);
  // Makes a direct topic that `shard` reads from here on. Events are published to it by its name,
  // which no other hub uses whose key is another.
  // It is no part of max_topics, keeps no history, and ends when `shard` leaves.
  [[nodiscard]] TopicCursor subscribe_direct(ShardId shard, TimeMs now);
  // A stream does not read these any more, whoever else does.
  void drop_reader(std::span<const TopicCursor> topics);
  // `shard` has no more readers of `topic`, and each was dropped; the pointer ends.
  void leave(Topic& topic, ShardId shard, TimeMs now);

  // Makes a topic that is not forgotten, or gives the one that exists these settings. False:
  // max_topics are there.
  [[nodiscard]] bool create(std::string_view name, TopicSettings settings, TimeMs now);
  // No name leads to the topic any more; its readers are told by Collected::removed. The shards to
  // wake; nothing: no such topic.
  [[nodiscard]] std::optional<ShardSet> remove(std::string_view name);
  [[nodiscard]] bool exists(std::string_view name) const { return topics_.find(name) != nullptr; }
  // What is known of a topic, for people.
  struct TopicFacts {
    std::string name;
    std::string space;        // its namespace
    std::uint64_t events = 0;  // that are kept, and their wire bytes
    std::uint64_t bytes = 0;
    std::uint32_t readers = 0;
  };
  // Nothing: no such topic.
  [[nodiscard]] std::optional<TopicFacts> facts_of(std::string_view name) const;
  // Appends some topics, the first time with SIZE_MAX as `below`, then with what was returned,
  // until that is 0. Looks at `most` of them. Who lists them all so has each topic that was there
  // all the time, perhaps twice.
  [[nodiscard]] std::size_t list_topics(std::size_t below, std::size_t most,
                                        std::vector<TopicFacts>& out) const;
  [[nodiscard]] DataForm data_form(std::string_view name) const;
  // The most that frame_bytes() of an event may be there.
  [[nodiscard]] std::size_t max_event_bytes(std::string_view name) const;

  // Takes the shard's list of topics with news. The shard then sweeps all its subscribers of them,
  // and calls swept() when every one was sent its part or found blocked. REQUIRES: no collection of
  // the shard is unfinished.
  void collect(ShardId shard, Collected& out);
  void swept(ShardId shard);
  [[nodiscard]] bool has_news(ShardId shard) const { return !shards_[shard].news.empty(); }

  // Over one or many topics: the pieces above `after` in sequence order, at most `max_bytes` and
  // `max_pieces` of them (appended to `out`), as of one moment.
  [[nodiscard]] ReadStatus read(std::span<const TopicCursor> topics, Sequence after,
                                std::size_t max_bytes, std::size_t max_pieces,
                                std::vector<Piece>& out) const;

  // What read() lacks for these topics, and the store may have. Up to `memory` some of their events
  // above `cursor` are gone from the logs (0: none). Above `store` the store has all; it is of use
  // where that is below `memory`.
  struct Past {
    Sequence memory = 0;
    Sequence store = 0;

    [[nodiscard]] bool is_kept() const { return store < memory; }
  };
  [[nodiscard]] Past past(std::span<const TopicCursor> topics, Sequence cursor) const;
  // As read(), of those topics alone of which the logs have all above `after`, and up to `until`.
  void read_whole(std::span<const TopicCursor> topics, Sequence after, Sequence until,
                  std::size_t max_bytes, std::size_t max_pieces, std::vector<Piece>& out) const;

  // For a reader that was sent a part of a frame of this page, which a piece has given it, or of
  // one that was made of what the store has kept.
  [[nodiscard]] Pin pin(const PageRef& page) { return pages_.pin(page); }

  // How far a reader is behind: wire bytes, and when its first missing event was published.
  struct Behind {
    std::uint64_t bytes = 0;
    std::optional<TimeMs> since;

    [[nodiscard]] bool breaks(const SlowRule& rule, TimeMs now) const {
      return bytes > rule.bytes || (since && *since < now && now - *since > rule.age_ms);
    }
  };
  [[nodiscard]] Behind behind(std::span<const TopicCursor> topics, Sequence cursor) const;
  // Disconnected if any of the topics says so; the most generous bounds of them.
  [[nodiscard]] SlowRule slow_rule(std::span<const TopicCursor> topics) const;

  // Four ways to go on behind a hole (the first is subscribe()). All return the last cursor from
  // which read() gives what is left: the id of a gap event, which takes its reader as far as one
  // number can, because with several topics another may keep events from before the hole's end.

  // Conflation: moves the topics' `from` so that only each topic's newest event (if it is above
  // `cursor` and still there) is left to read. Nothing: the reader at `cursor` misses nothing by
  // that, and stays where it is.
  [[nodiscard]] std::optional<Sequence> skip_to_latest(std::span<TopicCursor> topics,
                                                       Sequence cursor) const;
  // The store has nothing up to `above`: moves `from` behind what is gone of the topics that lack
  // something. Nothing: the reader misses nothing by that.
  [[nodiscard]] std::optional<Sequence> skip_hole(std::span<TopicCursor> topics, Sequence cursor,
                                                  Sequence above) const;
  // With `from` at history's floor where the log has gone on without the reader.
  [[nodiscard]] Sequence skip_gap(std::span<TopicCursor> topics, Sequence cursor, TimeMs now) const;

  // Enforces ages and forgets unused topics, a bounded number of topics per call; call some times a
  // second. Readers never depend on it: history's floor is exact at every subscribe.
  void maintain(TimeMs now);

  // Takes effect for everything that follows, but for namespaces: a topic has its old one until
  // renew_namespaces() has come to it. Topics named before stay.
  void reconfigure(HubSettings settings);
  // Gives `most` topics their places among the namespaces of the last reconfigure(). True: there
  // are more, and the caller comes again.
  bool renew_namespaces(std::size_t most);

  // Somebody was refused for the sake of this topic, by others than publish().
  void count_refusal(std::string_view topic) { ++counts_of(topic).refusals; }
  [[nodiscard]] std::vector<NamespaceTable::Named> namespace_counts() const {
    return namespaces_.all_counts();
  }

  // What is applied, and the epochs that ids are of.
  [[nodiscard]] const Journal& journal() const { return journal_; }
  [[nodiscard]] proto::Epoch epoch() const { return journal_.epochs().current(); }
  [[nodiscard]] Sequence last_sequence() const { return journal_.last(); }
  [[nodiscard]] std::size_t topics() const { return order_.size(); }
  [[nodiscard]] std::size_t log_bytes() const { return pages_.bytes(); }
  // Of pages that the logs have dropped and that readers are in the middle of.
  [[nodiscard]] std::size_t pinned_bytes() const { return pages_.pinned_bytes(); }
  [[nodiscard]] std::uint64_t encoded_bytes() const { return appended_bytes_; }
  [[nodiscard]] std::uint64_t events_encoded() const { return events_encoded_; }
  // Bytes appended that some shard has not swept yet.
  [[nodiscard]] std::uint64_t unswept_bytes() const;
  // True: the shards are so far behind that publishers must wait for them. The bound is half of the
  // backlog that a slow connection is allowed, so that the hub's own lag never makes one look slow,
  // and at most kMaxUnswept.
  [[nodiscard]] bool overloaded() const;

 private:
  struct Mark {  // the state before some shard's first unswept event
    Sequence sequence;
    std::uint64_t bytes;
  };
  struct ShardState {
    std::vector<Topic*> news;
    std::optional<Mark> news_since;   // before the first event in `news`
    std::optional<Mark> sweep_since;  // the same of the collection being swept
  };
  Topic* find_or_make(std::string_view name, TimeMs now);
  Topic& make(std::string_view name, TimeMs now);
  Topic& insert(std::string name, Sequence dropped, TimeMs now);
  void unlist(Topic& topic);
  void set_namespace(Topic& topic);
  [[nodiscard]] TopicFacts facts(const Topic& topic) const;
  void forget(Topic& topic);
  void end_if_unread(Topic& topic);
  [[nodiscard]] bool has_room(std::size_t count) const {
    return order_.size() - direct_ + count <= settings_.max_topics;
  }
  [[nodiscard]] bool can_make(std::size_t count) const {
    return settings_.auto_topics && has_room(count);
  }
  // The topic's own, else its namespace's, else the hub's.
  template <typename Value>
  [[nodiscard]] Value setting(const Topic& topic, std::optional<Value> TopicSettings::* one,
                              Value hubs) const;
  [[nodiscard]] HistoryLimits history_of(const Topic& topic) const;
  [[nodiscard]] BacklogLimits backlog_of(const Topic& topic) const;
  [[nodiscard]] SlowPolicy slow_policy_of(const Topic& topic) const;
  [[nodiscard]] bool replays_itself(const Topic& topic) const;
  [[nodiscard]] bool bounds_history(const Topic& topic) const;
  [[nodiscard]] Sequence kept_above(const Topic& topic) const;
  void note_removal(const Topic& topic);
  // By the name alone; of a topic that is there: Topic::space.
  [[nodiscard]] NamespaceId namespace_of(std::string_view name) const;
  [[nodiscard]] NamespaceCounts& counts_of(std::string_view name);
  void append(Topic& topic, const NewEvent& event, const proto::EventId& id, Sequence swept,
              TimeMs now);
  void pass_over(const NewEvent& event, Sequence sequence);
  ShardSet announce(Topic& topic, Mark before);
  [[nodiscard]] Sequence swept_by_all() const;
  void adopt_settings();
  // What total_bytes bounds.
  [[nodiscard]] std::size_t memory() const { return pages_.bytes() + pages_.pinned_bytes(); }
  void enforce_total();
  [[nodiscard]] Sequence before_next(std::span<const TopicCursor> topics, Sequence cursor) const;
  [[nodiscard]] ReadStatus read_merged(std::span<const TopicCursor> topics, Sequence after,
                                       std::size_t max_bytes, std::size_t max_pieces,
                                       std::vector<Piece>& out) const;
  [[nodiscard]] Sequence& forgotten(std::string_view name);

  const std::unique_ptr<Store> store_;
  Journal journal_;  // what is applied
  HubSettings settings_;
  NamespaceTable namespaces_;
  std::size_t renew_next_ = 0;  // topics of order_ below it have numbers from before replace()
  // No topic's max_event_bytes is less; of smaller events nobody has to ask. It only falls.
  std::size_t least_event_bound_ = SIZE_MAX;
  TimeMs now_ = 0;  // of the newest event: shards' clocks differ by their turns, a log's times rise
  std::uint64_t appended_bytes_ = 0;
  std::uint64_t events_encoded_ = 0;

  TopicTable topics_;
  // All of topics_; maintain() walks it in turns. A deque, because a vector moves all it has.
  std::deque<Topic*> order_;
  std::size_t direct_ = 0;  // of order_
  std::uint64_t directs_made_ = 0;
  // Removed, but some shard has readers or news of them yet.
  std::unordered_map<const Topic*, std::unique_ptr<Topic>> removed_;
  std::size_t maintain_next_ = 0;
  PageList pages_;
  std::vector<ShardState> shards_;

  // The newest sequence of any forgotten topic, by hash of its name. A topic that comes back starts
  // from its bucket's value, so that an old Last-Event-ID is answered with a gap and not with
  // silence. Fixed size; a collision can tell of a gap where there was none, never the reverse.
  static constexpr std::size_t kForgottenBuckets = 65'536;
  std::vector<Sequence> forgotten_;

  // Topics that were removed, and the newest event then: what the store keeps of them is given to
  // nobody, at or below `all_removed_` of no topic. At most limits::kMaxRemovedTopics.
  std::map<std::string, Sequence, std::less<>> removed_at_;
  Sequence all_removed_ = 0;
};

}  // namespace tocsin::core
