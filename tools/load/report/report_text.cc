#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "tools/load/figures/readable.h"
#include "tools/load/options/scenarios.h"
#include "tools/load/report/report.h"

namespace tocsin::load {
namespace {

constexpr std::size_t kColumns = 80;
constexpr std::size_t kLabelWidth = 15;

using Items = std::vector<std::string>;

// Rows of "label  item  item ...", continued under the first item where a line would be too long.
class Table {
 public:
  void row(std::string_view label, const Items& items) { put(label, items, "  "); }
  // Texts may have a server's bytes in them.
  void sentence(std::string_view label, std::string_view raw) {
    const std::string safe = printable(raw);
    std::string_view text = safe;
    Items words;
    while (!text.empty()) {
      const std::size_t blank = std::min(text.find(' '), text.size());
      if (blank > 0) words.emplace_back(text.substr(0, blank));
      text.remove_prefix(std::min(blank + 1, text.size()));
    }
    put(label, words, " ");
  }
  void line(std::string_view text) {
    text_ += text;
    text_ += '\n';
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  void put(std::string_view label, const Items& items, std::string_view separator) {
    std::string current = fmt::format("{:<{}}", label, kLabelWidth);
    bool is_first = true;
    for (const std::string& item : items) {
      if (item.empty()) continue;
      if (!is_first && current.size() + separator.size() + item.size() > kColumns) {
        line(current);
        current.assign(kLabelWidth, ' ');
        is_first = true;
      }
      if (!is_first) current += separator;
      current += item;
      is_first = false;
    }
    line(current);
  }

  std::string text_;
};

double to_double(std::uint64_t value) {
  return static_cast<double>(value);
}

std::string counted(std::uint64_t count, std::string_view what) {
  return fmt::format("{} {}", readable_count(count), what);
}

// Empty where it was not counted, so that the row leaves it out.
std::string if_any(std::uint64_t count, std::string_view what) {
  return count == 0 ? std::string() : counted(count, what);
}

std::string plural(std::uint64_t count, std::string_view one, std::string_view many) {
  return counted(count, count == 1 ? one : many);
}

Items percentiles(const LatencyHistogram& latency) {
  const auto at = [&latency](std::string_view name, double quantile) {
    return fmt::format("{} {}", name, readable_time(to_double(latency.value_at(quantile))));
  };
  return {at("p50", 0.5),
          at("p90", 0.9),
          at("p99", 0.99),
          at("p99.9", 0.999),
          fmt::format("max {}", readable_time(to_double(latency.max_ns()))),
          fmt::format("mean {}", readable_time(latency.mean_ns()))};
}

std::string mode_text(const PublishLoad& publish) {
  const Schedule& schedule = publish.schedule;
  switch (publish.mode) {
    case PublishMode::none:
      return publish.history > 0 ? plural(publish.history, "event before", "events before")
                                 : "no publishing";
    case PublishMode::each:
      return "one event at a time";
    case PublishMode::rate:
      return fmt::format("events at {}{}", readable_rate(schedule.events_per_s),
                         schedule.poisson ? " (Poisson)" : "");
    case PublishMode::full:
      return "as fast as it goes";
  }
  return {};
}

void add_setup(Table& table, const LoadOptions& options, const LoadResult& result) {
  const SubscriberOptions& subscribe = options.subscribe;
  table.line(fmt::format("tocsin load {}  {}", name_of(options.scenario),
                         printable(subscribe.url.to_string())));
  std::string size = readable_bytes(options.workload.sizes.mean());
  if (options.publish.mode == PublishMode::none && options.publish.history == 0) size.clear();
  table.row("", {plural(subscribe.count, "subscriber", "subscribers"),
                 plural(result.threads, "thread", "threads") +
                     (result.io.empty() ? "" : fmt::format(" ({})", result.io)),
                 plural(options.workload.topics, "topic", "topics"), mode_text(options.publish),
                 size.empty() ? size : fmt::format("{} each", size)});
  table.line("");
}

// Of streams that the server ended or refused, in scenarios in which they try again.
void add_returns(Table& table, const LoadResult& result) {
  const LatencyHistogram& outage = result.outage;
  if (outage.count() == 0) return;
  table.row("Returned", {counted(outage.count() - result.away, "times"),
                         counted(result.refused_meanwhile, "refused meanwhile"),
                         if_any(result.away, "not back at the end")});
  table.row("Without stream",
            {fmt::format("p50 {}", readable_time(to_double(outage.value_at(0.5)))),
             fmt::format("p99 {}", readable_time(to_double(outage.value_at(0.99)))),
             fmt::format("max {}", readable_time(to_double(outage.max_ns())))});
}

void add_connects(Table& table, const LoadOptions& options, const LoadResult& result) {
  table.row("Connected", {fmt::format("{} of {}", readable_count(result.connected),
                                      readable_count(options.subscribe.count)),
                          counted(result.refused - result.refused_meanwhile, "refused"),
                          counted(result.dropped, "dropped"), if_any(result.left, "left")});
  add_returns(table, result);
  if (result.refused > 0) table.sentence("Refused", readable_kinds(result.refusals));
  if (!result.refusals.first.empty()) table.sentence("First refusal", result.refusals.first);
  if (result.unanswered.count() > 0) {
    table.sentence("No answer", readable_wait(result.unanswered));
  }
  if (result.server_streams) {
    table.row("At the end",
              {counted(result.held, "open"),
               fmt::format("the server counts {}", readable_count(*result.server_streams))});
  }
  if (const auto rate = result.connects_per_s()) {
    Items items = {readable_rate(*rate)};
    if (result.connect_latency.count() > 0) {
      const LatencyHistogram& latency = result.connect_latency;
      items.push_back(fmt::format("answered p50 {}, p99 {}",
                                  readable_time(to_double(latency.value_at(0.5))),
                                  readable_time(to_double(latency.value_at(0.99)))));
    }
    table.row("Connects", items);
  }
  if (const auto rate = result.reconnects_per_s()) {
    table.row("Reconnects",
              {counted(result.reconnect_count, "streams"), readable_rate(*rate),
               fmt::format("{} events meanwhile", readable_count(result.reconnect_events))});
  }
}

void add_publishing(Table& table, const LoadResult& result) {
  const PublishFigures& published = result.published;
  if (published.events > 0 || published.requests > 0) {
    const auto rate = result.events_per_s();
    table.row(
        "Events",
        {counted(published.accepted(), "published"), rate ? readable_rate(*rate) : std::string(),
         plural(published.requests, "request", "requests"), counted(published.refused, "refused"),
         if_any(published.uncertain, "uncertain"), if_any(published.timeouts, "timed out")});
  }
  if (published.longest_away_ns > 0) {
    table.row("Publishing", {fmt::format("no answers for up to {}",
                                         readable_time(to_double(published.longest_away_ns))),
                             if_any(published.failed_connects, "connects refused")});
  }
  if (!published.error.empty()) table.sentence("", published.error);
  const auto line = [&table](std::string_view label, const LatencyHistogram& times) {
    if (times.count() == 0) return;
    Items items = percentiles(times);
    items.erase(items.begin() + 1);  // p90
    items.pop_back();                // mean
    table.row(label, items);
  };
  line("Written late", published.lateness);
  line("Answered", published.answered);
}

void add_deliveries(Table& table, const LoadResult& result) {
  const CheckTotals& totals = result.totals;
  if (totals.delivered > 0) {
    const auto rate = result.deliveries_per_s();
    table.row("Deliveries",
              {readable_count(totals.delivered), rate ? readable_rate(*rate) : std::string(),
               readable_bytes(to_double(totals.bytes))});
  }
  if (result.latency.count() > 0) table.row("Latency", percentiles(result.latency));
  table.row("Checked",
            {counted(totals.lost, "lost"), if_any(totals.told, "told as gaps"),
             if_any(totals.away, "while away"), counted(totals.duplicated, "duplicated"),
             counted(totals.reordered, "reordered"), counted(totals.corrupted, "corrupted"),
             if_any(totals.foreign, "of other runs")});
  if (!totals.sample.empty()) {
    constexpr std::size_t kSample = 300;
    table.row("First odd one", {printable(std::string_view(totals.sample).substr(0, kSample))});
  }
}

void add_server_phase(Table& table, std::string_view label, const PhaseCost& phase,
                      const std::string& each) {
  const ServerUsage& server = phase.server;
  if (server.cpu_ns == 0) return;
  const double split = to_double(server.user_ns + server.system_ns);
  table.row(label, {fmt::format("{} of a core", readable_share(phase.server_cores())), each,
                    split > 0 ? fmt::format("user {}, system {}",
                                            readable_share(to_double(server.user_ns) / split),
                                            readable_share(to_double(server.system_ns) / split))
                              : std::string(),
                    fmt::format("{} + {} switches", readable_count(server.voluntary_switches),
                                readable_count(server.involuntary_switches))});
}

std::string of_each(const std::optional<double>& each, std::string_view what) {
  return each ? fmt::format("{} {}", readable_bytes(*each), what) : std::string();
}

void add_server(Table& table, const LoadResult& result) {
  const auto each = [](const std::optional<double>& ns, std::string_view what) {
    return ns ? fmt::format("{} a {}", readable_time(*ns), what) : std::string();
  };
  add_server_phase(table, "Server CPU", result.publish,
                   each(result.cpu_ns_per_delivery(), "delivery"));
  add_server_phase(table, "  connecting", result.connect,
                   each(result.cpu_ns_per_connect(), "connect"));
  add_server_phase(table, "  reconn.", result.reconnect, {});
  add_server_phase(table, "  idle", result.idle, {});
  const MemoryReading& after = result.after;
  if (after.server.rss_bytes > 0) {
    table.row(
        "Server memory",
        {fmt::format("RSS {} -> {}", readable_bytes(to_double(result.before.server.rss_bytes)),
                     readable_bytes(to_double(after.server.rss_bytes))),
         of_each(result.rss_bytes_each(), "a subscriber"),
         after.server.pss_bytes > 0
             ? fmt::format("PSS {}", readable_bytes(to_double(after.server.pss_bytes)))
             : std::string()});
  }
  if (after.kernel.slab_bytes > 0) {
    table.row("Kernel memory",
              {of_each(result.kernel_bytes_each(), "a subscriber, both ends"),
               fmt::format("socket buffers {} -> {}",
                           readable_bytes(to_double(result.before.kernel.socket_bytes)),
                           readable_bytes(to_double(after.kernel.socket_bytes)))});
  }
}

void add_generator(Table& table, const LoadResult& result) {
  const auto line = [&table](std::string_view label, const PhaseCost& phase) {
    if (phase.own_cpu_ns == 0) return;
    table.row(label,
              {fmt::format("{} of a core", readable_share(phase.own_cores())),
               fmt::format("waited {} for a core", readable_time(to_double(phase.own_waited_ns)))});
  };
  line("Generator CPU", result.publish);
  line("  connecting", result.connect);
}

}  // namespace

std::string to_text(const LoadOptions& options, const LoadResult& result) {
  Table table;
  add_setup(table, options, result);
  add_connects(table, options, result);
  add_publishing(table, result);
  add_deliveries(table, result);
  add_server(table, result);
  add_generator(table, result);
  if (!result.bottlenecks.empty() || !result.failures.empty()) table.line("");
  for (const std::string& sentence : result.bottlenecks) table.sentence("Bottleneck:", sentence);
  for (const std::string& failure : result.failures) table.sentence("Failed:", failure);
  table.line(result.failures.empty() ? "PASS" : "FAIL");
  return table.take();
}

}  // namespace tocsin::load
