// The drain: connections end evenly over drain_timeout_s, so that their reconnects are spread, too.
// A stream that is asked for meanwhile, on a connection that is open already, opens as ever and
// ends with the last: some clients never come back after a 503.
//
// Nobody is ended before every shard has stopped to accept: whoever comes back at once would be
// taken by a shard that still does, and be ended again. Who comes back waits for the next process.
//
// A stream ends when it has what was published before its time came. When all had their time, who
// has not taken that is given some seconds more: as many as it takes to sweep a million streams.
//
// Threads: the shard's.
#pragma once

#include <atomic>
#include <cstdint>

#include "net/shard/acceptor.h"
#include "net/shard/lifecycle.h"
#include "net/shard/requests.h"
#include "net/shard/shard_context.h"

namespace tocsin::net {

class Drain {
 public:
  // All outlive it.
  Drain(ShardContext& shard, Lifecycle& lifecycle, Requests& requests, Acceptor& acceptor)
      : shard_(shard), lifecycle_(lifecycle), requests_(requests), acceptor_(acceptor) {
    shard_.state.accepting.fetch_add(1, std::memory_order_relaxed);
  }

  // Begins it once the hub is draining, and ends those whose time has come.
  void run();
  [[nodiscard]] bool begun() const { return begin_ms_ != 0; }
  // This shard accepts nobody any more, and the others know.
  [[nodiscard]] bool has_stopped_accepting() const { return stopped_; }
  // Nobody waits to be told what became of a publish, not even in this program; or for too long.
  [[nodiscard]] bool all_told() const { return closed_ || !shard_.state.hub.owes_answers(); }

 private:
  // How far it is.
  enum class Stage : std::uint8_t {
    spread,  // each has its time
    all,     // everybody's has come
    over,    // nobody is waited for
  };
  void begin();
  [[nodiscard]] bool nobody_accepts(std::uint64_t elapsed_ms);
  void end_one(std::uint32_t slot, Stage stage);

  ShardContext& shard_;
  Lifecycle& lifecycle_;
  Requests& requests_;
  Acceptor& acceptor_;
  std::uint64_t begin_ms_ = 0;  // 0: not draining
  bool stopped_ = false;        // see has_stopped_accepting
  std::uint32_t slot_ = 0;      // everything below was asked to end
  std::uint32_t total_ = 0;     // connections when it began
  std::uint32_t done_ = 0;
  std::uint64_t again_ms_ = 0;  // stages all, over: when everybody is looked at next
  bool closed_ = false;         // the hub is closed, and whoever waited was told
};

}  // namespace tocsin::net
