// Publishes that wait until the shards have swept enough (Hub::overloaded): in one line, so that
// none overtakes another, each encoded already. Who has swept works it off (ServerState::order).
//
// It holds at most what RequestMemory grants for requests, and a batch for each thread of the
// program that waits in Server::publish.
//
// Threads: under the hub's lock (SharedHub).
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <utility>

#include "core/batch.h"
#include "core/hub.h"
#include "net/state/mailbox.h"
#include "net/state/request_memory.h"
#include "proto/assert.h"

namespace tocsin::net {

class PublishQueue {
 public:
  // Told what became of the batch: from any thread, without the hub's lock, once.
  using Done = std::move_only_function<void(PublishResult&&)>;
  struct Waiting {
    core::Batch batch;
    core::TimeMs received_ms;
    Done done;
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
