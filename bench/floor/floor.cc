// tocsin_bench_floor: the least that the kernel takes for sending the same bytes to many sockets.
//
// It is the physical limit of a hub: a loop of send(2), and batches
// of io_uring SEND as the hub uses them, over the same established loopback sockets, in turns. Each
// round sends to every socket once and then waits until the receiver has read everything, so that
// no round finds a full socket or coalesces with the one before. How often the receiver sleeps and
// has to be woken is part of the sender's CPU on loopback: with --serve the same sends happen
// behind the client that also receives from a hub, and that is what a hub is compared with (T1).
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "bench/floor/append_loop.h"
#include "bench/floor/bare_send.h"
#include "bench/floor/floor_server.h"
#include "bench/floor/floor_sockets.h"
#include "bench/floor/redis_probe.h"
#include "net/base/clock.h"
#include "tools/base/print.h"

namespace tocsin::bench {
namespace {

struct FloorOptions {
  std::uint32_t sockets = 10'000;
  std::uint32_t bytes = 200;
  std::uint32_t rounds = 15;
  std::uint32_t batch = 128;
  int sender_cpu = -1;
  int receiver_cpu = -1;
  bool bare = false;
  std::string serve;
  bool watch_hangups = false;
  std::uint16_t port = 0;
  unsigned threads = 1;
  std::string append;
  std::uint16_t redis = 0;
  double rate = 200;
  double seconds = 2;
  std::string json_path;
};

[[noreturn]] void fail(std::string_view what, int error) {
  tools::print(stderr, "tocsin_bench_floor: {}: {}\n", what, std::strerror(error));
  std::exit(1);
}

void all_sent(const std::vector<int>& failed) {
  if (!failed.empty()) fail("send", EMSGSIZE);
}

struct Samples {
  std::string name;
  std::vector<double> cpu_ns;   // of the sending thread, for each delivery, one for each round
  std::vector<double> wall_ns;  // the same in time
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

template <typename Send>
void measure_round(Samples& samples, const FloorSockets& sockets, std::size_t bytes, bool keep,
                   const Send& send_all) {
  const auto count = static_cast<double>(sockets.fds().size());
  const std::uint64_t expected = sockets.drained() + (sockets.fds().size() * bytes);
  const std::uint64_t cpu = net::read_clock_ns(CLOCK_THREAD_CPUTIME_ID);
  const std::uint64_t wall = net::now_ns();
  send_all();
  const std::uint64_t cpu_after = net::read_clock_ns(CLOCK_THREAD_CPUTIME_ID);
  const std::uint64_t wall_after = net::now_ns();
  while (sockets.drained() < expected) std::this_thread::sleep_for(std::chrono::microseconds(200));
  if (!keep) return;
  samples.cpu_ns.push_back(static_cast<double>(cpu_after - cpu) / count);
  samples.wall_ns.push_back(static_cast<double>(wall_after - wall) / count);
}

std::vector<Samples> measure(const FloorOptions& options) {
  const FloorSockets sockets(options.sockets, options.receiver_cpu);
  const std::string data(options.bytes, 'x');
  BareRing ring(options.batch);
  RingNews news;
  std::vector<int> failed;
  std::vector<Samples> all(ring.usable() ? 2 : 1);
  all[0].name = "send";
  if (ring.usable()) all[1].name = "io_uring";
  for (std::uint32_t round = 0; round <= options.rounds; ++round) {
    const bool keep = round > 0;  // the first one warms caches and congestion windows
    measure_round(all[0], sockets, data.size(), keep,
                  [&] { send_by_loop(sockets.fds(), data, failed); });
    all_sent(failed);
    if (!ring.usable()) continue;
    measure_round(all[1], sockets, data.size(), keep, [&] {
      ring.send(sockets.fds(), data);
      ring.submit();
      ring.take(news);
    });
    all_sent(news.failed);
  }
  return all;
}

std::string report(const FloorOptions& options, const std::vector<Samples>& all) {
  std::string json = fmt::format("{{\n  \"sockets\": {},\n  \"bytes\": {},\n  \"rounds\": {}",
                                 options.sockets, options.bytes, options.rounds);
  for (const Samples& samples : all) {
    const auto [low, high] = std::minmax_element(samples.cpu_ns.begin(), samples.cpu_ns.end());
    json += fmt::format(
        ",\n  \"{}\": {{\"cpu_ns_per_delivery\": {:.1f}, \"min\": {:.1f}, \"max\": {:.1f}, "
        "\"wall_ns_per_delivery\": {:.1f}}}",
        samples.name, median(samples.cpu_ns), *low, *high, median(samples.wall_ns));
    tools::print(stderr,
                 "{:9} {:6.0f} ns CPU per delivery (median; {:.0f} to {:.0f}), {:6.0f} ns wall\n",
                 samples.name, median(samples.cpu_ns), *low, *high, median(samples.wall_ns));
  }
  return json + "\n}\n";
}

void pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  if (sched_setaffinity(0, sizeof set, &set) < 0) fail("--sender-cpu", errno);
}

void add_options(CLI::App& app, FloorOptions& o) {
  app.add_option("--sockets", o.sockets)->check(CLI::Range(1, 1'000'000))->capture_default_str();
  app.add_option("--bytes", o.bytes, "of a send, an append, or an entry")
      ->check(CLI::Range(1, 1 << 26))
      ->capture_default_str();
  app.add_option("--rounds", o.rounds)->check(CLI::Range(1, 100'000))->capture_default_str();
  app.add_option("--batch", o.batch, "io_uring sends in one system call")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--sender-cpu", o.sender_cpu, "pin the sender");
  app.add_option("--receiver-cpu", o.receiver_cpu, "pin the receiver");
  app.add_option("--json", o.json_path, "file for the result; default: standard output");
  app.add_flag("--bare", o.bare, "serve: accept, answer with a stream's head, hold the socket");
  app.add_option("--serve", o.serve, "serve `tocsin load`: streams, and publishes to their topics")
      ->check(CLI::IsMember({"send", "uring"}));
  app.add_flag("--watch-hangups", o.watch_hangups, "with --serve: watch each stream for leaving");
  app.add_option("--threads", o.threads, "with --serve: each with a descriptor table of its own")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--append", o.append, "append to this file and sync it, again and again");
  app.add_option("--redis", o.redis,
                 "port of a Redis server: XADD on one connection, XREAD BLOCK on another");
  app.add_option("--rate", o.rate, "with --redis: entries a second")
      ->check(CLI::Range(1.0, 1e6))
      ->capture_default_str();
  app.add_option("--seconds", o.seconds, "with --append and --redis: for so long")
      ->check(CLI::Range(0.01, 3600.0))
      ->capture_default_str();
  app.add_option("--port", o.port, "of --bare and --serve; 0: any, printed");
}

int report_probe(const FloorOptions& options) {
  const ProbeFigures figures =
      probe_redis(options.redis, options.bytes, options.rate, options.seconds);
  tools::print(stdout, "{{\"entries\": {}, \"p50_us\": {:.1f}, \"p99_us\": {:.1f}}}\n",
               figures.entries, figures.p50_us, figures.p99_us);
  return tools::status_of_output("tocsin_bench_floor", 0);
}

int report_appends(const FloorOptions& options) {
  const AppendFigures figures = append_and_sync(options.append, options.bytes, options.seconds);
  tools::print(stdout,
               "{{\"bytes\": {}, \"appends_per_s\": {:.1f}, \"p50_us\": {:.1f}, "
               "\"p99_us\": {:.1f}}}\n",
               options.bytes, figures.appends_per_s, figures.p50_us, figures.p99_us);
  return tools::status_of_output("tocsin_bench_floor", 0);
}

}  // namespace
}  // namespace tocsin::bench

int main(int argc, char** argv) {
  using namespace tocsin::bench;
  FloorOptions options;
  CLI::App app("CPU of the bare kernel for one delivery to each of many sockets.");
  add_options(app, options);
  CLI11_PARSE(app, argc, argv);
  raise_descriptor_limit();
  if (options.bare) return serve_bare(options.port);
  if (!options.append.empty()) return report_appends(options);
  if (options.redis != 0) return report_probe(options);
  if (!options.serve.empty()) {
    serve_floor({.way = options.serve == "uring" ? FloorWay::uring : FloorWay::send,
                        .port = options.port,
                        .threads = options.threads,
                        .batch = options.batch,
                        .watch_hangups = options.watch_hangups});
  }
  if (options.sender_cpu >= 0) pin_to(options.sender_cpu);
  const std::string json = report(options, measure(options));
  if (options.json_path.empty()) {
    tocsin::tools::print_text(stdout, json);
    return tocsin::tools::status_of_output("tocsin_bench_floor", 0);
  }
  std::ofstream file(options.json_path);
  file << json;
  return file.flush() ? 0 : 1;
}
