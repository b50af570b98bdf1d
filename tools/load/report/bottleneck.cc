#include "tools/load/report/bottleneck.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include "tools/load/figures/readable.h"
#include "tools/load/host/host.h"

namespace tocsin::load {
namespace {

// Of the allowed cores. Above it queues grow in front of the generator's own threads: a queue's
// length goes with 1 / (1 - share), which is 7 at this share.
constexpr double kBusyShare = 0.85;
// Of the same. Below it a side had time left, so that something else bounded the rate.
constexpr double kFreeShare = 0.7;
// Of the time of the cores that its threads could use: each of them stood a fifth of the phase in
// front of a core that somebody else (the server, on the same machine) had.
constexpr double kWaitedShare = 0.2;
// A publisher that is late by so much of the delivery's p99, or by this time, moved the figure that
// it is there to measure; a millisecond is what a timer and a wake-up may cost on a busy machine.
constexpr double kLateShare = 0.1;
constexpr double kLateNs = 1e6;
// Of the connects that may be under way. By Little's law rate x time of each is how many were.
constexpr double kInFlightShare = 0.8;
// A phase that is shorter says nothing about shares: CPU is charged in ticks of up to 10 ms.
constexpr double kShortestPhaseS = 0.05;
// A server of which all threads are busy takes about a whole number of cores; so far from it.
constexpr double kBelowWhole = 0.15;
constexpr double kAboveWhole = 0.05;

double to_double(std::uint64_t value) {
  return static_cast<double>(value);
}

bool is_long_enough(const PhaseCost& phase) {
  return phase.seconds() >= kShortestPhaseS;
}

// Some or all of its threads had no time left. How many cores it may use is not known here.
bool is_server_busy(const PhaseCost& phase) {
  const double cores = phase.server_cores();
  const double above = cores - std::floor(cores);
  return above >= 1 - kBelowWhole || (cores >= 1 && above <= kAboveWhole);
}

struct Context {
  const LoadOptions& options;
  const LoadResult& result;
  double cores;
  std::vector<std::string>& sentences;

  [[nodiscard]] bool knows_server() const {
    return !options.server_pids.empty() || !options.server_unit.empty();
  }
};

void check_cpu(const Context& context, const PhaseCost& phase, std::string_view doing) {
  if (!is_long_enough(phase)) return;
  const double own = phase.own_cores();
  if (own < kBusyShare * context.cores) return;
  const std::string head = fmt::format(
      "While {} the generator used {} of the {} that it may use", doing,
      readable_share(own / context.cores),
      context.cores == 1 ? std::string("core") : fmt::format("{:.0f} cores", context.cores));
  if (!context.knows_server()) {
    context.sentences.push_back(
        head + "; how busy the server was is not known, --pid or --unit would tell.");
  } else if (phase.server_cores() < own && !is_server_busy(phase)) {
    context.sentences.push_back(
        fmt::format("{}, and the server {:.2f} cores: the server may be "
                    "faster than this.",
                    head, phase.server_cores()));
  }
}

void check_waited(const Context& context, const PhaseCost& phase, std::string_view doing) {
  if (!is_long_enough(phase)) return;
  const double threads = std::max<double>(context.result.threads, 1);
  // At most all of it: other threads than the receiving ones wait too.
  const double available = to_double(phase.wall_ns) * std::min(threads, context.cores);
  const double waited = std::min(to_double(phase.own_waited_ns) / available, 1.0);
  if (waited <= kWaitedShare) return;
  context.sentences.push_back(
      fmt::format("While {} the generator's threads waited {} of the time for a core: part of the "
                  "latency is theirs. Give the server and the generator cores of their own "
                  "(taskset), or fewer --threads.",
                  doing, readable_share(waited)));
}

void check_lateness(const Context& context) {
  const LoadResult& result = context.result;
  if (context.options.publish.mode != PublishMode::rate || result.published.lateness.count() == 0) {
    return;
  }
  if (result.published.longest_away_ns > 0) return;  // there was no server to write to
  const double late = to_double(result.published.lateness.value_at(0.99));
  const double delivery = to_double(result.latency.value_at(0.99));
  if (late <= std::max(kLateNs, kLateShare * delivery)) return;
  context.sentences.push_back(fmt::format(
      "Events were written late: 99 % of them within {} of when they were due (deliveries: p99 "
      "{}). "
      "More --publishers or a larger --in-flight would tell whether the server holds them up.",
      readable_time(late), readable_time(delivery)));
}

void check_connects(const Context& context) {
  const LoadResult& result = context.result;
  const PhaseCost& phase = result.connect;
  if (!is_long_enough(phase) || !context.knows_server()) return;
  if (context.options.subscribe.connects_per_s > 0)
    return;  // paced: the pace is what was asked for
  const double possible =
      to_double(context.options.subscribe.connects_in_flight) * std::max(result.threads, 1U);
  const double under_way =
      result.connect_count * result.connect_latency.mean_ns() / to_double(phase.wall_ns);
  if (under_way < kInFlightShare * possible) return;
  const double own = phase.own_cores() / context.cores;
  if (own >= kFreeShare || phase.server_cores() >= kFreeShare) return;
  context.sentences.push_back(fmt::format(
      "Connects: {:.0f} of at most {:.0f} were under way on average, and neither side was busy "
      "(generator {}, server {} of a core): --connects-in-flight bounds the rate.",
      under_way, possible, readable_share(own), readable_share(phase.server_cores())));
}

// The kernel's words for what this machine's end of a connection lacked.
void check_refusal(const Context& context) {
  struct Lack {
    int error;
    std::string_view advice;
  };
  static constexpr std::array<Lack, 5> kLacks{{
      {EADDRNOTAVAIL, "ports ran out; give more addresses with --source 127.0.0.0/8"},
      {EADDRINUSE, "ports ran out; give more addresses with --source 127.0.0.0/8"},
      {EMFILE, "descriptors ran out; raise the limit (ulimit -n) or use more --threads"},
      {ENFILE, "the machine's descriptors ran out (sysctl fs.file-max)"},
      {ENOBUFS, "the kernel's memory for sockets ran out"},
  }};
  if (context.result.refused == 0) return;
  for (const Lack& lack : kLacks) {
    if (!context.result.refusals.first.contains(std::strerror(lack.error))) continue;
    context.sentences.push_back(fmt::format("Connects failed on this side (\"{}\"): {}.",
                                            context.result.refusals.first, lack.advice));
    return;
  }
}

}  // namespace

std::vector<std::string> find_bottlenecks(const LoadOptions& options, const LoadResult& result,
                                          std::uint32_t allowed_cores) {
  std::vector<std::string> sentences;
  const Context context{options, result, to_double(std::max(allowed_cores, 1U)), sentences};
  check_cpu(context, result.connect, "connecting");
  check_cpu(context, result.publish, "publishing");
  check_waited(context, result.connect, "connecting");
  check_waited(context, result.publish, "publishing");
  check_lateness(context);
  check_connects(context);
  check_refusal(context);
  return sentences;
}

std::vector<std::string> find_bottlenecks(const LoadOptions& options, const LoadResult& result) {
  return find_bottlenecks(options, result, this_host().allowed_cores);
}

}  // namespace tocsin::load
