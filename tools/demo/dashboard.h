// The figures of this machine and of the hub, as one JSON object every few seconds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/http_client.h"
#include "tools/demo/host_metrics.h"

namespace tocsin::demo {

// What the hub's page of counters (/metrics, Prometheus' text format) says in all of its lines of
// `name` together: the shards of one hub. `labels`: a part of the labels that a line must have.
// Nothing if there is no such line.
[[nodiscard]] std::optional<double> sum_of(std::string_view page, std::string_view name,
                                           std::string_view labels = {});

// Not thread-safe.
class Dashboard {
 public:
  // `address`: ADDR:PORT of the hub, which is asked for its counters as by anybody else.
  explicit Dashboard(const std::string& address);

  // {"cpu_percent":3.1,"memory_used_bytes":…,…}: rates since the last call, or since it was made.
  // Waits up to two seconds for a hub that does not answer; its figures are then left out.
  [[nodiscard]] std::string next();

 private:
  net::HttpClient hub_;
  HostSample before_;
};

}  // namespace tocsin::demo
