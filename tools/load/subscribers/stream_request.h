// The GET requests of a run's streams.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tools/load/options/load_options.h"
#include "tools/load/options/request_template.h"

namespace tocsin::load {

// Immutable after construction, so threads share it.
class StreamRequest {
 public:
  StreamRequest(const SubscriberOptions& options, const Workload& workload);

  // The request of a subscriber of `topic`. `last_event_id` is sent as options.resume_by says;
  // empty: nothing is resumed.
  [[nodiscard]] std::string text(std::uint32_t topic, std::string_view last_event_id) const;

 private:
  Workload workload_;
  Pattern target_;         // with the method
  char query_separator_;   // in front of an added parameter
  Pattern fields_;         // from the version to the last field
  std::string parameter_;  // its name; empty: the header
};

}  // namespace tocsin::load
