// The GET requests of a run's streams.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tools/load/options/load_options.h"
#include "tools/load/options/request_template.h"

namespace tocsin::load {

// Immutable after construction, so threads share it.
class StreamRequest {
 public:
  // `options` must outlive it.
  StreamRequest(const SubscriberOptions& options, const Workload& workload);

  // The request of the run's stream number `index`. `last_event_id` is sent as options.resume_by
  // says; empty: nothing is resumed.
  [[nodiscard]] std::string text(std::uint32_t index, std::string_view last_event_id) const;

 private:
  Workload workload_;
  Pattern target_;         // with the method
  char query_separator_;   // in front of an added parameter
  Pattern fields_;         // from the version to the last field
  std::span<const std::string> tokens_;
  std::string parameter_;  // its name; empty: the header
};

}  // namespace tocsin::load
