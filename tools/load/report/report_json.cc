#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include <fmt/format.h>

#include "tools/load/host/host.h"
#include "tools/load/options/scenarios.h"
#include "tools/load/report/json_object.h"
#include "tools/load/report/report.h"

namespace tocsin::load {
namespace {

// Every bucket's bound is at most so much above the values in it (histogram.h).
constexpr double kRelativeError = 1.0 / 128;
// Less of a slab cache for each subscriber is noise of the rest of the machine.
constexpr double kLeastCacheBytes = 16;

double to_double(std::uint64_t value) {
  return static_cast<double>(value);
}

std::string latency_json(const LatencyHistogram& latency) {
  if (latency.count() == 0) return "null";
  JsonObject json;
  json.add("count", latency.count());
  json.add("mean_ns", latency.mean_ns());
  json.add("p50_ns", latency.value_at(0.5));
  json.add("p90_ns", latency.value_at(0.9));
  json.add("p99_ns", latency.value_at(0.99));
  json.add("p99_9_ns", latency.value_at(0.999));
  json.add("p99_99_ns", latency.value_at(0.9999));
  json.add("max_ns", latency.max_ns());
  json.add("relative_error", kRelativeError);
  std::vector<std::string> buckets;
  latency.for_each([&buckets](std::uint64_t upper_bound_ns, std::uint64_t count) {
    buckets.push_back(fmt::format("[{},{}]", upper_bound_ns, count));
  });
  json.raw("buckets", json_list(buckets));
  return json.text();
}

// The value of a header may be a secret, and a report is made to be passed on: "Authorization: ..."
// becomes "Authorization: (left out)".
std::vector<std::string> without_secrets(std::span<const std::string> words) {
  static constexpr std::array<std::string_view, 2> kFlags = {"--header", "--publish-header"};
  const auto hide = [](std::string& word, std::size_t from) {
    const std::size_t colon = word.find(':', from);
    word.resize(colon == std::string::npos ? from : colon);  // without a name: all of it
    word += ": (left out)";
  };
  std::vector<std::string> safe(words.begin(), words.end());
  for (std::size_t i = 0; i < safe.size(); ++i) {
    for (const std::string_view flag : kFlags) {
      if (safe[i] == flag && i + 1 < safe.size()) {
        hide(safe[++i], 0);
        break;
      }
      if (safe[i].starts_with(flag) && safe[i].substr(flag.size()).starts_with('=')) {
        hide(safe[i], flag.size() + 1);
        break;
      }
    }
  }
  return safe;
}

std::string host_json() {
  const Host host = this_host();
  JsonObject json;
  json.add("kernel", host.kernel);
  json.add("processor", host.processor);
  json.add("cores", host.cores);
  json.add("allowed_cores", host.allowed_cores);
  json.add("memory_bytes", host.memory_bytes);
  return json.text();
}

std::string_view name_of(IoKind io) {
  static constexpr std::array<std::string_view, 3> kNames = {"auto", "uring", "epoll"};
  return kNames[static_cast<std::size_t>(io)];
}

std::string_view name_of(PublishMode mode) {
  static constexpr std::array<std::string_view, 4> kNames = {"none", "each", "rate", "full"};
  return kNames[static_cast<std::size_t>(mode)];
}

std::string subscribe_json(const SubscriberOptions& subscribe) {
  JsonObject json;
  json.add("url", subscribe.url.to_string());
  json.add("count", subscribe.count);
  json.add("threads", subscribe.threads);
  json.add("io", name_of(subscribe.io));
  json.add("connects_per_s", subscribe.connects_per_s);
  json.add("connects_in_flight", subscribe.connects_in_flight);
  json.add("source_addresses", subscribe.sources.is_empty() ? 0 : subscribe.sources.count());
  json.add("resume_by", subscribe.resume_by);
  json.add("framing", subscribe.framing);
  json.add("churn_per_s", subscribe.churn_per_s);
  json.add("churn_resume_share", subscribe.churn_resume);
  json.add("herd_after_s", subscribe.herd_after_s);
  json.add("herd_share", subscribe.herd_share);
  json.add("slow_share", subscribe.slow_share);
  json.add("slow_bytes_per_s", subscribe.slow_bytes_per_s);
  return json.text();
}

std::string publisher_json(const PublishLoad& publish) {
  JsonObject json;
  json.add("url", publish.request.url.to_string());
  json.add("method", publish.request.method);
  json.add("content_type", publish.request.content_type);
  json.add("mode", name_of(publish.mode));
  json.add("connections", publish.connections);
  json.add("in_flight", publish.in_flight);
  json.add("batch", publish.batch);
  json.add("events", publish.events);
  json.add("duration_s", publish.duration_s);
  json.add("events_per_s", publish.schedule.events_per_s);
  json.add("poisson", publish.schedule.poisson);
  json.add("burst", publish.schedule.burst);
  json.add("ahead", publish.ahead);
  json.add("each_timeout_s", publish.each_timeout_s);
  json.add("history", publish.history);
  return json.text();
}

std::string workload_json(const Workload& workload) {
  JsonObject json;
  json.add("topics", workload.topics);
  json.add("zipf_exponent", workload.zipf);
  json.add("mean_bytes", workload.sizes.mean());
  json.add("largest_bytes", workload.sizes.largest());
  json.add("topic_prefix", workload.topic_prefix);
  json.add("seed", fmt::format("{}", workload.seed));
  return json.text();
}

std::string options_json(const LoadOptions& options) {
  JsonObject json;
  json.raw("subscribe", subscribe_json(options.subscribe));
  json.raw("publish", publisher_json(options.publish));
  json.raw("workload", workload_json(options.workload));
  json.add("warmup", options.warmup);
  json.add("settle_s", options.settle_s);
  json.add("idle_s", options.idle_s);
  json.add("drain_s", options.drain_s);
  std::vector<std::string> pids;
  for (const pid_t pid : options.server_pids) pids.push_back(fmt::format("{}", pid));
  json.raw("server_pids", json_list(pids));
  json.add("server_unit", options.server_unit);
  json.add("kernel_memory", options.kernel_memory);
  std::vector<std::string> expectations;
  for (const Expectation& one : options.expectations) expectations.push_back(one.text);
  json.raw("expectations", json_strings(expectations));
  return json.text();
}

std::string streams_json(const LoadResult& result) {
  JsonObject json;
  json.add("connected", result.connected);
  json.add("refused", result.refused);
  json.add("refused_meanwhile", result.refused_meanwhile);
  json.add("dropped", result.dropped);
  json.add("away", result.away);
  json.raw("outage", latency_json(result.outage));
  json.add("left", result.left);
  json.add("held", result.held);
  json.add("server_count",
           result.server_streams ? std::optional(to_double(*result.server_streams)) : std::nullopt);
  json.raw("first_refusal", json_shown(result.refusals.first));
  JsonObject kinds;
  for (const auto& [kind, count] : result.refusals.by_kind) kinds.add(kind, count);
  json.raw("refusals", kinds.text());
  JsonObject unanswered;
  unanswered.add("connecting", result.unanswered.connecting);
  unanswered.add("heads", result.unanswered.heads);
  unanswered.add("longest_s", to_double(result.unanswered.longest_ns) * 1e-9);
  json.raw("unanswered", unanswered.line());
  json.add("threads", result.threads);
  json.add("io", result.io);
  return json.text();
}

JsonObject phase_json(const PhaseCost& phase) {
  JsonObject json;
  json.add("duration_s", phase.seconds());
  json.add("server_cpu_ns", phase.server.cpu_ns);
  json.add("server_user_ns", phase.server.user_ns);
  json.add("server_system_ns", phase.server.system_ns);
  json.add("server_cpu_share", phase.server_cores());
  json.add("server_voluntary_switches", phase.server.voluntary_switches);
  json.add("server_involuntary_switches", phase.server.involuntary_switches);
  json.add("own_cpu_ns", phase.own_cpu_ns);
  json.add("own_cpu_share", phase.own_cores());
  json.add("own_waited_ns", phase.own_waited_ns);
  return json;
}

std::string connect_json(const LoadResult& result) {
  JsonObject json = phase_json(result.connect);
  json.add("count", result.connect_count);
  json.add("connects_per_s", result.connects_per_s());
  json.add("server_cpu_ns_per_connect", result.cpu_ns_per_connect());
  json.raw("latency", latency_json(result.connect_latency));
  return json.text();
}

std::string reconnect_json(const LoadResult& result) {
  JsonObject json = phase_json(result.reconnect);
  json.add("count", result.reconnect_count);
  json.add("reconnects_per_s", result.reconnects_per_s());
  json.add("events", result.reconnect_events);
  return json.text();
}

std::string publishing_json(const LoadResult& result) {
  const PublishFigures& published = result.published;
  JsonObject json;
  json.add("events", published.events);
  json.add("requests", published.requests);
  json.add("refused", published.refused);
  json.add("events_refused", published.events_refused);
  json.add("uncertain", published.uncertain);
  json.add("failed_connects", published.failed_connects);
  json.add("longest_away_s", to_double(published.longest_away_ns) * 1e-9);
  json.add("timeouts", published.timeouts);
  json.raw("error", json_shown(published.error));
  json.add("ended_early", published.ended_early);
  json.add("gave_up", published.gave_up);
  json.add("drain_s", to_double(result.drain_ns) * 1e-9);
  json.add("duration_s", to_double(published.duration_ns) * 1e-9);
  json.add("events_per_s", result.events_per_s());
  json.raw("lateness", latency_json(published.lateness));
  json.raw("answered", latency_json(published.answered));
  return json.text();
}

std::string deliveries_json(const LoadResult& result) {
  const CheckTotals& totals = result.totals;
  JsonObject json;
  json.add("delivered", totals.delivered);
  json.add("bytes", totals.bytes);
  json.add("deliveries_per_s", result.deliveries_per_s());
  const double seconds = result.publish.seconds();
  json.add("bytes_per_s",
           seconds > 0 ? std::optional(to_double(totals.bytes) / seconds) : std::nullopt);
  json.add("server_cpu_ns_per_delivery", result.cpu_ns_per_delivery());
  json.add("lost", totals.lost);
  json.add("told", totals.told);
  json.add("away", totals.away);
  json.add("duplicated", totals.duplicated);
  json.add("reordered", totals.reordered);
  json.add("corrupted", totals.corrupted);
  json.add("foreign", totals.foreign);
  json.add("typed", totals.typed);
  json.add("comments", totals.comments);
  json.raw("sample", json_shown(totals.sample));
  json.raw("latency", latency_json(result.latency));
  return json.text();
}

std::string reading_json(const MemoryReading& reading) {
  const auto if_read = [](std::uint64_t bytes) {
    return bytes > 0 ? std::optional(to_double(bytes)) : std::nullopt;
  };
  JsonObject json;
  json.add("rss_bytes", if_read(reading.server.rss_bytes));
  json.add("pss_bytes", if_read(reading.server.pss_bytes));
  json.add("slab_bytes", if_read(reading.kernel.slab_bytes));
  json.add("socket_bytes", reading.kernel.slab_bytes > 0
                               ? std::optional(to_double(reading.kernel.socket_bytes))
                               : std::nullopt);
  return json.text();
}

std::string caches_json(const LoadResult& result) {
  JsonObject json;
  for (const auto& [name, bytes] : result.after.kernel.caches) {
    const auto before = result.before.kernel.caches.find(name);
    if (before == result.before.kernel.caches.end() || result.connect_count == 0) continue;
    const double grown = (to_double(bytes) - to_double(before->second)) / result.connect_count;
    if (std::abs(grown) >= kLeastCacheBytes) json.add(name, grown);
  }
  return json.text();
}

std::string memory_json(const LoadResult& result) {
  JsonObject json;
  json.raw("before", reading_json(result.before));
  json.raw("after", reading_json(result.after));
  json.add("rss_bytes_per_subscriber", result.rss_bytes_each());
  json.add("pss_bytes_per_subscriber", result.pss_bytes_each());
  json.add("kernel_bytes_per_subscriber", result.kernel_bytes_each());
  json.add("socket_bytes_per_subscriber", result.socket_bytes_each());
  json.raw("cache_bytes_per_subscriber", caches_json(result));
  return json.text();
}

std::string sample_json(const Sample& sample) {
  JsonObject json;
  json.add("at_s", sample.at_s);
  json.add("connected", sample.connected);
  json.add("published", sample.published);
  json.add("delivered", sample.delivered);
  json.add("lost", sample.lost);
  json.add("p50_ms", sample.p50_ms);
  json.add("p99_ms", sample.p99_ms);
  json.add("max_ms", sample.max_ms);
  json.add("server_cpu_ns", sample.server_cpu_ns);
  json.add("own_cpu_ns", sample.own_cpu_ns);
  json.add("server_rss_bytes", sample.server_rss_bytes);
  json.add("socket_bytes", sample.socket_bytes);
  return "\n" + json.line();
}

}  // namespace

std::string to_json(const LoadOptions& options, const LoadResult& result) {
  JsonObject json;
  json.add("version", 1U);
  json.add("ok", result.failures.empty());
  json.add("scenario", load::name_of(options.scenario));
  json.raw("command_line", json_strings(without_secrets(options.command_line)));
  json.raw("host", host_json());
  json.raw("options", options_json(options));
  json.raw("streams", streams_json(result));
  json.raw("connect", connect_json(result));
  json.raw("reconnect", reconnect_json(result));
  json.raw("idle", phase_json(result.idle).text());
  json.raw("publish", phase_json(result.publish).text());
  json.raw("publishing", publishing_json(result));
  json.raw("deliveries", deliveries_json(result));
  json.raw("memory", memory_json(result));
  std::vector<std::string> timeline;
  timeline.reserve(result.timeline.size());
  for (const Sample& sample : result.timeline) timeline.push_back(sample_json(sample));
  json.raw("timeline", json_list(timeline));
  json.raw("bottlenecks", json_shown_list(result.bottlenecks));
  json.raw("failures", json_shown_list(result.failures));
  return json.text() + "\n";
}

}  // namespace tocsin::load
