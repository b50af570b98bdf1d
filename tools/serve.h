// `tocsin serve`: the hub as a service, and `tocsin demo`: the same with feeds to look at.
#pragma once

#include <functional>
#include <thread>

#include "net/server.h"

namespace CLI {
class App;
}

namespace tocsin::tools {

class OptionFlags;

// Starts the hub, then a thread beside it by `companion` (if any), and serves until SIGTERM or
// SIGINT: then the companion is asked to stop and joined, so that it finds the hub as long as it
// runs, and the hub drains; a second signal ends it at once. SIGHUP reads the configuration again.
// Returns the exit status: 0 drained or stopped, 1 it could not start, 2 the configuration is
// wrong.
[[nodiscard]] int run_serve(const OptionFlags& flags,
                            const std::function<std::jthread(net::Server&)>& companion = {});

}  // namespace tocsin::tools
