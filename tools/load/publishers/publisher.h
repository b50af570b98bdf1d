// The publishing side: numbered, stamped events in requests of any shape, on one thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "tools/load/events/payload.h"
#include "tools/load/events/publish_progress.h"
#include "tools/load/figures/load_result.h"
#include "tools/load/options/load_options.h"

namespace tocsin::load {

struct PublisherSetup {
  const LoadOptions* options = nullptr;   // outlives the publisher
  const PayloadFormat* format = nullptr;  // outlives the publisher
  PublishProgress* progress = nullptr;    // outlives the publisher
  // Deliveries that all receivers together have had.
  std::function<std::uint64_t()> delivered;
  // Deliveries that one event of `topic` brings about (its subscribers now).
  std::function<std::uint64_t(std::uint32_t topic)> subscribers_of;
  const std::atomic<bool>* stop = nullptr;  // ends early when true
  // Without a byte of an answer on a connection that owes one: it is given up.
  double answer_timeout_s = 10;
  // Without an answer after a connection was lost: publishing ends with an error, unless it has a
  // duration, which then is its end.
  double away_s = 30;
};

// Publishes options.publish.history events at full speed, as many on each lane (replay). Blocks; on
// the calling thread.
[[nodiscard]] PublishFigures publish_history(const PublisherSetup& setup);

// Runs options.publish.mode to its end. Blocks; on the calling thread.
[[nodiscard]] PublishFigures publish(const PublisherSetup& setup);

}  // namespace tocsin::load
