#include "tools/load/subscribers/fleet.h"

namespace tocsin::load {
namespace {

// Of `count` subscribers, those of the receivers in front of number `receiver`.
std::uint32_t share_before(std::uint32_t count, std::size_t receiver, std::size_t receivers) {
  return static_cast<std::uint32_t>(std::uint64_t{count} * receiver / receivers);
}

}  // namespace

Fleet::Fleet(const LoadOptions& options, const PayloadFormat& format,
             const PublishProgress& published)
    : audience_(options.workload.topics) {
  const SubscriberOptions& s = options.subscribe;
  for (std::uint32_t i = 0; i < s.threads; ++i) {
    const std::uint32_t first = share_before(s.count, i, s.threads);
    receivers_.push_back(std::make_unique<Receiver>(
        ReceiverSetup{.options = &options,
                      .format = &format,
                      .published = &published,
                      .audience = &audience_,
                      .first_index = first,
                      .count = share_before(s.count, i + 1, s.threads) - first,
                      .connects_per_s = s.connects_per_s / s.threads}));
  }
}

void Fleet::connect_up_to(std::uint32_t count) {
  const std::size_t receivers = receivers_.size();
  for (std::size_t i = 0; i < receivers; ++i) {
    receivers_[i]->connect_up_to(share_before(count, i + 1, receivers) -
                                 share_before(count, i, receivers));
  }
}

void Fleet::cut(double share) {
  for (const auto& receiver : receivers_) receiver->cut(share);
}

void Fleet::set_churning(bool churning) {
  for (const auto& receiver : receivers_) receiver->set_churning(churning);
}

void Fleet::stop() {
  for (const auto& receiver : receivers_) receiver->stop();
}

template <typename Number>
Number Fleet::sum(std::atomic<Number> ReceiverProgress::* counter) const {
  Number total = 0;
  for (const auto& receiver : receivers_) {
    total += (receiver->progress().*counter).load(std::memory_order_relaxed);
  }
  return total;
}

std::uint64_t Fleet::delivered() const {
  return sum(&ReceiverProgress::delivered);
}
std::uint64_t Fleet::lost() const {
  return sum(&ReceiverProgress::lost);
}
std::uint64_t Fleet::left() const {
  return sum(&ReceiverProgress::left);
}
std::uint64_t Fleet::reconnects() const {
  return sum(&ReceiverProgress::reconnects);
}
std::uint32_t Fleet::connected() const {
  return sum(&ReceiverProgress::connected);
}
std::uint32_t Fleet::heard() const {
  return sum(&ReceiverProgress::heard);
}
std::uint32_t Fleet::tried() const {
  return sum(&ReceiverProgress::tried);
}
std::uint32_t Fleet::refused() const {
  return sum(&ReceiverProgress::refused);
}
std::uint32_t Fleet::dropped() const {
  return sum(&ReceiverProgress::dropped);
}
std::uint32_t Fleet::refused_meanwhile() const {
  return sum(&ReceiverProgress::refused_meanwhile);
}
std::uint32_t Fleet::away() const {
  return sum(&ReceiverProgress::away);
}
std::uint32_t Fleet::cuts_done() const {
  return sum(&ReceiverProgress::cuts_done);
}

LatencyHistogram Fleet::latency() const {
  LatencyHistogram all;
  for (const auto& receiver : receivers_) all.merge(receiver->progress().latency);
  return all;
}

LatencyHistogram Fleet::connect_latency() const {
  LatencyHistogram all;
  for (const auto& receiver : receivers_) all.merge(receiver->progress().connect_latency);
  return all;
}

LatencyHistogram Fleet::outage() const {
  LatencyHistogram all;
  for (const auto& receiver : receivers_) all.merge(receiver->progress().outage);
  return all;
}

std::uint64_t Fleet::returned() const {
  std::uint64_t sum = 0;
  for (const auto& receiver : receivers_) sum += receiver->progress().outage.count();
  return sum;
}

std::string Fleet::io_name() const {
  return receivers_.front()->io_name();
}

CheckTotals Fleet::finish() const {
  CheckTotals totals;
  for (const auto& receiver : receivers_) totals.merge(receiver->finish());
  return totals;
}

Refusals Fleet::refusals() const {
  Refusals all;
  for (const auto& receiver : receivers_) all.merge(receiver->refusals());
  return all;
}

Unanswered Fleet::unanswered() const {
  Unanswered all;
  for (const auto& receiver : receivers_) all.merge(receiver->unanswered());
  return all;
}

}  // namespace tocsin::load
