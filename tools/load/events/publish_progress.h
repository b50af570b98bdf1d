// How far publishing is: all that the two sides of a run know of each other.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "tools/load/events/unpublished.h"

namespace tocsin::load {

// Receivers read it to know what a stream that opens now must get, and publishers write it. One
// number for each lane. Thread-safe.
struct PublishProgress {
  explicit PublishProgress(std::uint32_t lanes) : submitted(lanes) {}
  // Events of the lane whose request has been handed to the kernel, or is about to be.
  std::vector<std::atomic<std::uint64_t>> submitted;
  std::atomic<std::uint64_t> events{0};  // their sum
  Unpublished unpublished;               // of them: nobody has to get these
};

}  // namespace tocsin::load
