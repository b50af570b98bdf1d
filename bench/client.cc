// tocsin_bench_client: opens many event streams to one server, publishes to it, checks every
// delivery at every receiver, and reports what the server took, as JSON.
//
// The phases: connect, idle window, publish (with a cut and reconnect of all, if asked for), drain.
// Exit status: 0 everything arrived once and in order; 1 it did not; 2 usage.
#include <sys/random.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "bench/client_options.h"
#include "bench/client_report.h"
#include "bench/clock.h"
#include "bench/server_probe.h"
#include "bench/subscribers.h"

namespace tocsin::bench {
namespace {

std::uint32_t random_run() {
  std::uint32_t run = 0;
  return getrandom(&run, sizeof run, 0) == sizeof run ? run : static_cast<std::uint32_t>(now_ns());
}

void sleep_s(double seconds) {
  sleep_us(static_cast<long>(seconds * 1e6));
}

class Client {
 public:
  explicit Client(ClientOptions options);
  RunResult run();

 private:
  using Counter = std::function<std::uint64_t(const GroupProgress&)>;
  [[nodiscard]] std::uint64_t sum(const Counter& counter) const;
  [[nodiscard]] std::uint64_t delivered() const;
  [[nodiscard]] std::uint64_t connected() const;
  bool wait_connected(std::uint64_t count);
  void wait_drained(std::uint64_t expected, std::uint64_t& last_ns);
  void connect_up_to(std::uint32_t count);
  void measure_connects();
  void measure_idle();
  void measure_publish();
  void measure_reconnect(const std::atomic<std::uint64_t>& published);
  void finish();
  Phase measured(const std::function<void()>& body) const;

