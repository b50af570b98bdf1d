// What is older than memory, read for streams that resume there: a thread that takes pages from the
// store (core/store.h) and gives them out by turns.
//
//     shard ── ask: behind this event ──► the line ──► store, or a page that is there
//       ▲                                                   │
//       └──────────────── letter: a turn with a page ◄──────┘
//
// A stream that has a turn is sent what it wants of the page, gives the turn back, and asks for the
// next page behind all others in the line. So however many replay, limits::kMaxReplays pages are
// out at most, and none is given while they have limits::kMaxReplayBytes. Who takes nothing has no
// turn: a full socket gives it back.
//
// The pages that were read last stay, up to limits::kMaxReplayCache: many who come back to about
// the same position share one.
//
// What cannot be read at the moment is asked for again after kMaxReplays pages of others, and each
// second where there are none: who wants it waits, the others do not.
//
// Threads: any, but for start() and stop(). A PastTurn is of one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <thread>
#include <utility>

#include "core/store.h"
#include "net/base/mutex.h"
#include "net/base/recently_used.h"
#include "net/state/metrics.h"
#include "net/state/past/past_page.h"
#include "net/state/past/past_turn.h"
#include "proto/limits.h"

namespace tocsin::net {

struct ServerState;

class PastReader {
 public:
  // `state` outlives it, but for its mailboxes and its hub.
  explicit PastReader(ServerState& state) : state_(state) {}
  ~PastReader() { stop(); }
  PastReader(const PastReader&) = delete;
  PastReader& operator=(const PastReader&) = delete;

  // Serves `store`, which was started, until stop(): that comes before the store's. Nothing is done
  // for one that gives nothing back.
  void start(core::Store& store);
  void stop();
  // What start() is made of; the simulation calls them directly, and has no thread.
  void attach(core::Store& store);
  enum class Served : std::uint8_t { one, nobody, unreadable };
  // The next in the line, if it may have a page now.
  Served serve();

  // Whoever asks gets a letter with a PastTurn, whose page has the first event above `after` that
  // is kept. `until`: as Store::read.
  struct Ask {
    core::ShardId shard = 0;
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;  // of the slot
    core::Sequence after = 0;
    core::Sequence until = 0;
  };
  // Returns the ask's number, which is the turn's.
  [[nodiscard]] std::uint64_t ask(const Ask& ask);
  // Nobody waits for that page any more. It may be on its way.
  void withdraw(std::uint64_t number);

  [[nodiscard]] const PastMetrics& metrics() const { return metrics_; }

 private:
  friend class PastTurn;
  using Page = std::shared_ptr<const PastPage>;
  using Line = std::map<std::uint64_t, Ask>;  // by their numbers, which rise

  void give_back(const PastPage& page);
  void run();
  [[nodiscard]] bool may_serve() const TOCSIN_LOCKS(requires_capability(mutex_));
  [[nodiscard]] Line::value_type next() TOCSIN_LOCKS(requires_capability(mutex_));
  [[nodiscard]] bool leave(std::uint64_t number) TOCSIN_LOCKS(requires_capability(mutex_));
  void set_aside(const Line::value_type& asked);
  [[nodiscard]] Page page_for(const Ask& ask);
  [[nodiscard]] Page find(const Ask& ask);
  [[nodiscard]] Page read(const Ask& ask);
  void hand_out(const Line::value_type& asked, Page page);
  void pause();

  ServerState& state_;
  core::Store* store_ = nullptr;
  std::thread thread_;

  // Of who serves.
  RecentlyUsed<Page> kept_{limits::kMaxReplayCache};
  bool can_read_ = true;       // all that was asked for and is still wanted
  std::uint64_t retried_ = 0;  // of unreadable_, the last
  std::size_t served_ = 0;     // pages since that was in vain

  Mutex mutex_;
  Condition changed_;
  Line line_ TOCSIN_LOCKS(guarded_by(mutex_));
  Line unreadable_ TOCSIN_LOCKS(guarded_by(mutex_));  // set aside
  std::uint64_t asks_ TOCSIN_LOCKS(guarded_by(mutex_)) = 0;
  std::size_t turns_ TOCSIN_LOCKS(guarded_by(mutex_)) = 0;
  std::size_t turn_bytes_ TOCSIN_LOCKS(guarded_by(mutex_)) = 0;  // of their pages
  bool stopping_ TOCSIN_LOCKS(guarded_by(mutex_)) = false;
  PastMetrics metrics_;  // written under mutex_
};

}  // namespace tocsin::net
