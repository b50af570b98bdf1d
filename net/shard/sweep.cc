#include "net/shard/sweep.h"

#include <algorithm>

#include "proto/assert.h"

namespace tocsin::net {
namespace {

// How far ahead records are fetched into the cache: a batch of sends lies between.
constexpr std::size_t kPrefetch = 8;
// Topics whose first readers are fetched at a time: records of 64 bytes, a part of the cache.
constexpr std::size_t kTopicsAhead = 64;

// Into the cache, to be written. GCC takes a function that does nothing else for one without an
// effect, and leaves out the calls of it: the empty statement is an effect.
void fetch(const void* memory) {
  __builtin_prefetch(memory, 1);
  asm volatile("" : : "r"(memory));
}

}  // namespace

void Sweep::collect() {
  if (running_) return;
  const bool news = shard_.state.hub.with([&](core::Hub& hub) {
    if (!hub.has_news(shard_.id)) return false;
    hub.collect(shard_.id, collected_);
    return true;
  });
  if (!news) return;
  TOCSIN_ASSERT(leftovers_ == 0 && topics_.empty());
  running_ = true;
  cut_ = collected_.cut;
  topic_ = 0;
  visited_ = 0;
  for (core::Topic* topic : collected_.topics) {
    const std::uint32_t local = shard_.topics.find(topic);
    shard_.topics[local].sweeping = true;
    topics_.push_back(local);
  }
  for (core::Topic* topic : collected_.removed) {
    shard_.topics[shard_.topics.find(topic)].ending = true;
  }
}

bool Sweep::slice() {
  if (!running_) {
    outbox_.flush();
    return false;
  }
  const std::uint64_t until_us = shard_.slice_end_us();
  while (topic_ < topics_.size()) {
    if (topic_ % kTopicsAhead == 0 && visited_ == 0) fetch_first_readers();
    if (!sweep_topic(until_us)) break;
    const std::uint32_t local = topics_[topic_];
    shard_.topics[local].sweeping = false;
    subscriptions_.drop_if_unread(local);
    ++topic_;
    visited_ = 0;
  }
  outbox_.flush();
  const bool over = topic_ == topics_.size() && leftovers_ == 0;
  if (over) finish();
  return over;
}

// With many topics of one reader each every record is a cache miss, and in a short loop the
// processor waits for many of them at once.
void Sweep::fetch_first_readers() const {
  const std::size_t end = std::min(topic_ + kTopicsAhead, topics_.size());
  for (std::size_t i = topic_; i < end; ++i) {
    const auto& subscribers = shard_.topics[topics_[i]].subscribers;
    if (!subscribers.empty()) fetch(&shard_.table[subscribers.front()]);
  }
}

// Visits the topic's subscribers from a random one to the last, then from the first to there:
// nobody is always served last. False: the slice is used up. Subscribers that come meanwhile are
// brought up to date as they come; for those that leave, see on_moved.
bool Sweep::sweep_topic(std::uint64_t until_us) {
  const std::uint32_t local = topics_[topic_];
  if (visited_ == 0) {
    const std::size_t n = shard_.topics[local].subscribers.size();
    start_ = n == 0 ? 0 : shard_.random() % n;
    next_ = start_;
    wrapped_ = false;
  }
  for (;;) {
    const std::vector<std::uint32_t>& subscribers = shard_.topics[local].subscribers;
    const std::size_t end = wrapped_ ? std::min(start_, subscribers.size()) : subscribers.size();
    if (next_ >= end) {
      if (wrapped_) return true;
      wrapped_ = true;
      next_ = 0;
      continue;
    }
    const std::size_t ahead = next_ + kPrefetch;
    if (ahead < end) fetch(&shard_.table[subscribers[ahead]]);
    visit(subscribers[next_++]);
    if (++visited_ % limits::kSendBatch == 0 && shard_.clock.now_us() > until_us) return false;
  }
}

void Sweep::visit(std::uint32_t slot) {
  auto& [peer, stream] = shard_.table[slot];
  // Blocked: continues by itself when there is room; so does a replay. Ready or batched: will be
  // brought past the cut by what comes of that.
  if (peer.blocked || stream.replaying || stream.cursor >= cut_) return;
  leave_over(stream);
  if (!peer.ready && !peer.batched) outbox_.push(slot);
}

void Sweep::on_moved(std::uint32_t slot, std::uint32_t topic) {
  auto& [peer, stream] = shard_.table[slot];
  if (!shard_.topics[topic].sweeping || peer.blocked || stream.replaying) return;
  if (stream.cursor < cut_) leave_over(stream);
  shard_.ready.add(slot, peer);
}

void Sweep::finish() {
  running_ = false;
  removed_.clear();
  for (const std::uint32_t local : topics_) {
    if (shard_.topics[local].ending) removed_.push_back(local);
  }
  topics_.clear();
  shard_.state.hub.with([&](core::Hub& hub) { hub.swept(shard_.id); });
}

void Sweep::abandon() {
  shard_.state.hub.with([&](core::Hub& hub) {
    if (running_) hub.swept(shard_.id);
    hub.collect(shard_.id, collected_);
    hub.swept(shard_.id);
  });
}

}  // namespace tocsin::net
