// `tocsin serve`: the hub as a service.
#pragma once

#include <functional>
#include <thread>
#include <vector>

#include "net/application.h"
#include "net/server.h"
#include "net/server_options.h"
#include "tools/serve/options.h"

namespace tocsin::tools {

// What a program has on the hub.
struct HubProgram {
  net::Application application{};
  // Before those of the configuration, which cannot change them: one that tries is an error.
  std::vector<net::TopicNamespace> namespaces{};
  // Starts a thread beside the hub; none: there is none.
  std::function<std::jthread(net::Server&)> companion{};
};

// Starts the hub with `configuration`, which is what `flags` said, and what `program` has, then its
// companion, and serves until a signal asks it to end (tools/serve/service_signals.h): then the
// companion is asked to stop and joined, so that it finds the hub as long as it runs, and the hub
// drains; a second such signal ends it at once. SIGHUP reads the configuration and its key files
// again. A hub without [auth] listens on loopback only, unless --open was said. Returns the exit
// status: 0 drained or stopped; 1 it could not start, or drained because its history was lost, and
// is to be started again; 2 it must not listen so, or is told what `program` has to say.
[[nodiscard]] int run_serve(const OptionFlags& flags, Configuration configuration,
                            HubProgram program = {});

}  // namespace tocsin::tools
