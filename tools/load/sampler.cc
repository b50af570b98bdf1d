#include "tools/load/sampler.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "net/base/clock.h"
#include "tools/base/stoppable_sleep.h"

namespace tocsin::load {
namespace {

// The second field of schedstat (Documentation/scheduler/sched-stats.rst).
std::uint64_t waited_ns(const std::filesystem::path& task) {
  std::ifstream file(task / "schedstat");
  std::uint64_t ran = 0;
  std::uint64_t waited = 0;
  return file >> ran >> waited ? waited : 0;
}

std::uint64_t process_waited_ns() {
  std::uint64_t total = 0;
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", error)) {
    total += waited_ns(task.path());
  }
  return total;
}

// `TCP: inuse 5 orphan 0 tw 0 alloc 7 mem 3`, mem in pages.
std::uint64_t socket_bytes() {
  std::ifstream file("/proc/net/sockstat");
  std::string word;
  while (file >> word && word != "TCP:") {
  }
  std::uint64_t value = 0;
  while (file >> word >> value) {
    if (word == "mem") return value * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  }
  return 0;
}

double to_ms(std::uint64_t ns) {
  return static_cast<double>(ns) * 1e-6;
}

}  // namespace

std::uint64_t thread_waited_ns() {
  return waited_ns("/proc/thread-self");
}

Moment Moment::now(const ServerProbe& probe) {
  Moment moment;
  moment.server = probe.usage(false);
  moment.own_cpu_ns = net::read_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  moment.own_waited_ns = process_waited_ns();
  moment.at_ns = net::now_ns();
  return moment;
}

PhaseCost Moment::until(const Moment& end) const {
  PhaseCost phase;
  phase.wall_ns = end.at_ns - at_ns;
  phase.server = end.server.since(server);
  phase.own_cpu_ns = end.own_cpu_ns - own_cpu_ns;
  phase.own_waited_ns = end.own_waited_ns - std::min(own_waited_ns, end.own_waited_ns);
  return phase;
}

Sampler::Sampler(const Fleet& fleet, const PublishProgress& published, const ServerProbe& probe,
                 Progress& progress, std::uint64_t start_ns, std::chrono::milliseconds interval)
    : fleet_(fleet),
      published_(published),
      probe_(probe),
      progress_(progress),
      start_ns_(start_ns),
      interval_(interval),
      thread_([this](const std::stop_token& stop) { work(stop); }) {}

std::vector<Sample> Sampler::stop() {
  thread_.request_stop();
  thread_.join();
  take();
  return std::move(samples_);
}

void Sampler::work(const std::stop_token& stop) {
  auto next = std::chrono::steady_clock::now();
  while (!stop.stop_requested()) {
    take();
    next += interval_;
    tools::wait_for_stop(stop, next);
  }
}

void Sampler::take() {
  const LatencyHistogram now = fleet_.latency();
  const LatencyHistogram interval = now.since(before_);
  before_ = now;
  const ServerUsage server = probe_.usage(false);
  Sample sample;
  sample.at_s = static_cast<double>(net::now_ns() - start_ns_) * 1e-9;
  sample.connected = fleet_.connected();
  sample.published = published_.events.load(std::memory_order_relaxed);
  sample.delivered = fleet_.delivered();
  sample.lost = fleet_.lost();
  sample.p50_ms = to_ms(interval.value_at(0.5));
  sample.p99_ms = to_ms(interval.value_at(0.99));
  sample.max_ms = to_ms(interval.max_ns());
  sample.server_cpu_ns = server.cpu_ns;
  sample.server_rss_bytes = server.rss_bytes;
  sample.socket_bytes = socket_bytes();
  sample.own_cpu_ns = net::read_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  samples_.push_back(sample);
  progress_.show(sample);
}

}  // namespace tocsin::load
