// A setting that the hub, its operator and programs that embed it have in common.
#pragma once

#include <cstdint>

namespace tocsin::core {

// What happens to a stream that is further behind than its limits allow.
enum class SlowPolicy : std::uint8_t {
  disconnect,  // closed; it comes back with its Last-Event-ID and resumes
  latest,      // told of the gap, then continued at the newest event
};

}  // namespace tocsin::core
