// `tocsin serve`: the hub as a service.
#pragma once

#include <functional>
#include <thread>

#include "net/server.h"
#include "tools/serve/options.h"

namespace tocsin::tools {

// Starts the hub with `configuration`, which is what `flags` said, and `application`, then a thread
// beside it by `companion` (if any), and serves until a signal asks it to end
// (tools/serve/service_signals.h): then the companion is asked to stop and joined, so that it finds
// the hub as long as it runs, and the hub drains; a second such signal ends it at once. SIGHUP
// reads the configuration and its key files again. A hub without [auth] listens on loopback only,
// unless --open was said. Returns the exit status: 0 drained or stopped, 1 it could not start, 2 it
// must not listen so.
[[nodiscard]] int run_serve(const OptionFlags& flags, Configuration configuration,
                            net::Application application = {},
                            const std::function<std::jthread(net::Server&)>& companion = {});

}  // namespace tocsin::tools
