// The drain: connections end evenly over drain_timeout_s, so that their reconnects are spread, too.
// A stream that is asked for meanwhile, on a connection that is open already, opens as ever and
// ends with the last: some clients never come back after a 503.
//
// A stream ends when it has what was published before its time came. When all had their time, who
// has not taken that is given some seconds more: as many as it takes to sweep a million streams.
//
// Threads: the shard's.
#pragma once

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
      : shard_(shard), lifecycle_(lifecycle), requests_(requests), acceptor_(acceptor) {}

  // Begins it once the hub is draining, and ends those whose time has come.
  void run();
  [[nodiscard]] bool begun() const { return begin_ms_ != 0; }
  // Nobody waits to be told what became of a publish, not even in this program; or for too long.
  [[nodiscard]] bool all_told() const { return closed_ || !shard_.state.hub.owes_answers(); }

 private:
  // How far it is.
  enum class Stage : std::uint8_t {
    spread,  // each has its time
    all,     // everybody's has come
    over,    // nobody is waited for
  };
  void end_one(std::uint32_t slot, Stage stage);

  ShardContext& shard_;
  Lifecycle& lifecycle_;
  Requests& requests_;
  Acceptor& acceptor_;
  std::uint64_t begin_ms_ = 0;  // 0: not draining
  std::uint32_t slot_ = 0;      // everything below was asked to end
  std::uint32_t total_ = 0;     // connections when it began
  std::uint32_t done_ = 0;
  std::uint64_t again_ms_ = 0;  // stages all, over: when everybody is looked at next
  bool closed_ = false;         // the hub is closed, and whoever waited was told
};

}  // namespace tocsin::net
