// /metrics: the shards' counters and the hub's gauges in Prometheus' text format, by
// prometheus-cpp's serializer. Labels are shards, states, reasons and namespaces; never a topic's
// name, which clients choose.
#include "net/http/metrics_page.h"

#include <array>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/auth/access.h"
#include "net/auth/denial.h"
#include "net/base/process_metrics.h"
#include "net/http/metrics/exposition.h"
#include "net/state/remote_authority.h"
#include "net/state/server_state.h"
#include "proto/version.h"

namespace tocsin::net {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr std::array<std::string_view, kRejections> kReasons{
    "malformed",         "head_too_large",   "body_too_large", "timeout",
    "version",           "not_found",        "method",         "invalid",
    "forbidden",         "connection_limit", "accept_rate",    "topic_limit",
    "unavailable",       "unknown",          "conflict",       "draining",
    "exhausted",         "request_memory",   "failed",         "address_limit",
    "address_opens",     "address_publishes", "address_bytes", "subject_limit",
    "subject_opens",     "subject_publishes", "subject_bytes", "stream_topics",
    "behind",
};

using Shards = std::vector<std::unique_ptr<ShardMetrics>>;

MetricFamily& per_shard(Exposition& page, const Shards& shards, const char* name, const char* help,
                        Counter ShardMetrics::* member) {
  MetricFamily& family = page.add(name, help, MetricType::Counter);
  for (std::size_t i = 0; i < shards.size(); ++i) {
    ClientMetric metric;
    metric.label = {label("shard", std::to_string(i))};
    metric.counter.value = static_cast<double>((*shards[i].*member).get());
    family.metric.push_back(metric);
  }
  return family;
}

void connections(Exposition& page, const Shards& shards) {
  constexpr std::array<std::pair<const char*, Counter ShardMetrics::*>, 4> kStates{{
      {"request", &ShardMetrics::requests_open},
      {"stream", &ShardMetrics::streams_open},
      {"stream_blocked", &ShardMetrics::streams_blocked},
      {"closing", &ShardMetrics::closing},
  }};
  MetricFamily& family =
      page.add("tocsin_connections", "Open connections; stream_blocked is a part of stream.",
               MetricType::Gauge);
  for (std::size_t i = 0; i < shards.size(); ++i) {
    for (const auto& [state, member] : kStates) {
      ClientMetric metric;
      metric.label = {label("shard", std::to_string(i)), label("state", state)};
      metric.gauge.value = static_cast<double>((*shards[i].*member).get());
      family.metric.push_back(metric);
    }
  }
}

void rejections(Exposition& page, const Shards& shards) {
  MetricFamily& family =
      page.add("tocsin_rejections_total", "Requests and connections refused, by reason.",
               MetricType::Counter);
  for (std::size_t reason = 0; reason < kRejections; ++reason) {
    std::uint64_t sum = 0;
    for (const auto& shard : shards) sum += shard->rejections[reason].get();
    ClientMetric metric;
    metric.label = {label("reason", kReasons[reason])};
    metric.counter.value = static_cast<double>(sum);
    family.metric.push_back(metric);
  }
}

void denials(Exposition& page, const Shards& shards) {
  MetricFamily& family = page.add(
      "tocsin_denials_total", "Requests denied for want of a credential or of its right, by cause.",
      MetricType::Counter);
  for (std::size_t cause = 0; cause < kDenialCauses; ++cause) {
    std::uint64_t sum = 0;
    for (const auto& shard : shards) sum += shard->denials[cause].get();
    ClientMetric metric;
    metric.label = {label("cause", name_of(static_cast<DenialCause>(cause)))};
    metric.counter.value = static_cast<double>(sum);
    family.metric.push_back(metric);
  }
}

// Of all shards.
template <std::size_t kBuckets>
void histogram(Exposition& page, const Shards& shards, const char* name, const char* help,
               double unit, Histogram<kBuckets> ShardMetrics::* member) {
  std::vector<const Histogram<kBuckets>*> parts;
  for (const auto& shard : shards) parts.push_back(&((*shard).*member));
  histogram<kBuckets>(page, parts, name, help, unit);
}

void traffic(Exposition& page, const Shards& shards) {
  struct Row {
    const char* name;
    const char* help;
    Counter ShardMetrics::* member;
  };
  constexpr std::array<Row, 20> kRows{{
      {"tocsin_accepted_total", "Connections accepted.", &ShardMetrics::accepted},
      {"tocsin_accept_pauses_total",
       "Times that accepting paused for want of descriptors or memory.",
       &ShardMetrics::accept_pauses},
      {"tocsin_made_room_total", "Connections without a whole request ended for newcomers.",
       &ShardMetrics::made_room},
      {"tocsin_streams_opened_total", "Streams opened.", &ShardMetrics::streams_opened},
      {"tocsin_streams_resumed_total", "Of these, with a Last-Event-ID.", &ShardMetrics::resumed},
      {"tocsin_publishes_total", "Publish requests accepted, batches count once.",
       &ShardMetrics::batches_published},
      {"tocsin_publish_repeats_total", "Publish requests that were answered as the first time.",
       &ShardMetrics::repeats},
      {"tocsin_publish_waits_total", "Publish requests that waited for the shards to catch up.",
       &ShardMetrics::publish_waits},
      {"tocsin_deliveries_total", "Events handed to the kernel, once per subscriber.",
       &ShardMetrics::deliveries},
      {"tocsin_sent_bytes_total", "Bytes of streams that the kernel took.",
       &ShardMetrics::bytes_sent},
      {"tocsin_sends_total", "Sends to streams.", &ShardMetrics::sends},
      {"tocsin_short_sends_total", "Sends that filled the socket.", &ShardMetrics::short_sends},
      {"tocsin_blocked_sends_total", "Sends to a full socket.", &ShardMetrics::blocked_sends},
      {"tocsin_heartbeats_total", "Heartbeat comments.", &ShardMetrics::heartbeats},
      {"tocsin_streams_withdrawn_total",
       "Streams ended because their credential expired or their right is gone.",
       &ShardMetrics::streams_withdrawn},
      {"tocsin_slow_disconnects_total", "Slow streams disconnected.",
       &ShardMetrics::slow_disconnects},
      {"tocsin_slow_skips_total", "Slow streams moved to the newest event.",
       &ShardMetrics::slow_skips},
      {"tocsin_gaps_total", "Gap events sent.", &ShardMetrics::gaps},
      {"tocsin_stale_completions_total", "Completions of an earlier use of a slot.",
       &ShardMetrics::stale_completions},
      {"tocsin_stale_answers_total", "Answers that came later than their client stayed.",
       &ShardMetrics::stale_answers},
  }};
  for (const Row& row : kRows) per_shard(page, shards, row.name, row.help, row.member);
}

void build_info(Exposition& page) {
  ClientMetric metric;
  metric.label = {label("version", version()), label("commit", commit())};
  metric.gauge.value = 1;
  page.add("tocsin_build_info", "Constant 1; what this build is.", MetricType::Gauge)
      .metric.push_back(metric);
}

// The names that every Prometheus client library uses.
void process(Exposition& page) {
  const ProcessMetrics now = read_process_metrics();
  const auto gauge = [&](const char* name, const char* help, const auto& value) {
    if (value) page.gauge(name, help, static_cast<double>(*value));
  };
  ClientMetric cpu;
  cpu.counter.value = now.cpu_seconds;
  page.add("process_cpu_seconds_total", "CPU time, of user and system.", MetricType::Counter)
      .metric.push_back(cpu);
  gauge("process_start_time_seconds", "When it started, in seconds since 1970.",
        now.start_time_seconds);
  gauge("process_resident_memory_bytes", "Resident memory.", now.resident_bytes);
  gauge("process_virtual_memory_bytes", "Virtual memory.", now.virtual_bytes);
  gauge("process_open_fds",
        "Descriptors in the fullest table; every shard has one of its own (Linux 6.2 or newer).",
        now.open_descriptors);
  gauge("process_max_fds", "Descriptors that one table may hold.", now.max_descriptors);
  page.gauge("process_threads", "Threads.", static_cast<double>(now.threads));
}

// Those of requests by shard, and those of the program that runs the hub, if it publishes.
void published(Exposition& page, const ServerState& state) {
  MetricFamily& family =
      per_shard(page, state.metrics, "tocsin_events_published_total",
                "Events accepted from publishers.", &ShardMetrics::events_published);
  if (state.events_published == 0) return;
  ClientMetric metric;
  metric.label = {label("shard", "application")};
  metric.counter.value = static_cast<double>(state.events_published);
  family.metric.push_back(metric);
}

void store(Exposition& page, const StoreMetrics& metrics, std::uint64_t lag_us) {
  page.gauge("tocsin_publishes_pending", "Publish requests that the history's store has to answer.",
             static_cast<double>(metrics.pending.get()));
  page.gauge("tocsin_pending_bytes", "Memory of their events.",
             static_cast<double>(metrics.pending_bytes.get()));
  page.gauge("tocsin_store_lag_seconds", "How long the oldest of them has waited.",
             static_cast<double>(lag_us) * 1e-6);
  constexpr std::array<const char*, StoreMetrics::kAnswers> kAnswers{"committed", "refused",
                                                                    "unknown"};
  MetricFamily& answers =
      page.add("tocsin_store_answers_total", "What became of them.", MetricType::Counter);
  for (std::size_t i = 0; i < kAnswers.size(); ++i) {
    ClientMetric metric;
    metric.label = {label("outcome", kAnswers[i])};
    metric.counter.value = static_cast<double>(metrics.answers[i].get());
    answers.metric.push_back(metric);
  }
  page.counter("tocsin_store_stale_answers_total",
               "Answers that came twice, or when nobody waited for them any more.",
               metrics.stale_answers.get());
  page.counter("tocsin_store_stale_batches_total",
               "Batches that the store brought again, or out of turn.",
               metrics.stale_batches.get());
  page.counter("tocsin_store_forks_total",
               "Times that the history went on in a new epoch.", metrics.forks.get());
  page.gauge("tocsin_store_away", "1: the history's server cannot be reached.",
             static_cast<double>(metrics.away.get()));
  page.counter("tocsin_store_reconnects_total",
               "Times that the history's server was connected to again.",
               metrics.reconnects.get());
  page.counter("tocsin_store_failovers_total", "Of these, to another server than before.",
               metrics.failovers.get());
  page.gauge("tocsin_store_behind_events", "Events that it has and that are not here yet.",
             static_cast<double>(metrics.behind.get()));
  page.counter("tocsin_store_waits_total",
               "Times that the store had to wait for the shards to catch up.",
               metrics.shard_waits.get());
  const Histogram<26>* const times = &metrics.answer_us;
  histogram<26>(page, std::span{&times, 1}, "tocsin_store_answer_seconds",
                "From a publish to the store's answer, and its events being here.", 1e-6);
  page.counter("tocsin_store_commits_total", "Commits of the store.", metrics.commits.get());
  page.counter("tocsin_store_commit_publishes_total", "Publish requests in them.",
               metrics.commit_batches.get());
  page.counter("tocsin_store_commit_events_total", "Events in them.", metrics.commit_events.get());
  const Histogram<26>* const commits = &metrics.commit_us;
  histogram<26>(page, std::span{&commits, 1}, "tocsin_store_commit_seconds",
                "Time that a commit takes until it is on the disk.", 1e-6);
  page.gauge("tocsin_history_bytes", "What the history takes where it is kept.",
             static_cast<double>(metrics.history_bytes.get()));
}

void past(Exposition& page, const ServerState& state) {
  const PastMetrics& metrics = state.past.metrics();
  page.gauge("tocsin_replays_running",
             "Streams that are sent a page of what the history's store has and memory has not.",
             static_cast<double>(metrics.running.get()));
  page.gauge("tocsin_replays_waiting", "Streams that wait for one.",
             static_cast<double>(metrics.waiting.get()));
  page.counter("tocsin_replay_pages_read_total", "Pages that were read from the store.",
               metrics.pages_read.get());
  page.counter("tocsin_replay_pages_shared_total",
               "Pages that were there, as another stream had read them.",
               metrics.pages_shared.get());
  page.counter("tocsin_replay_events_read_total", "Events in the pages that were read.",
               metrics.events_read.get());
  page.counter("tocsin_replay_read_failures_total", "Times that the store could not be read.",
               metrics.failures.get());
  per_shard(page, state.metrics, "tocsin_replay_deliveries_total",
            "Of the deliveries, those of events that came from such pages.",
            &ShardMetrics::past_deliveries);
}

// Not at all where the configuration names no other servers.
void others(Exposition& page, const ServerState& state) {
  const auto access = state.access();
  if (access == nullptr || access->remote == nullptr) return;
  const OutboundMetrics& metrics = access->remote->metrics();
  by_outcome<OutboundMetrics::kFetches>(page, "tocsin_key_fetches_total",
                                        "Times that an issuer's keys were asked for.",
                                        {"fetched", "failed"}, metrics.fetches);
  by_outcome<OutboundMetrics::kCalls>(
      page, "tocsin_webhook_calls_total", "Questions to the webhook's back end.",
      {"allowed", "refused", "failed", "timed_out"}, metrics.calls);
  page.counter("tocsin_webhook_cached_total", "Requests for which its answer was known.",
               metrics.cached.get());
  page.counter("tocsin_outbound_crowded_total",
               "Requests refused because too many waited for what other servers say.",
               metrics.crowded.get());
  const Histogram<24>* const times = &metrics.call_us;
  histogram<24>(page, std::span{&times, 1}, "tocsin_webhook_seconds",
                "From a question to the webhook's back end to its answer, or its end.", 1e-6);
}

// Not at all where there are none: all of it would be `other`.
void namespaces(Exposition& page, const std::vector<core::NamespaceTable::Named>& counted) {
  if (counted.size() <= 1) return;
  std::map<std::string, core::NamespaceCounts> counts;
  for (const auto& [name, one] : counted) counts[name] += one;
  struct Row {
    const char* name;
    const char* help;
    std::uint64_t core::NamespaceCounts::* member;
    MetricType type = MetricType::Counter;
  };
  constexpr std::array<Row, 5> kRows{{
      {"tocsin_namespace_events_total", "Events published to the namespace's topics.",
       &core::NamespaceCounts::events},
      {"tocsin_namespace_bytes_total", "Wire bytes of them.", &core::NamespaceCounts::bytes},
      {"tocsin_namespace_subscriptions_total",
       "Topics that streams began to read; a stream of several counts for each.",
       &core::NamespaceCounts::subscriptions},
      {"tocsin_namespace_refusals_total",
       "Publishes refused for one of their events; streams, for a topic that clients may not read.",
       &core::NamespaceCounts::refusals},
      {"tocsin_namespace_subscribers",
       "Streams that read the namespace's topics now; one of several counts for each.",
       &core::NamespaceCounts::readers, MetricType::Gauge},
  }};
  for (const Row& row : kRows) {
    MetricFamily& family = page.add(row.name, row.help, row.type);
    for (const auto& [name, one] : counts) {
      ClientMetric metric;
      metric.label = {label("namespace", name)};
      const auto value = static_cast<double>(one.*row.member);
      (row.type == MetricType::Gauge ? metric.gauge.value : metric.counter.value) = value;
      family.metric.push_back(metric);
    }
  }
}

}  // namespace

