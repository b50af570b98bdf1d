// The receiving side: a thread with a descriptor table of its own that holds thousands of streams
// and checks every event of each.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tools/load/events/payload.h"
#include "tools/load/events/publish_progress.h"
#include "tools/load/figures/histogram.h"
#include "tools/load/figures/load_result.h"
#include "tools/load/figures/refusal.h"
#include "tools/load/options/load_options.h"
#include "tools/load/subscribers/poller.h"

namespace tocsin::load {

// How many streams each topic has open now. Receivers write it; publishers read it to know how many
// deliveries an event brings about.
struct Audience {
  explicit Audience(std::uint32_t topics) : streams(topics) {}
  std::vector<std::atomic<std::uint32_t>> streams;
};

// Written by the receiver's thread, read by all. Counters only, so relaxed.
struct alignas(64) ReceiverProgress {
  std::atomic<std::uint64_t> delivered{0};
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<std::uint64_t> lost{0};       // so far: what comes late leaves it again
  std::atomic<std::uint32_t> connected{0};  // with a good head, now
  std::atomic<std::uint32_t> heard{0};      // that have received an event of this run
  std::atomic<std::uint32_t> tried{0};      // whose first connect has succeeded or was refused
  std::atomic<std::uint32_t> refused{0};    // connects; a stream that tries again counts again
  std::atomic<std::uint32_t> dropped{0};
  std::atomic<std::uint64_t> left{0};
  std::atomic<std::uint32_t> cuts_done{0};
  std::atomic<std::uint64_t> reconnects{0};
  // Streams that were open, that the server ended or refused since, and that try again.
  std::atomic<std::uint32_t> away{0};
  std::atomic<std::uint32_t> refused_meanwhile{0};  // of `refused`: connects of such streams
  LatencyHistogram latency;
  LatencyHistogram connect_latency;
  LatencyHistogram outage;  // of the streams that were away: how long, until the next good head
};

struct ReceiverSetup {
  const LoadOptions* options = nullptr;        // outlives the receiver
  const PayloadFormat* format = nullptr;       // outlives the receiver
  const PublishProgress* published = nullptr;  // outlives the receiver
  Audience* audience = nullptr;                // outlives the receiver
  std::uint32_t first_index = 0;               // of its first subscriber, over all receivers
  std::uint32_t count = 0;
  double connects_per_s = 0;  // its share; 0: as fast as it goes
  PollerMaker make_poller = load::make_poller;
};

// All public functions may be called from the thread that made it, while it runs.
class Receiver {
 public:
  explicit Receiver(const ReceiverSetup& setup);
  ~Receiver();  // stops and joins
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  // Subscribers that are to be connected from now on (never less than before).
  void connect_up_to(std::uint32_t count);
  // Ends the given share of its streams from this side, at once; they come back with their
  // Last-Event-ID.
  void cut(double share);
  // Streams leave and come at options.subscribe.churn_per_s from now on, until false.
  void set_churning(bool churning);
  // Closes everything with a reset, so that no TIME_WAIT is left, and joins the thread.
  void stop();

  [[nodiscard]] const ReceiverProgress& progress() const;
  [[nodiscard]] std::string io_name() const;

  // After stop(): the totals, with what is missing at the end of each stream counted as lost.
  // Streams that left, or that read slowly on purpose, miss nothing at their end, and one that was
  // never accepted misses nothing at all; one that was dropped for good misses what came after. Of
  // one that was away and trying when the run ended nobody knows: that is counted as away.
  [[nodiscard]] CheckTotals finish() const;
  [[nodiscard]] const Refusals& refusals() const;
  [[nodiscard]] const Unanswered& unanswered() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin::load
