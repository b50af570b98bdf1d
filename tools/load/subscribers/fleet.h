// All receivers as one.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tools/load/subscribers/receiver.h"

namespace tocsin::load {

// Used by the thread that made it; the counters may be read by others until stop().
class Fleet {
 public:
  // As many receivers as options.subscribe.threads. The arguments outlive the fleet.
  Fleet(const LoadOptions& options, const PayloadFormat& format, const PublishProgress& published);

  // Subscribers of all receivers that are to be connected from now on.
  void connect_up_to(std::uint32_t count);
  void cut(double share);
  void set_churning(bool churning);
  void stop();

  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(receivers_.size()); }
  [[nodiscard]] std::uint64_t delivered() const;
  [[nodiscard]] std::uint64_t lost() const;
  [[nodiscard]] std::uint64_t left() const;
  [[nodiscard]] std::uint64_t reconnects() const;
  [[nodiscard]] std::uint32_t connected() const;
  // Open streams of the topic.
  [[nodiscard]] std::uint32_t subscribers_of(std::uint32_t topic) const {
    return audience_.streams[topic].load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint32_t heard() const;
  [[nodiscard]] std::uint32_t tried() const;
  [[nodiscard]] std::uint32_t refused() const;
  [[nodiscard]] std::uint32_t dropped() const;
  [[nodiscard]] std::uint32_t refused_meanwhile() const;
  [[nodiscard]] std::uint32_t away() const;
  [[nodiscard]] std::uint32_t cuts_done() const;
  [[nodiscard]] std::uint64_t returned() const;  // outages that are over
  [[nodiscard]] LatencyHistogram latency() const;
  [[nodiscard]] LatencyHistogram connect_latency() const;
  [[nodiscard]] std::string io_name() const;

  [[nodiscard]] LatencyHistogram outage() const;

  // After stop().
  [[nodiscard]] CheckTotals finish() const;
  [[nodiscard]] Refusals refusals() const;
  [[nodiscard]] Unanswered unanswered() const;

 private:
  template <typename Number>
  [[nodiscard]] Number sum(std::atomic<Number> ReceiverProgress::* counter) const;

  Audience audience_;  // outlives the receivers
  std::vector<std::unique_ptr<Receiver>> receivers_;
};

}  // namespace tocsin::load
