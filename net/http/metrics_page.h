// The page of /metrics.
#pragma once

#include <string>

#include "net/state/server_state.h"

namespace tocsin::net {

// In Prometheus' text format. From any thread.
[[nodiscard]] std::string render_metrics(ServerState& state);

}  // namespace tocsin::net
