#include "tools/load/events/workload.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "proto/assert.h"
#include "proto/text/number.h"
#include "tools/load/events/payload.h"
#include "tools/load/figures/readable.h"

namespace tocsin::load {
namespace {

// "'3' is too small: ...".
std::unexpected<std::string> fail(std::string_view text, std::string_view why) {
  return std::unexpected(fmt::format("'{}'{}", text, why));
}

struct Sizes {
  std::size_t first;
  std::size_t last;
};

std::expected<Sizes, std::string> read_sizes(std::string_view text) {
  const auto dash = text.find('-');
  const auto first = proto::read_number<std::size_t>(text.substr(0, dash));
  const auto last = dash == std::string_view::npos
                        ? first
                        : proto::read_number<std::size_t>(text.substr(dash + 1));
  if (!first || !last) {
    return fail(text, " is neither a number of bytes (200) nor a range of them (100-2000)");
  }
  if (*first < kPayloadHead) {
    return fail(text,
                fmt::format(" is too small: an event that can be checked has at least {} bytes",
                            kPayloadHead));
  }
  if (*first > kMaxPayload || *last > kMaxPayload) {
    return fail(text, fmt::format(" is too large: an event has at most {} bytes",
                                  readable_count(kMaxPayload)));
  }
  if (*last < *first) return fail(text, ": the range ends before it begins");
  return Sizes{*first, *last};
}

}  // namespace

std::expected<SizeDistribution, std::string> SizeDistribution::parse(std::string_view text) {
  SizeDistribution result;
  result.choices_.clear();
  const bool several = text.find(',') != std::string_view::npos;
  double sum = 0;
  for (bool more = true; more;) {
    const auto comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    more = comma != std::string_view::npos;
    if (more) text.remove_prefix(comma + 1);

    const auto colon = part.find(':');
    const auto sizes = read_sizes(part.substr(0, colon));
    if (!sizes) return std::unexpected(sizes.error());
    double weight = 1;
    if (colon != std::string_view::npos) {
      const auto given = proto::read_number<double>(part.substr(colon + 1));
      if (!given || !std::isfinite(*given) || *given <= 0) {
        return fail(part, ": the weight behind the ':' must be a number above 0");
      }
      weight = *given;
    } else if (several) {
      return fail(part, " lacks a weight, as each of several sizes needs one (200:0.9,4000:0.1)");
    }
    sum += weight;
    result.choices_.push_back({sizes->first, sizes->last, sum});
  }
  for (Choice& choice : result.choices_) choice.up_to /= sum;
  result.choices_.back().up_to = 1;  // whatever the rounding
  return result;
}

std::size_t SizeDistribution::draw(std::mt19937_64& random) const {
  const Choice* choice = choices_.data();
  if (choices_.size() > 1) {
    const double point = std::uniform_real_distribution<double>(0, 1)(random);
    while (choice != &choices_.back() && point >= choice->up_to) ++choice;
  }
  if (choice->first == choice->last) return choice->first;
  return std::uniform_int_distribution<std::size_t>(choice->first, choice->last)(random);
}

std::size_t SizeDistribution::largest() const {
  return std::ranges::max(choices_, {}, &Choice::last).last;
}

double SizeDistribution::mean() const {
  double mean = 0;
  double below = 0;
  for (const Choice& choice : choices_) {
    mean += (choice.up_to - below) * static_cast<double>(choice.first + choice.last) / 2;
    below = choice.up_to;
  }
  return mean;
}

std::uint32_t Workload::lanes(std::uint32_t connections) const {
  return std::max(topics, connections);
}

std::string Workload::topic_name(std::uint32_t topic) const {
  return topics == 1 ? topic_prefix : topic_prefix + '-' + std::to_string(topic);
}

LaneChooser::LaneChooser(const Workload& workload, std::uint32_t connections,
                         std::uint32_t connection)
    : connections_(connections), connection_(connection) {
  TOCSIN_ASSERT(connection < connections && workload.topics > 0);
  const std::uint32_t lanes = workload.lanes(connections);
  count_ = (lanes - connection + connections - 1) / connections;
  if (workload.zipf > 0) cumulative_.reserve(count_);
  for (std::size_t i = 0; i < count_; ++i) {
    const std::uint32_t topic = lane(i) % workload.topics;
    const std::uint32_t sharing = (lanes - topic + workload.topics - 1) / workload.topics;
    weight_ += std::pow(topic + 1.0, -workload.zipf) / sharing;
    if (workload.zipf > 0) cumulative_.push_back(weight_);
  }
}

std::uint32_t LaneChooser::draw(std::mt19937_64& random) {
  if (cumulative_.empty()) {
    const std::uint32_t drawn = lane(turn_);
    if (++turn_ == count_) turn_ = 0;
    return drawn;
  }
  const double point = std::uniform_real_distribution<double>(0, weight_)(random);
  const auto found = std::ranges::upper_bound(cumulative_, point);
  // The distribution may round up to its bound.
  const auto index = static_cast<std::size_t>(found - cumulative_.begin());
  return lane(std::min(index, count_ - 1));
}

Ticker::Ticker(const Schedule& schedule, std::uint32_t connections, std::uint32_t connection,
               std::uint64_t start_ns, std::uint64_t seed)
    : schedule_(schedule), start_ns_(start_ns) {
  TOCSIN_ASSERT(schedule.events_per_s > 0 && schedule.burst > 0 && connection < connections);
  std::seed_seq sequence{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32),
                         connection};
  random_.seed(sequence);
  interval_ns_ = 1e9 / schedule.events_per_s * schedule.burst * connections;
  offset_ns_ = schedule.poisson ? std::exponential_distribution<double>(1 / interval_ns_)(random_)
                                : interval_ns_ * connection / connections;
  due_ns_ = start_ns_ + static_cast<std::uint64_t>(offset_ns_);
}

void Ticker::advance() {
  if (++in_burst_ < schedule_.burst) return;
  in_burst_ = 0;
  ++bursts_;
  double offset_ns = offset_ns_;
  if (schedule_.poisson) {
    // A sum, but of random terms: the rounding (2^-10 ns after three hours) is no drift.
    offset_ns_ += std::exponential_distribution<double>(1 / interval_ns_)(random_);
    offset_ns = offset_ns_;
  } else {
    offset_ns += static_cast<double>(bursts_) * interval_ns_;
  }
  due_ns_ = start_ns_ + static_cast<std::uint64_t>(offset_ns);
}

}  // namespace tocsin::load
