// The topics that a shard's streams read, and who reads them.
//
// Threads: the shard's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "core/hub.h"
#include "net/shard/connection_table.h"
#include "proto/assert.h"

namespace tocsin::net {

struct LocalTopic {
  core::Topic* topic = nullptr;            // valid until Hub::leave
  std::vector<std::uint32_t> subscribers;  // slots
  bool sweeping = false;                   // in the running sweep: stays even without subscribers
  bool ending = false;                     // removed: its streams are being ended, and it stays
};

// What a stream of more than one topic reads. A stream of one has all of it in its record.
struct TopicSet {
  struct Place {
    std::uint32_t topic;  // local
    std::uint32_t place;  // in its subscribers
  };
  std::vector<Place> places;
  std::vector<core::TopicCursor> cursors;  // parallel to `places`
};

// Which number a topic has, by its pointer. Open addressing with linear probing over the numbers
// alone: what is compared is the topic that stands under a number, whose record is wanted next
// anyway. With 10,000 topics the table is in the cache, where chained nodes of as many are not.
class TopicIndex {
 public:
  static constexpr std::uint32_t kNone = 0xffff'ffff;

  // `topic_at(number)` is the topic of a number that was added and not removed, here and below.
  // kNone: it was not added.
  template <typename TopicAt>
  [[nodiscard]] std::uint32_t find(const core::Topic* topic, const TopicAt& topic_at) const {
    if (places_.empty()) return kNone;
    std::size_t at = begin_of(topic);
    while (places_[at] != kNone && topic_at(places_[at]) != topic) at = next(at);
    return places_[at];
  }

  // REQUIRES: the topic is not there, and `topic_at` knows the number already.
  template <typename TopicAt>
  void add(std::uint32_t number, const TopicAt& topic_at) {
    if (2 * (size_ + 1) > places_.size()) grow(topic_at);
    ++size_;
    place(number, topic_at(number));
  }

  // REQUIRES: it was added, and `topic_at` knows it still.
  template <typename TopicAt>
  void remove(std::uint32_t number, const TopicAt& topic_at) {
    std::size_t at = begin_of(topic_at(number));
    while (places_[at] != number) {
      TOCSIN_ASSERT(places_[at] != kNone);
      at = next(at);
    }
    --size_;
    // What follows moves up, if it is behind where its search begins: no search ends too early.
    for (std::size_t other = next(at); places_[other] != kNone; other = next(other)) {
      const std::size_t from_begin = (other - begin_of(topic_at(places_[other]))) & mask();
      if (from_begin < ((other - at) & mask())) continue;
      places_[at] = places_[other];
      at = other;
    }
    places_[at] = kNone;
  }

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  [[nodiscard]] std::size_t mask() const { return places_.size() - 1; }
  [[nodiscard]] std::size_t next(std::size_t at) const { return (at + 1) & mask(); }
  // Fibonacci hashing: an allocator's addresses differ in their middle.
  [[nodiscard]] std::size_t begin_of(const core::Topic* topic) const {
    return (reinterpret_cast<std::uintptr_t>(topic) * 0x9e37'79b9'7f4a'7c15) >> shift_;
  }
  void place(std::uint32_t number, const core::Topic* topic) {
    std::size_t at = begin_of(topic);
    while (places_[at] != kNone) at = next(at);
    places_[at] = number;
  }
  template <typename TopicAt>
  void grow(const TopicAt& topic_at) {
    std::vector<std::uint32_t> old(places_.empty() ? 4 : 2 * places_.size(), kNone);
    shift_ = places_.empty() ? 62 : shift_ - 1;
    old.swap(places_);
    for (const std::uint32_t number : old) {
      if (number != kNone) place(number, topic_at(number));
    }
  }

  std::vector<std::uint32_t> places_;  // a power of two, or none; at most half of them are taken
  std::size_t size_ = 0;
  unsigned shift_ = 64;  // 64 - log2(places)
};

class LocalTopics {
  // For the index: it has numbers only.
  struct TopicAt {
    const std::vector<LocalTopic>& topics;
    const core::Topic* operator()(std::uint32_t id) const { return topics[id].topic; }
  };

 public:
  // `table` outlives it.
  explicit LocalTopics(ConnectionTable& table) : table_(table) {}

  [[nodiscard]] std::uint32_t find_or_add(core::Topic* topic) {
    const std::uint32_t known = index_.find(topic, TopicAt{topics_});
    if (known != TopicIndex::kNone) return known;
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(topics_.size()));
      topics_.emplace_back();
    }
    const std::uint32_t id = free_.back();
    free_.pop_back();
    topics_[id].topic = topic;
    index_.add(id, TopicAt{topics_});
    return id;
  }

