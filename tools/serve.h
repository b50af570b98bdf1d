// `tocsin serve`: the hub as a service, and `tocsin demo`: the same with feeds to look at.
#pragma once

#include <functional>

#include "net/server.h"

namespace CLI {
class App;
}

namespace tocsin::tools {

class OptionFlags;

// Starts the hub, calls `started` (if any), and serves until SIGTERM or SIGINT: then drains; a
// second one ends at once. SIGHUP reads the configuration again. Returns the exit status: 0 drained
// or stopped, 1 it could not start, 2 the configuration is wrong.
[[nodiscard]] int run_serve(const OptionFlags& flags,
                            const std::function<void(net::Server&)>& started = {});

}  // namespace tocsin::tools
