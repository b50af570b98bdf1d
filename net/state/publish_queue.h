// Publishes that wait until the shards have swept enough (Hub::overloaded): in one line, so that
// none overtakes another, each encoded already. Who has swept works it off (SharedHub).
//
// It holds at most what RequestMemory grants for requests, and a batch for each thread of the
// program that waits in Server::publish.
//
// Threads: under the hub's lock (SharedHub).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <utility>

#include "core/batch.h"
#include "core/hub.h"
#include "core/publish/published_keys.h"
#include "net/state/mailbox.h"
#include "net/state/request_memory.h"
#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {

// Told what became of a batch: from any thread, without the hub's lock, once. It does not block.
using PublishDone = std::move_only_function<void(PublishResult&&)>;

// What a copy of the batch takes while it waits, with all that belongs to it.
[[nodiscard]] inline std::uint64_t bytes_while_pending(std::span<const core::NewEvent> events) {
  std::uint64_t bytes = limits::kPendingPublish;
  for (const core::NewEvent& event : events) {
    bytes += sizeof(event) + event.topic.size() + event.id.size() + event.body.size();
  }
  return bytes;
}

class PublishQueue {
 public:
  struct Waiting {
    core::Batch batch;
    core::TimeMs received_ms;
    PublishDone done;
    std::optional<core::PublishKey> key{};
    RequestMemoryShare memory{};
  };

  void add(Waiting&& waiting) { line_.push_back(std::move(waiting)); }
  [[nodiscard]] bool empty() const { return line_.empty(); }
  // REQUIRES: !empty().
  [[nodiscard]] Waiting take() {
    TOCSIN_ASSERT(!line_.empty());
    Waiting first = std::move(line_.front());
    line_.pop_front();
    return first;
  }

 private:
  std::deque<Waiting> line_;
};

}  // namespace tocsin::net
