// The topics that a shard's streams read, and who reads them.
//
// Threads: the shard's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/hub.h"
#include "net/shard/connection.h"
#include "proto/assert.h"

namespace tocsin::net {

struct LocalTopic {
  core::Topic* topic = nullptr;            // valid until Hub::leave
  std::vector<std::uint32_t> subscribers;  // slots
  bool sweeping = false;                   // in the running sweep: stays even without subscribers
  bool ending = false;                     // removed: its streams are being ended, and it stays
};

class LocalTopics {
 public:
  [[nodiscard]] std::uint32_t find_or_add(core::Topic* topic) {
    const auto [it, inserted] = index_.try_emplace(topic, 0);
    if (inserted) {
      if (free_.empty()) {
        free_.push_back(static_cast<std::uint32_t>(topics_.size()));
        topics_.emplace_back();
      }
      it->second = free_.back();
      free_.pop_back();
      topics_[it->second].topic = topic;
    }
    return it->second;
  }

  // REQUIRES: `topic` was added.
  [[nodiscard]] std::uint32_t find(core::Topic* topic) const { return index_.at(topic); }

  // The topics of a stream, and above what it reads them. Valid until the next call.
  [[nodiscard]] std::span<core::TopicCursor> cursors(Connection& connection) {
    if (connection.many_topics()) return connection.extra().topics;
    single_ = {topics_[connection.topic].topic, 0};
    return {&single_, 1};
  }

  // REQUIRES: no subscribers, neither sweeping nor ending.
  void remove(std::uint32_t id) {
    LocalTopic& local = topics_[id];
    TOCSIN_ASSERT(local.subscribers.empty() && !local.sweeping && !local.ending);
    index_.erase(local.topic);
    local = LocalTopic{};
    free_.push_back(id);
  }

  [[nodiscard]] LocalTopic& operator[](std::uint32_t id) { return topics_[id]; }
  [[nodiscard]] std::size_t size() const { return index_.size(); }

 private:
  std::vector<LocalTopic> topics_;
  std::vector<std::uint32_t> free_;
  std::unordered_map<core::Topic*, std::uint32_t> index_;
  core::TopicCursor single_;  // see cursors
};

}  // namespace tocsin::net
