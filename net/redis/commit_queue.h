// What was appended and has yet to be sent: gathered to commits, each of which becomes one entry of
// the stream. Nobody waits for more to come: what comes while others are under way is the next one.
//
// Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/publish/published_keys.h"
#include "core/store.h"
#include "net/base/mutex.h"

namespace tocsin::net {

// Batches that are committed together, in their order; one with a key alone.
struct Commit {
  struct Part {
    core::Ticket ticket = 0;
    std::size_t events = 0;
  };

  std::string bytes{};  // net/store/batch_bytes.h
  std::size_t events = 0;
  std::vector<Part> parts{};
  std::vector<core::ReceiptUs> received{};  // of each event
  std::optional<core::PublishKey> key{};
};

class CommitQueue {
 public:
  enum class Added : std::uint8_t {
    no,     // it is closed, or holds limits::kMaxPendingPublishes
    yes,    // behind others
    first,  // nothing waited before: whoever takes it may have to be woken
  };
  // `key`: null if it has none.
  [[nodiscard]] Added add(std::span<const core::NewEvent> events, core::Ticket ticket,
                          const core::PublishKey* key);

  // The oldest; nothing: there is none. What is taken counts as held until it is released.
  [[nodiscard]] std::optional<Commit> take();
  void release(const Commit& commit);

  // It begins closed. Closing it gives back what waits.
  void open();
  [[nodiscard]] std::deque<Commit> close();

 private:
  Mutex mutex_;
  bool open_ TOCSIN_LOCKS(guarded_by(mutex_)) = false;
  std::deque<Commit> waiting_ TOCSIN_LOCKS(guarded_by(mutex_));
  std::size_t held_ TOCSIN_LOCKS(guarded_by(mutex_)) = 0;  // bytes
};

}  // namespace tocsin::net