std::string render_metrics(ServerState& state) {
  struct Snapshot {
    std::uint64_t encoded, bytes, unswept;
    std::size_t topics, log_bytes, pinned_bytes;
    std::vector<core::NamespaceTable::Named> namespaces;
  };
  const auto hub = state.hub.with([](const core::Hub& shared) {
    return Snapshot{shared.events_encoded(), shared.encoded_bytes(), shared.unswept_bytes(),
                    shared.topics(), shared.log_bytes(), shared.pinned_bytes(),
                    shared.namespace_counts()};
  });
  Exposition page;
  build_info(page);
  MetricFamily& info =
      page.add("tocsin_info", "Constant 1; the I/O backend in use.", MetricType::Gauge);
  for (std::size_t i = 0; i < state.metrics.size(); ++i) {
    ClientMetric one;
    one.label = {label("shard", std::to_string(i)), label("io", state.metrics[i]->io_name.load())};
    one.gauge.value = 1;
    info.metric.push_back(one);
  }
  connections(page, state.metrics);
  traffic(page, state.metrics);
  published(page, state);
  rejections(page, state.metrics);
  denials(page, state.metrics);
  page.counter("tocsin_events_encoded_total",
               "Events encoded: those published, and what the store brings besides.", hub.encoded);
  page.counter("tocsin_encoded_bytes_total", "Wire bytes of them.", hub.bytes);
  page.gauge("tocsin_topics", "Topics in memory.", static_cast<double>(hub.topics));
  page.gauge("tocsin_log_bytes", "Memory of all logs.", static_cast<double>(hub.log_bytes));
  page.gauge("tocsin_pinned_bytes",
             "Memory of what logs have dropped and slow streams are in the middle of; at most a "
             "quarter of history_total_bytes.",
             static_cast<double>(hub.pinned_bytes));
  page.gauge("tocsin_unswept_bytes", "Bytes published that some shard has yet to sweep.",
             static_cast<double>(hub.unswept));
  page.gauge("tocsin_presence_subjects",
             "Subjects on topics that tell who is there; one on several counts for each.",
             static_cast<double>(state.presence.size()));
  page.counter("tocsin_presence_uncounted_total",
               "Subjects on topics that were not counted, as there are too many.",
               state.presence.uncounted());
  per_shard(page, state.metrics, "tocsin_presence_lost_total",
            "Events of who came and went that could not be published.",
            &ShardMetrics::presence_lost);
  if (!state.hub.store().orders_at_once()) {
    store(page, state.hub.store_metrics(), state.hub.store_lag_us());
    past(page, state);
  }
  others(page, state);
  namespaces(page, hub.namespaces);
  histogram(page, state.metrics, "tocsin_events_per_send", "Events that one send carried.", 1,
            &ShardMetrics::events_per_send);
  histogram(page, state.metrics, "tocsin_delivery_latency_seconds",
            "From the receipt of a publish request to the send of its event to a subscriber; of a "
            "send with many events, the oldest. Replays are left out.",
            1e-6, &ShardMetrics::delivery_latency_us);
  histogram(page, state.metrics, "tocsin_turn_seconds", "Busy time of a turn of the loop.", 1e-6,
            &ShardMetrics::turn_us);
  per_shard(page, state.metrics, "tocsin_turns_total", "Turns of the loop.", &ShardMetrics::loops);
  process(page);
  return page.text();
}

}  // namespace tocsin::net
