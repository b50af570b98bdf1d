#include "tools/load/report/failures.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include <fmt/format.h>

#include "tools/load/figures/readable.h"

namespace tocsin::load {
namespace {

bool is_expected(const LoadOptions& options, std::string_view name) {
  return std::ranges::any_of(options.expectations,
                             [&](const Expectation& e) { return e.name == name; });
}

// Somebody restarts the server: what comes of that is what is measured.
bool is_deploy(const LoadOptions& options) {
  return options.scenario == Scenario::deploy;
}

void add_stream_failures(const LoadOptions& options, const LoadResult& result,
                         std::vector<std::string>& failures) {
  const bool too_few =
      result.connected < options.subscribe.count && !is_expected(options, "connected");
  // Over a deploy those that return are refused until the server is back.
  const std::uint32_t refusals =
      is_deploy(options) ? result.refused - result.refused_meanwhile : result.refused;
  const bool refused = refusals > 0 && !is_expected(options, "refused");
  if (too_few || refused) {
    std::string text;
    if (too_few) {
      text = fmt::format("{} of {} subscribers connected", readable_count(result.connected),
                         readable_count(options.subscribe.count));
    }
    if (refused) {
      text += fmt::format("{}{} refused ({})", too_few ? ", " : "", readable_count(refusals),
                          readable_kinds(result.refusals));
    }
    const std::string& why = result.refusals.first;
    failures.push_back(why.empty() ? text : fmt::format("{}: {}", text, why));
  }
  if (result.unanswered.count() > 0 && !is_expected(options, "connected")) {
    failures.push_back("no answer: " + readable_wait(result.unanswered));
  }
  // An end that stands behind what a slow reader has yet to read is not known here.
  const std::uint64_t counted = result.server_streams.value_or(result.held);
  const bool is_off =
      counted > result.held || (counted < result.held && options.subscribe.slow_share <= 0);
  if (is_off && !is_expected(options, "server-streams")) {
    failures.push_back(
        fmt::format("the server counts {} streams more than before the run, {} are open here",
                    readable_count(counted), readable_count(result.held)));
  }
  if (result.away > 0 && !is_expected(options, "away")) {
    failures.push_back(fmt::format("{} streams that the server ended were not back at the end",
                                   readable_count(result.away)));
  }
  // The server may cut off those that read slowly.
  if (result.dropped > 0 && options.subscribe.slow_share <= 0 && !is_deploy(options) &&
      !is_expected(options, "dropped")) {
    failures.push_back(fmt::format("{} dropped", result.dropped));
  }
}

void add_delivery_failures(const LoadOptions& options, const LoadResult& result,
                           std::vector<std::string>& failures) {
  struct Count {
    std::string_view name;
    std::uint64_t value;
  };
  const CheckTotals& t = result.totals;
  // The server may leave out events for those that read slowly, and with its history.
  const bool may_tell = options.subscribe.slow_share > 0 || is_deploy(options);
  const std::uint64_t told = may_tell ? 0 : t.told;
  const std::array<Count, 6> counts{{{"lost", t.lost},
                                     {"told", told},
                                     {"away", t.away},
                                     {"duplicated", t.duplicated},
                                     {"reordered", t.reordered},
                                     {"corrupted", t.corrupted}}};
  for (const Count& count : counts) {
    if (count.value == 0 || is_expected(options, count.name)) continue;
    failures.push_back(fmt::format("{} {}", count.value, count.name));
  }
}

void add_publishing_failures(const LoadOptions& options, const PublishFigures& p,
                             std::vector<std::string>& failures) {
  const bool is_over_a_deploy = is_deploy(options);
  if (p.refused > 0 && !is_over_a_deploy) {
    failures.push_back(fmt::format("{} publishing requests refused", p.refused));
  }
  if (p.uncertain > 0 && !is_over_a_deploy && !is_expected(options, "uncertain")) {
    failures.push_back(
        fmt::format("{} events may or may not have been published: their requests were cut before "
                    "the answer",
                    p.uncertain));
  }
  if (p.timeouts > 0) {
    failures.push_back(fmt::format("{} events did not reach all subscribers in time", p.timeouts));
  }
  if (!p.error.empty() && (p.ended_early || !is_over_a_deploy)) {
    failures.push_back("publishing: " + p.error);
  }
}

}  // namespace

std::vector<std::string> find_failures(const LoadOptions& options, const LoadResult& result) {
  std::vector<std::string> failures;
  add_stream_failures(options, result, failures);
  add_delivery_failures(options, result, failures);
  const PublishFigures& p = result.published;
  add_publishing_failures(options, p, failures);
  if (p.events > 0 && result.totals.delivered == 0 && result.connected > 0) {
    const double waited_ns = static_cast<double>(p.duration_ns + result.drain_ns);
    failures.push_back(
        fmt::format("nothing was delivered: {} open streams waited {} for the first of {} events",
                    result.connected, readable_time(waited_ns), p.events));
  }
  for (const Expectation& expectation : options.expectations) {
    if (auto failure = expectation.failure(result); !failure.empty()) {
      failures.push_back(std::move(failure));
    }
  }
  return failures;
}

}  // namespace tocsin::load
