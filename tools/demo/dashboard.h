// The figures of this machine and of the hub, as one JSON object every few seconds.
#pragma once

#include <cstdint>
#include <string>

#include "net/client/http_client.h"
#include "tools/demo/host_metrics.h"

namespace tocsin::demo {

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