  // REQUIRES: `topic` was added.
  [[nodiscard]] std::uint32_t find(core::Topic* topic) const {
    const std::uint32_t id = index_.find(topic, TopicAt{topics_});
    TOCSIN_ASSERT(id != TopicIndex::kNone);
    return id;
  }

  // A stream reads these, at least one, from now on.
  void join(std::uint32_t slot, Stream& stream, std::span<const core::TopicCursor> topics) {
    TOCSIN_ASSERT(!topics.empty() && stream.topic == Stream::kNoTopic);
    if (topics.size() == 1) {
      const auto [topic, place] = join_one(slot, topics.front().topic);
      stream.topic = topic;
      stream.place = place;
      return;
    }
    if (free_sets_.empty()) {
      free_sets_.push_back(static_cast<std::uint32_t>(sets_.size()));
      sets_.emplace_back();
    }
    stream.topic = Stream::kManyTopics;
    stream.place = free_sets_.back();
    free_sets_.pop_back();
    TopicSet& set = sets_[stream.place];
    set.cursors.assign(topics.begin(), topics.end());
    for (const core::TopicCursor& at : topics) set.places.push_back(join_one(slot, at.topic));
  }

  // It reads none of them any more. `left(topic, other)` for each of them, by its number; who takes
  // the place of the one that leaves is `other`, the last subscriber (`slot`: nobody).
  template <typename Left>
  void leave(std::uint32_t slot, Stream& stream, Left&& left) {
    const TopicSet::Place at{.topic = stream.topic, .place = stream.place};
    stream.topic = Stream::kNoTopic;
    if (at.topic != Stream::kManyTopics) {
      left(at.topic, take_out(slot, at));
      return;
    }
    const TopicSet set = std::exchange(sets_[at.place], {});
    free_sets_.push_back(at.place);
    for (const TopicSet::Place& one : set.places) left(one.topic, take_out(slot, one));
  }

  // The topics of a stream, and above what it reads them. Valid until the next call.
  [[nodiscard]] std::span<core::TopicCursor> cursors(const Stream& stream) {
    if (stream.many_topics()) return sets_[stream.place].cursors;
    single_ = {topics_[stream.topic].topic, 0};
    return {&single_, 1};
  }

  // REQUIRES: no subscribers, neither sweeping nor ending.
  void remove(std::uint32_t id) {
    LocalTopic& local = topics_[id];
    TOCSIN_ASSERT(local.subscribers.empty() && !local.sweeping && !local.ending);
    TOCSIN_ASSERT(local.topic != nullptr);
    index_.remove(id, TopicAt{topics_});
    local = LocalTopic{};
    free_.push_back(id);
  }

  [[nodiscard]] LocalTopic& operator[](std::uint32_t id) {
    TOCSIN_DEBUG_ASSERT(id < topics_.size());
    return topics_[id];
  }
  [[nodiscard]] std::size_t size() const { return index_.size(); }

 private:
  TopicSet::Place join_one(std::uint32_t slot, core::Topic* topic) {
    const std::uint32_t id = find_or_add(topic);
    auto& subscribers = topics_[id].subscribers;
    subscribers.push_back(slot);
    return {.topic = id, .place = static_cast<std::uint32_t>(subscribers.size() - 1)};
  }

  // Who has the place now; `slot`: nobody.
  std::uint32_t take_out(std::uint32_t slot, TopicSet::Place at) {
    auto& subscribers = topics_[at.topic].subscribers;
    TOCSIN_ASSERT(subscribers[at.place] == slot);
    const std::uint32_t moved = subscribers.back();
    subscribers[at.place] = moved;
    subscribers.pop_back();
    if (moved == slot) return slot;
    Stream& other = table_[moved].stream;
    if (other.many_topics()) {
      auto& places = sets_[other.place].places;
      std::ranges::find(places, at.topic, &TopicSet::Place::topic)->place = at.place;
    } else {
      other.place = at.place;
    }
    return moved;
  }

  ConnectionTable& table_;
  std::vector<LocalTopic> topics_;
  std::vector<std::uint32_t> free_;
  TopicIndex index_;
  std::deque<TopicSet> sets_;  // by Stream::place; stays where it is while others come
  std::vector<std::uint32_t> free_sets_;
  core::TopicCursor single_;  // see cursors()
};

}  // namespace tocsin::net