  ClientOptions options_;
  PayloadFormat format_;
  ServerProbe probe_;
  std::vector<std::unique_ptr<SubscriberGroup>> groups_;
  RunResult result_;
};

Client::Client(ClientOptions options)
    : options_(std::move(options)),
      format_(random_run(), options_.bytes),
      probe_(options_.server_pids) {
  std::uint32_t first = 0;
  for (std::uint32_t i = 0; i < options_.threads; ++i) {
    const std::uint32_t last = static_cast<std::uint32_t>(std::uint64_t{options_.subscribers} *
                                                          (i + 1) / options_.threads);
    SubscriberOptions group;
    group.server = options_.publish.server;
    group.host = options_.publish.host;
    group.path = options_.path;
    group.lanes = options_.publish.connections;
    group.first_index = first;
    group.count = last - first;
    group.connects_per_s = options_.connects_per_s;
    group.connects_in_flight = options_.connects_in_flight;
    groups_.push_back(std::make_unique<SubscriberGroup>(std::move(group), format_));
    first = last;
  }
}

std::uint64_t Client::sum(const Counter& counter) const {
  std::uint64_t total = 0;
  for (const auto& group : groups_) total += counter(group->progress());
  return total;
}

std::uint64_t Client::delivered() const {
  std::uint64_t total = 0;
  for (const auto& group : groups_) {
    total += group->progress().delivered.load(std::memory_order_relaxed);
  }
  return total;
}

std::uint64_t Client::connected() const {
  return sum([](const GroupProgress& p) { return p.connected.load(); });
}

Phase Client::measured(const std::function<void()>& body) const {
  Phase phase;
  const std::uint64_t cpu = probe_.usage(false).cpu_ns;
  const std::uint64_t own_cpu = process_cpu_ns();
  const std::uint64_t start = now_ns();
  body();
  phase.wall_ns = now_ns() - start;
  phase.client_cpu_ns = process_cpu_ns() - own_cpu;
  phase.server_cpu_ns = probe_.usage(false).cpu_ns - cpu;
  return phase;
}

// False: some were refused, so `count` is never reached, or nothing moved for the drain time.
bool Client::wait_connected(std::uint64_t count) {
  std::uint64_t before = 0;
  std::uint64_t since = now_ns();
  for (;;) {
    const std::uint64_t now = connected();
    const std::uint64_t failed =
        sum([](const GroupProgress& p) { return p.refused.load() + p.dropped.load(); });
    if (now + failed >= count) return failed == 0;
    if (now != before) since = now_ns();
    if (static_cast<double>(now_ns() - since) > options_.drain_s * 1e9) return false;
    before = now;
    sleep_us(500);
  }
}

// Waits for `expected` deliveries in all; `last_ns` becomes the time when the last one was seen.
void Client::wait_drained(std::uint64_t expected, std::uint64_t& last_ns) {
  std::uint64_t before = delivered();
  last_ns = now_ns();
  while (before < expected) {
    sleep_us(500);
    const std::uint64_t now = delivered();
    if (now != before) last_ns = now_ns();
    if (static_cast<double>(now_ns() - last_ns) > options_.drain_s * 1e9) return;
    before = now;
  }
}

void Client::connect_up_to(std::uint32_t count) {
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const std::uint64_t share =
        std::uint64_t{count} * (i + 1) / groups_.size() - std::uint64_t{count} * i / groups_.size();
    groups_[i]->connect_up_to(static_cast<std::uint32_t>(share));
  }
  wait_connected(count);
}

void Client::measure_connects() {
  if (options_.warmup > 0) connect_up_to(options_.warmup);
  if (options_.memory) {
    sleep_s(options_.settle_s);
    result_.memory_before = probe_.usage(true);
    result_.kernel_before = kernel_memory();
  }
  result_.connect_count = options_.subscribers - options_.warmup;
  result_.connect = measured([&] { connect_up_to(options_.subscribers); });
  result_.connected = static_cast<std::uint32_t>(connected());
  if (options_.memory) {
    sleep_s(options_.settle_s);
    result_.memory_after = probe_.usage(true);
    result_.kernel_after = kernel_memory();
  }
}

void Client::measure_idle() {
  if (options_.idle_s > 0) result_.idle = measured([&] { sleep_s(options_.idle_s); });
}

void Client::measure_reconnect(const std::atomic<std::uint64_t>& published) {
  const auto heard = [&] { return sum([](const GroupProgress& p) { return p.heard.load(); }); };
  const std::uint64_t start = now_ns();
  while (heard() < options_.subscribers) {
    if (static_cast<double>(now_ns() - start) > options_.drain_s * 1e9) return;
    sleep_us(500);
  }
  sleep_s(options_.reconnect_after_s);
  result_.reconnect_count = options_.subscribers;
  const std::uint64_t events = published.load();
  result_.reconnect = measured([&] {
    for (const auto& group : groups_) group->cut_all();
    while (sum([](const GroupProgress& p) { return p.cuts_done.load(); }) < groups_.size()) {
      sleep_us(200);
    }
    wait_connected(options_.subscribers);
  });
  result_.reconnect_events = published.load() - events;
}

void Client::measure_publish() {
  if (options_.publish.mode == PublishMode::none) return;
  std::atomic<std::uint64_t> published{0};
  std::uint64_t last_ns = 0;
  const std::uint64_t start = now_ns();
  result_.publish = measured([&] {
    std::thread publisher([&] {
      result_.published =
          publish(options_.publish, format_, [&] { return delivered(); }, published);
    });
    if (options_.reconnect_after_s > 0) measure_reconnect(published);
    publisher.join();
    wait_drained(result_.published.events * options_.subscribers, last_ns);
  });
  result_.publish.wall_ns = last_ns - start;  // without the wait for what never came
}

void Client::finish() {
  // A duplicate would come right behind the last event: look a moment longer than needed.
  if (options_.publish.mode != PublishMode::none) sleep_us(50'000);
  result_.dropped =
      static_cast<std::uint32_t>(sum([](const GroupProgress& p) { return p.dropped.load(); }));
  result_.refused =
      static_cast<std::uint32_t>(sum([](const GroupProgress& p) { return p.refused.load(); }));
  for (const auto& group : groups_) {
    group->stop();
    result_.totals.merge(group->finish(result_.published.published));
    result_.receiver_cpu_ns += group->cpu_ns();
    if (result_.first_refusal.empty()) result_.first_refusal = group->first_refusal();
  }
  const CheckTotals& t = result_.totals;
  const PublishResult& p = result_.published;
  result_.ok = result_.refused + result_.dropped == 0 &&
               result_.connected == options_.subscribers && p.refused == 0 && p.error.empty() &&
               t.lost + t.duplicated + t.reordered + t.corrupted + t.typed == 0 &&
               t.delivered == p.events * options_.subscribers;
}

RunResult Client::run() {
  measure_connects();
  measure_idle();
  measure_publish();
  finish();
  return std::move(result_);
}

bool write_result(const std::string& json, const std::string& path) {
  if (path.empty()) return std::fputs(json.c_str(), stdout) >= 0;
  std::ofstream file(path);
  file << json;
  return static_cast<bool>(file.flush());
}

}  // namespace
}  // namespace tocsin::bench

int main(int argc, char** argv) {
  using namespace tocsin::bench;
  const auto options = parse_options(argc, argv);
  if (!options) return options.error();
  const RunResult result = Client(*options).run();
  if (!write_result(to_json(*options, result), options->json_path)) {
    fmt::print(stderr, "tocsin_bench_client: cannot write {}\n", options->json_path);
    return 2;
  }
  return result.ok ? 0 : 1;
}
