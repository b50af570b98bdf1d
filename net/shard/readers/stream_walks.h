// What administrators ask of all streams: a walk through the shard's table for each question, one
// after the other, and never more of it in a turn than a slice.
//
// Threads: the shard's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "net/shard/lifecycle.h"
#include "net/shard/readers/readers.h"
#include "net/shard/shard_context.h"
#include "net/state/stream_inquiry.h"
#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {

class StreamWalks {
 public:
  // All outlive it.
  StreamWalks(ShardContext& shard, Lifecycle& lifecycle, Readers& readers)
      : shard_(shard), lifecycle_(lifecycle), readers_(readers) {}

  void begin(std::shared_ptr<StreamInquiry> inquiry) {
    TOCSIN_ASSERT(inquiry != nullptr && walks_.size() < limits::kMaxStreamInquiries);
    walks_.push_back({.inquiry = std::move(inquiry)});
  }
  // Goes on, and says what was found where a walk has come to its end.
  void slice();
  [[nodiscard]] bool running() const { return !walks_.empty(); }

 private:
  struct Walk {
    std::shared_ptr<StreamInquiry> inquiry;
    std::uint32_t next = 0;  // slots below were looked at
    std::size_t bytes = 0;   // of the streams that were found
    StreamsFound found{};
  };

  [[nodiscard]] bool go_on(Walk& walk, std::uint64_t until_us);
  [[nodiscard]] bool matches(const StreamFilter& filter, std::uint32_t slot,
                             const Connection& connection);
  [[nodiscard]] bool act(Walk& walk, std::uint32_t slot);
  [[nodiscard]] bool is_full(const Walk& walk) const;
  [[nodiscard]] StreamId id_of(std::uint32_t slot) const;
  [[nodiscard]] StreamFacts facts_of(std::uint32_t slot);

  ShardContext& shard_;
  Lifecycle& lifecycle_;
  Readers& readers_;
  std::deque<Walk> walks_;  // at most limits::kMaxStreamInquiries
};

}  // namespace tocsin::net
