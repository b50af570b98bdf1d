#include "core/hub.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>

#include "proto/assert.h"

namespace tocsin::core {
namespace {

// Topics that one call of maintain() visits: each may be a cache miss or three, under the lock.
constexpr std::size_t kMaintainTopics = 1024;
// With very many topics more of them, so that none waits for minutes; about a millisecond.
constexpr std::size_t kMaintainMost = 8192;
constexpr std::size_t kMaintainPart = 64;

// Unswept pages that one call of enforce_total() passes over.
constexpr std::size_t kMaxPassedPages = 16;

}  // namespace

Hub::Hub(std::unique_ptr<Store> store, std::size_t shards, HubSettings settings, const HashKey& key)
    : store_(std::move(store)),
      journal_(store_->beginning()),
      settings_(std::move(settings)),
      namespaces_(settings_.namespaces),
      topics_(key),
      shards_(shards),
      forgotten_(kForgottenBuckets, journal_.last()) {
  TOCSIN_ASSERT(shards > 0 && shards <= limits::kMaxShards);
  adopt_settings();
}

Hub::~Hub() = default;

// --- topics ---

Sequence& Hub::forgotten(std::string_view name) {
  return forgotten_[topics_.hash(name) % kForgottenBuckets];
}

Topic* Hub::find_or_make(std::string_view name, TimeMs now) {
  if (Topic* topic = topics_.find(name)) return topic;
  return can_make(1) && !Topic::is_direct_name(name) ? &make(name, now) : nullptr;
}

Topic& Hub::make(std::string_view name, TimeMs now) {
  if (Topic* existing = topics_.find(name)) return *existing;
  return insert(std::string{name}, forgotten(name), now);
}

Topic& Hub::insert(std::string name, Sequence dropped, TimeMs now) {
  Topic& topic = topics_.insert(std::make_unique<Topic>(std::move(name), dropped));
  topic.index = static_cast<std::uint32_t>(order_.size());
  topic.space = namespace_of(topic.name);
  topic.last_used = now;
  order_.push_back(&topic);
  return topic;
}

// Out of order_, and what it had is remembered (of a direct topic nobody will ask).
void Hub::unlist(Topic& topic) {
  order_[topic.index] = order_.back();
  order_[topic.index]->index = topic.index;
  order_.pop_back();
  if (topic.is_direct()) {
    --direct_;
    return;
  }
  Sequence& bucket = forgotten(topic.name);
  bucket = std::max(bucket, topic.log.last_sequence());
}

void Hub::forget(Topic& topic) {
  TOCSIN_ASSERT(topic.subscribers.is_empty() && topic.dirty.is_empty() && topic.log.empty());
  TOCSIN_ASSERT(topic.readers == 0);
  unlist(topic);
  topics_.extract(topic).reset();
}

bool Hub::create(std::string_view name, TopicSettings settings, TimeMs now) {
  if (!exists(name) && !has_room(1)) return false;
  Topic& topic = make(name, now);
  topic.declared = true;
  least_event_bound_ = std::min(least_event_bound_, settings.max_event_bytes.value_or(SIZE_MAX));
  topic.settings = std::make_unique<const TopicSettings>(settings);
  return true;
}

std::optional<ShardSet> Hub::remove(std::string_view name) {
  Topic* found = topics_.find(name);
  if (found == nullptr) return std::nullopt;
  Topic& topic = *found;
  unlist(topic);
  note_removal(topic);
  std::unique_ptr<Topic> owned = topics_.extract(topic);
  topic.removed = true;
  set_namespace(topic);  // renew_namespaces() finds it no more
  removed_.emplace(&topic, std::move(owned));
  const ShardSet wake = announce(topic, {last_sequence(), appended_bytes_});
  end_if_unread(topic);
  return wake;
}

void Hub::note_removal(const Topic& topic) {
  if (store_->floor() == Store::kNoPast) return;
  if (removed_at_.size() == limits::kMaxRemovedTopics) {
    removed_at_.clear();
    all_removed_ = last_sequence();
  }
  removed_at_[topic.name] = last_sequence();
}

// A topic that no name leads to lives as long as a shard reads it or has it on its list.
void Hub::end_if_unread(Topic& topic) {
  if (!topic.subscribers.is_empty() || !topic.dirty.is_empty()) return;
  while (!topic.log.empty()) topic.log.drop_oldest(pages_);
  if (topic.removed) {
    TOCSIN_ASSERT(topic.readers == 0);
    removed_.erase(&topic);
  } else {
    forget(topic);
  }
}

// --- news ---

// Puts the topic on the list of every shard that reads it; says who had an empty list before.
ShardSet Hub::announce(Topic& topic, Mark before) {
  ShardSet wake;
  (topic.subscribers - topic.dirty).for_each([&](ShardId shard) {
    ShardState& state = shards_[shard];
    if (state.news.empty()) {
      wake.add(shard);
      state.news_since = before;
    }
    state.news.push_back(&topic);
  });
  topic.dirty |= topic.subscribers;
  return wake;
}

// --- what is still needed ---

Sequence Hub::swept_by_all() const {
  Sequence swept = last_sequence();
  for (const ShardState& state : shards_) {
    if (state.sweep_since) swept = std::min(swept, state.sweep_since->sequence);
    if (state.news_since) swept = std::min(swept, state.news_since->sequence);
  }
  return swept;
}

std::uint64_t Hub::unswept_bytes() const {
  std::uint64_t swept = appended_bytes_;
  for (const ShardState& state : shards_) {
    if (state.sweep_since) swept = std::min(swept, state.sweep_since->bytes);
    if (state.news_since) swept = std::min(swept, state.news_since->bytes);
  }
  return appended_bytes_ - swept;
}

bool Hub::overloaded() const {
  return unswept_bytes() > std::clamp<std::uint64_t>(settings_.backlog.bytes / 2,
                                                     limits::kMinUnswept, limits::kMaxUnswept);
}

void Hub::enforce_total() {
  const Sequence swept = swept_by_all();
  std::size_t passed = 0;
  while (memory() > settings_.total_bytes && passed < kMaxPassedPages) {
    Page* oldest = pages_.oldest();
    if (oldest == nullptr) return;
    TopicLog& owner = PageList::owner(*oldest);
    if (oldest->last_sequence() <= swept) {
      owner.drop_oldest(pages_);
    } else {
      // It has news, so it counts as new: a page that fills slowly must not shield all others.
      pages_.renew(*oldest);
      ++passed;
    }
  }
}

void Hub::maintain(TimeMs now) {
  pages_.release_unpinned();
  const Sequence swept = swept_by_all();
  for (std::size_t n =
           std::min(std::clamp(order_.size() / kMaintainPart, kMaintainTopics, kMaintainMost),
                    order_.size());
       n > 0 && !order_.empty(); --n) {
    if (maintain_next_ >= order_.size()) maintain_next_ = 0;
    Topic& topic = *order_[maintain_next_];
    topic.log.trim(history_of(topic), backlog_of(topic), swept, now, pages_);
    const bool unused = topic.subscribers.is_empty() && topic.dirty.is_empty() &&
                        topic.log.empty() && !topic.declared && now >= topic.last_used &&
                        now - topic.last_used >= settings_.topic_idle_ms;
    if (unused) {
      forget(topic);  // another topic takes its place in order_
    } else {
      ++maintain_next_;
    }
  }
  enforce_total();
}

// --- a shard's work ---

void Hub::collect(ShardId shard, Collected& out) {
  ShardState& state = shards_[shard];
  TOCSIN_ASSERT(!state.sweep_since);
  out.topics.clear();
  out.removed.clear();
  out.topics.swap(state.news);
  out.cut = last_sequence();
  std::erase_if(out.topics, [&](Topic* topic) {
    topic->dirty.remove(shard);
    if (topic->subscribers.has(shard)) {
      if (topic->removed) out.removed.push_back(topic);
      return false;
    }
    if (topic->removed || topic->is_direct()) end_if_unread(*topic);
    return true;  // left since
  });
  state.sweep_since = std::exchange(state.news_since, std::nullopt);
}

void Hub::swept(ShardId shard) {
  shards_[shard].sweep_since.reset();
}

}  // namespace tocsin::core
