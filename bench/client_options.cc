#include "bench/client_options.h"

#include <arpa/inet.h>
#include <sys/resource.h>

#include <algorithm>
#include <map>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "bench/payload.h"

namespace tocsin::bench {
namespace {

void add_subscriber_options(CLI::App& app, ClientOptions& o) {
  app.add_option("--host", o.host, "server's IPv4 address")->capture_default_str();
  app.add_option("--port", o.port, "server's port")->required();
  app.add_option("--path", o.path, "target of the GET")->capture_default_str();
  app.add_option("--subscribers", o.subscribers)->capture_default_str();
  app.add_option("--warmup", o.warmup, "of them connected before the measurement");
  app.add_option("--threads", o.threads, "receiving threads")->check(CLI::Range(1, 256));
  app.add_option("--connect-rate", o.connects_per_s, "connects/s of a thread; 0: full speed");
  app.add_option("--connects-in-flight", o.connects_in_flight, "of a thread")
      ->check(CLI::Range(1, 4096));
  app.add_option("--reconnect-after", o.reconnect_after_s,
                 "cut and resume all, seconds after each has its first event");
}

void add_publisher_options(CLI::App& app, ClientOptions& o) {
  static const std::map<std::string, PublishMode> kModes{{"none", PublishMode::none},
                                                         {"each", PublishMode::each},
                                                         {"rate", PublishMode::rate},
                                                         {"full", PublishMode::full}};
  app.add_option("--publish", o.publish.mode, "none, each, rate or full")
      ->transform(CLI::CheckedTransformer(kModes));
  app.add_option("--publish-path", o.publish.path, "target of the POST")
      ->default_val("/publish?stream=bench");
  app.add_option("--events", o.publish.events, "number of events; 0: no limit");
  app.add_option("--seconds", o.publish.seconds, "length of publishing; 0: no limit");
  app.add_option("--rate", o.publish.events_per_s, "events/s of --publish rate");
  app.add_option("--bytes", o.bytes, "data of an event")
      ->check(CLI::Range(kPayloadHead, kMaxPayload));
  app.add_option("--connections", o.publish.connections, "publishing connections")
      ->check(CLI::Range(1, 1000));
  app.add_option("--in-flight", o.publish.in_flight, "unanswered requests of a connection")
      ->check(CLI::Range(1, 100'000));
  app.add_option("--batch", o.publish.batch, "events in an NDJSON request; 0: text, one event");
  app.add_option("--ahead", o.publish.ahead,
                 "events that --publish full may be ahead of the mean subscriber; 0: no limit");
}

void add_measuring_options(CLI::App& app, ClientOptions& o) {
  app.add_option("--server-pid", o.server_pids, "process to measure, with its descendants");
  app.add_option("--idle", o.idle_s, "seconds of an idle window");
  app.add_flag("--memory", o.memory, "read user and kernel memory before and after connecting");
  app.add_option("--settle", o.settle_s, "seconds before memory is read");
  app.add_option("--drain", o.drain_s, "seconds without progress that end the run");
  app.add_option("--json", o.json_path, "file for the result; default: standard output");
}

// Every group has a table of its own; 100 descriptors are left for the rest.
std::string descriptors_problem(const ClientOptions& o) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  const std::uint64_t per_thread = (o.subscribers + o.threads - 1) / o.threads;
  if (per_thread + 100 <= limit.rlim_cur) return {};
  return fmt::format("{} subscribers on each thread, but RLIMIT_NOFILE is {}: use --threads {}",
                     per_thread, limit.rlim_cur,
                     (o.subscribers / std::max<std::uint64_t>(limit.rlim_cur - 100, 1)) + 1);
}

std::string problem(const ClientOptions& o) {
  in_addr address{};
  if (inet_pton(AF_INET, o.host.c_str(), &address) != 1) return "--host: not an IPv4 address";
  if (o.warmup > o.subscribers) return "--warmup: more than --subscribers";
  const bool bounded = o.publish.events > 0 || o.publish.seconds > 0;
  if (o.publish.mode != PublishMode::none && !bounded) return "--events or --seconds is needed";
  if (o.publish.mode == PublishMode::rate && o.publish.events_per_s <= 0) return "--rate is needed";
  if (o.publish.mode == PublishMode::each && o.publish.batch > 1) return "--publish each: no batch";
  if (o.reconnect_after_s > 0 && o.publish.mode != PublishMode::rate) {
    return "--reconnect-after needs --publish rate";
  }
  return descriptors_problem(o);
}

}  // namespace

std::expected<ClientOptions, int> parse_options(int argc, char** argv) {
  CLI::App app("Opens event streams, publishes, checks every delivery, measures the server.");
  ClientOptions options;
  add_subscriber_options(app, options);
  add_publisher_options(app, options);
  add_measuring_options(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return std::unexpected(app.exit(error));
  }
  if (const std::string what = problem(options); !what.empty()) {
    fmt::print(stderr, "tocsin_bench_client: {}\n", what);
    return std::unexpected(2);
  }
  PublisherOptions& publish = options.publish;
  publish.server.sin_family = AF_INET;
  publish.server.sin_port = htons(options.port);
  inet_pton(AF_INET, options.host.c_str(), &publish.server.sin_addr);
  publish.host = fmt::format("{}:{}", options.host, options.port);
  publish.subscribers = options.subscribers;
  return options;
}

}  // namespace tocsin::bench
