#include "bench/client_report.h"

#include <fmt/format.h>

#include "proto/http_response.h"

namespace tocsin::bench {
namespace {

// Lines of one JSON object, in order.
class JsonObject {
 public:
  explicit JsonObject(int depth) : indent_(static_cast<std::size_t>(depth) * 2, ' ') {}

  void add(std::string_view name, double value) { raw(name, fmt::format("{:.6g}", value)); }
  void add(std::string_view name, std::uint64_t value) { raw(name, fmt::format("{}", value)); }
  void add(std::string_view name, std::uint32_t value) { raw(name, fmt::format("{}", value)); }
  void add(std::string_view name, bool value) { raw(name, value ? "true" : "false"); }
  void add(std::string_view name, std::string_view value) {
    std::string text;
    proto::append_json_string(text, value);
    raw(name, text);
  }
  void raw(std::string_view name, std::string_view json) {
    body_ += fmt::format("{}{}\"{}\": {}", body_.empty() ? "" : ",\n", indent_, name, json);
  }
  [[nodiscard]] std::string text() const {
    return fmt::format("{{\n{}\n{}}}", body_, indent_.substr(0, indent_.size() - 2));
  }

 private:
  std::string indent_;
  std::string body_;
};

double ratio(double a, double b) {
  return b > 0 ? a / b : 0;
}
double to_double(std::uint64_t value) {
  return static_cast<double>(value);
}
double seconds(std::uint64_t ns) {
  return to_double(ns) * 1e-9;
}

// Of one core's time in the phase.
double share(std::uint64_t cpu_ns, const Phase& phase) {
  return ratio(to_double(cpu_ns), to_double(phase.wall_ns));
}

std::string phase_json(const Phase& phase, std::uint32_t count) {
  JsonObject json(2);
  json.add("count", count);
  json.add("seconds", seconds(phase.wall_ns));
  json.add("per_second", ratio(count, seconds(phase.wall_ns)));
  json.add("server_cpu_share", share(phase.server_cpu_ns, phase));
  json.add("client_cpu_share", share(phase.client_cpu_ns, phase));
  json.add("server_cpu_us_each", ratio(to_double(phase.server_cpu_ns) * 1e-3, count));
  return json.text();
}

std::string check_json(const CheckTotals& totals) {
  JsonObject json(2);
  json.add("delivered", totals.delivered);
  json.add("lost", totals.lost);
  json.add("duplicated", totals.duplicated);
  json.add("reordered", totals.reordered);
  json.add("corrupted", totals.corrupted);
  json.add("foreign", totals.foreign);
  json.add("typed", totals.typed);
  json.add("comments", totals.comments);
  json.add("sample", std::string_view(totals.sample));
  return json.text();
}

std::string latency_json(const Histogram& latency) {
  JsonObject json(2);
  const auto ms = [&](double q) { return to_double(latency.value_at(q)) * 1e-6; };
  json.add("p50_ms", ms(0.5));
  json.add("p90_ms", ms(0.9));
  json.add("p99_ms", ms(0.99));
  json.add("p99_9_ms", ms(0.999));
  json.add("max_ms", to_double(latency.max_ns()) * 1e-6);
  json.add("error_bound", 1.0 / 128);
  return json.text();
}

std::string publish_json(const RunResult& result) {
  const PublishResult& published = result.published;
  const double wall_s = seconds(result.publish.wall_ns);
  const double delivered = to_double(result.totals.delivered);
  JsonObject json(2);
  json.add("events", published.events);
  json.add("requests", published.requests);
  json.add("refused", published.refused);
  json.add("timeouts", published.timeouts);
  json.add("error", std::string_view(published.error));
  json.add("seconds", seconds(published.duration_ns));
  json.add("events_per_second", ratio(to_double(published.events), seconds(published.duration_ns)));
  json.add("seconds_to_last_delivery", wall_s);
  json.add("deliveries_per_second", ratio(delivered, wall_s));
  json.add("server_cpu_ns_per_delivery", ratio(to_double(result.publish.server_cpu_ns), delivered));
  json.add("server_cpu_us_per_event",
           ratio(to_double(result.publish.server_cpu_ns) * 1e-3, to_double(published.events)));
  json.add("server_cpu_share", share(result.publish.server_cpu_ns, result.publish));
  json.add("client_cpu_share", share(result.publish.client_cpu_ns, result.publish));
  json.add("publisher_cpu_share", ratio(seconds(published.cpu_ns), wall_s));
  return json.text();
}

double change(std::uint64_t after, std::uint64_t before) {
  return to_double(after) - to_double(before);
}

std::string memory_json(const RunResult& result) {
  const double count = result.connect_count;
  const auto each = [&](std::uint64_t after, std::uint64_t before) {
    return ratio(change(after, before), count);
  };
  JsonObject json(2);
  json.add("rss_before", result.memory_before.rss_bytes);
  json.add("rss_after", result.memory_after.rss_bytes);
  json.add("pss_before", result.memory_before.pss_bytes);
  json.add("pss_after", result.memory_after.pss_bytes);
  json.add("slab_before", result.kernel_before.slab_bytes);
  json.add("slab_after", result.kernel_after.slab_bytes);
  json.add("rss_each", each(result.memory_after.rss_bytes, result.memory_before.rss_bytes));
  json.add("pss_each", each(result.memory_after.pss_bytes, result.memory_before.pss_bytes));
  json.add("slab_each", each(result.kernel_after.slab_bytes, result.kernel_before.slab_bytes));
  json.add("sockets_each",
           each(result.kernel_after.socket_bytes, result.kernel_before.socket_bytes));
  JsonObject caches(3);
  for (const auto& [name, bytes] : result.kernel_after.caches) {
    const auto before = result.kernel_before.caches.find(name);
    const double grown =
        each(bytes, before == result.kernel_before.caches.end() ? 0 : before->second);
    if (grown >= 16) caches.add(name, grown);
  }
  json.raw("caches_each", caches.text());
  return json.text();
}

}  // namespace

std::string to_json(const ClientOptions& options, const RunResult& result) {
  JsonObject json(1);
  json.add("ok", result.ok);
  json.add("subscribers", options.subscribers);
  json.add("payload_bytes", std::uint64_t{options.bytes});
  json.add("connected", result.connected);
  json.add("refused", result.refused);
  json.add("dropped", result.dropped);
  json.add("first_refusal", std::string_view(result.first_refusal));
  json.raw("connect", phase_json(result.connect, result.connect_count));
  if (result.reconnect_count > 0) {
    json.raw("reconnect", phase_json(result.reconnect, result.reconnect_count));
    json.add("events_while_reconnecting", result.reconnect_events);
  }
  if (options.idle_s > 0) {
    json.add("idle_seconds", seconds(result.idle.wall_ns));
    json.add("idle_cpu_percent",
             100 * ratio(to_double(result.idle.server_cpu_ns), to_double(result.idle.wall_ns)));
  }
  if (options.publish.mode != PublishMode::none) {
    json.raw("publish", publish_json(result));
    json.raw("latency", latency_json(result.totals.latency));
  }
  json.raw("check", check_json(result.totals));
  json.add("receiver_cpu_seconds", seconds(result.receiver_cpu_ns));
  if (options.memory) json.raw("memory", memory_json(result));
  return json.text() + "\n";
}

}  // namespace tocsin::bench
