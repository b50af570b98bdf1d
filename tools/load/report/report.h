// What a run found, for people and for programs. Pure but for the machine's description, which
// to_json() and to_html() read.
//
// JSON, version 1. Units are in the names: _ns, _ms, _s, _bytes, _per_s; a share is 0 to 1, or
// above for CPU of several cores (1 is one core's whole time). null: not measured. Keys are only
// added.
//
//   version, ok (no failures), scenario, command_line (values of header flags are left out)
//   host:     kernel, processor, cores, allowed_cores, memory_bytes
//   options:  subscribe {url, count, threads, io, connects_per_s, connects_in_flight,
//             source_addresses, resume_by, churn_per_s, churn_resume_share, herd_after_s,
//             herd_share, slow_share, slow_bytes_per_s}; publish {url, method, content_type, mode
//             ("none", "each", "rate", "full"), connections, in_flight, batch, events, duration_s,
//             events_per_s, poisson, burst, ahead, each_timeout_s, history}; workload {topics,
//             zipf_exponent, mean_bytes, largest_bytes, topic_prefix, seed (a string: 64 bits)};
//             warmup, settle_s, idle_s, drain_s, server_pids, server_unit, kernel_memory,
//             expectations
//   streams:  connected, refused, refused_meanwhile (of them: of streams that were open before),
//             dropped, away (of those: not back at the end), outage (a latency: from the drop to
//             the next head, or to the end), left, held (open when all had arrived), server_count
//             (what the server counted then, beyond what it had before), first_refusal, refusals
//             {kind: number}, unanswered {connecting, heads (waited for when the run ended),
//             longest_s}, threads, io
//   connect, reconnect, idle, publish: phases {duration_s, server_cpu_ns, server_user_ns,
//             server_system_ns, server_cpu_share, server_voluntary_switches,
//             server_involuntary_switches, own_cpu_ns, own_cpu_share, own_waited_ns}, and in
//             connect: count, connects_per_s, server_cpu_ns_per_connect, latency; in reconnect:
//             count, reconnects_per_s, events (published meanwhile)
//   publishing: events, requests, refused, events_refused, uncertain (events whose request was cut
//             before its answer), failed_connects (of connections that were open before),
//             longest_away_s (of a connection), timeouts, error, ended_early, gave_up (events
//             arrived no more), drain_s (waited after the last one), duration_s, events_per_s,
//             lateness, answered
//   deliveries: delivered, bytes, deliveries_per_s, bytes_per_s, server_cpu_ns_per_delivery, lost,
//             told, away, duplicated, reordered, corrupted, foreign, typed, comments, sample,
//             latency
//   memory:   before, after {rss_bytes, pss_bytes, slab_bytes, socket_bytes};
//             rss_bytes_per_subscriber, pss_..., kernel_..., socket_...; cache_bytes_per_subscriber
//             {slab cache's name: bytes}, those that grew or shrank by 16 bytes of each or more
//   timeline: [{at_s, connected, published, delivered, lost (totals so far; what was
//             not published is still in lost), p50_ms, p99_ms, max_ms
//             (of the interval before), server_cpu_ns, own_cpu_ns (totals), server_rss_bytes,
//             socket_bytes}]
//   bottlenecks, failures: sentences
//
// What a server sent and is shown (first_refusal, error, sample, failures) is printable ASCII,
// other bytes as \xNN.
//
// A latency: {count, mean_ns, p50_ns, p90_ns, p99_ns, p99_9_ns, p99_99_ns, max_ns, relative_error,
// buckets: [[upper_bound_ns, count], ...]}, smallest first; null if nothing was counted.
#pragma once

#include <string>

#include "tools/load/figures/load_result.h"
#include "tools/load/options/load_options.h"

namespace tocsin::load {

// A table for a terminal of 80 columns; only what was measured. Printable ASCII, whatever the
// server sent. The last line is PASS or FAIL.
[[nodiscard]] std::string to_text(const LoadOptions& options, const LoadResult& result);
[[nodiscard]] std::string to_json(const LoadOptions& options, const LoadResult& result);
// One file that asks nobody for anything, with the JSON in it (script element "run").
[[nodiscard]] std::string to_html(const LoadOptions& options, const LoadResult& result);

}  // namespace tocsin::load
