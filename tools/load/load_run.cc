#include "tools/load/load_run.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <thread>

#include <fmt/format.h>

#include "tools/load/bottleneck.h"
#include "tools/load/clock.h"
#include "tools/load/fleet.h"
#include "tools/load/payload.h"
#include "tools/load/publisher.h"
#include "tools/load/sampler.h"

namespace tocsin::load {
namespace {

using namespace std::chrono_literals;

constexpr auto kLook = 1ms;  // between two looks at the counters
constexpr double kNothingConnects_s = 0.5;
constexpr double kDuplicateWindow_s = 0.05;
constexpr double kInterrupted_s = 0.2;  // what is under way should not look lost

double seconds_since(std::uint64_t then_ns) {
  return static_cast<double>(now_ns() - then_ns) * 1e-9;
}

// Short runs get a finer timeline.
std::chrono::milliseconds sample_interval(const LoadOptions& o) {
  const double by_events =
      static_cast<double>(o.publish.events) / std::max(o.publish.schedule.events_per_s, 1e-9);
  return o.idle_s + std::max(o.publish.duration_s, by_events) < 10 ? 250ms : 500ms;
}

class Run {
 public:
  Run(const LoadOptions& options, Progress& progress, const std::atomic<bool>& stop)
      : options_(options),
        progress_(progress),
        stop_(stop),
        format_(std::random_device()(), options.workload.sizes.largest()),
        published_(options.workload.lanes(options.publish.connections)),
        probe_(options.server_pids) {}

  LoadResult run();

 private:
  using Counter = std::function<std::uint64_t()>;

  bool wait_while_moving(const std::function<bool()>& done, const Counter& counter,
                         double patience_after_stop_s = 0);
  void wait_seconds(double seconds) const;
  [[nodiscard]] MemoryReading read_memory() const;
  [[nodiscard]] PublisherSetup publisher_setup();
  [[nodiscard]] std::uint64_t subscribers_of(std::uint32_t topic) const;
  [[nodiscard]] std::optional<std::uint64_t> expected_deliveries() const;

  void publish_history();
  void connect_up_to(std::uint32_t count);
  void measure_connects();
  void measure_idle();
  void measure_publish(const Moment& start);
  void wait_for_herd();
  void measure_herd();
  std::uint64_t drain();
  void finish(Sampler& sampler);

  const LoadOptions& options_;
  Progress& progress_;
  const std::atomic<bool>& stop_;
  PayloadFormat format_;
  PublishProgress published_;
  ServerProbe probe_;
  std::unique_ptr<Fleet> fleet_;
  std::atomic<bool> publishing_{false};
  LoadResult result_;
};

// Waits until `done`, or (false) until `counter` has stood still for the drain time, or after an
// interruption for so long.
bool Run::wait_while_moving(const std::function<bool()>& done, const Counter& counter,
                            double patience_after_stop_s) {
  std::uint64_t before = counter();
  std::uint64_t moved_ns = now_ns();
  while (!done()) {
    const double patience_s = stop_ ? patience_after_stop_s : options_.drain_s;
    if (patience_s <= 0 || seconds_since(moved_ns) > patience_s) return false;
    std::this_thread::sleep_for(kLook);
    if (const std::uint64_t now = counter(); now != before) {
      before = now;
      moved_ns = now_ns();
    }
  }
  return true;
}

void Run::wait_seconds(double seconds) const {
  const std::uint64_t start = now_ns();
  while (!stop_ && seconds_since(start) < seconds) {
    std::this_thread::sleep_for(
        std::min(std::chrono::duration<double>(seconds), std::chrono::duration<double>(20ms)));
  }
}

MemoryReading Run::read_memory() const {
  MemoryReading reading;
  reading.server = probe_.usage(true);
  if (options_.kernel_memory) reading.kernel = kernel_memory(true);
  return reading;
}

std::uint64_t Run::subscribers_of(std::uint32_t topic) const {
  const std::uint32_t topics = options_.workload.topics;
  if (topics == 1) return fleet_->connected();
  const std::uint32_t count = options_.subscribe.count;  // Workload::topic_of: dealt in turn
  return count / topics + (topic < count % topics ? 1 : 0);
}

// Nothing where it cannot be said: subscribers that came and went, or never came.
std::optional<std::uint64_t> Run::expected_deliveries() const {
  const SubscriberOptions& s = options_.subscribe;
  if (s.churn_per_s > 0 || s.slow_share > 0 || fleet_->connected() < s.count) return std::nullopt;
  std::uint64_t total = 0;
  for (std::size_t lane = 0; lane < published_.submitted.size(); ++lane) {
    total += published_.submitted[lane].load() *
             subscribers_of(static_cast<std::uint32_t>(lane % options_.workload.topics));
  }
  return total;
}

PublisherSetup Run::publisher_setup() {
  PublisherSetup setup;
  setup.options = &options_;
  setup.format = &format_;
  setup.progress = &published_;
  setup.delivered = [this] { return fleet_ ? fleet_->delivered() : 0; };
  setup.subscribers_of = [this](std::uint32_t topic) { return fleet_ ? subscribers_of(topic) : 0; };
  setup.stop = &stop_;
  return setup;
}

void Run::publish_history() {
  progress_.phase("history");
  result_.published = load::publish_history(publisher_setup());
}

void Run::connect_up_to(std::uint32_t count) {
  fleet_->connect_up_to(count);
  const std::uint64_t start = now_ns();
  const auto done = [&] {
    const std::uint32_t refused = fleet_->refused();
    const bool hopeless =
        refused > 0 && fleet_->connected() == 0 && seconds_since(start) > kNothingConnects_s;
    return hopeless || fleet_->connected() + refused >= count;
  };
  wait_while_moving(done, [&] { return std::uint64_t{fleet_->connected()} + fleet_->refused(); });
}

void Run::measure_connects() {
  const std::uint32_t count = options_.subscribe.count;
  if (options_.warmup > 0) {
    progress_.phase("warm-up");
    connect_up_to(options_.warmup);
    wait_seconds(options_.settle_s);
  }
  result_.before = read_memory();
  progress_.phase("connect");
  const Moment start = Moment::now(probe_);
  connect_up_to(count);
  result_.connect = start.until_now(probe_);
  result_.connect_count = count - options_.warmup;
  result_.connected = fleet_->connected();
  if (options_.settle_s > 0) {
    progress_.phase("settle");
    wait_seconds(options_.settle_s);
  }
  result_.after = read_memory();
}

void Run::measure_idle() {
  if (options_.idle_s <= 0) return;
  progress_.phase("idle");
  const Moment start = Moment::now(probe_);
  wait_seconds(options_.idle_s);
  result_.idle = start.until_now(probe_);
}

// Until the streams are to be cut: each should have had an event, so that it has an id to resume
// from.
void Run::wait_for_herd() {
  wait_while_moving([&] { return published_.events > 0 || !publishing_; }, [] { return 0; });
  const std::uint64_t first = now_ns();
  while (publishing_ && !stop_ && seconds_since(first) < options_.subscribe.herd_after_s) {
    std::this_thread::sleep_for(kLook);
  }
  wait_while_moving([&] { return fleet_->heard() >= result_.connected || !publishing_; },
                    [&] { return std::uint64_t{fleet_->heard()}; });
}

void Run::measure_herd() {
  wait_for_herd();
  if (!publishing_ || stop_) return;
  progress_.phase("herd");
  const std::uint32_t connected = fleet_->connected();
  const std::uint64_t reconnects = fleet_->reconnects();
  const std::uint64_t events = published_.events;
  const Moment start = Moment::now(probe_);
  fleet_->cut(options_.subscribe.herd_share);
  const auto back = [&] {
    return fleet_->cuts_done() >= fleet_->size() && fleet_->connected() >= connected;
  };
  wait_while_moving(back, [&] { return fleet_->reconnects() + fleet_->cuts_done(); });
  result_.reconnect = start.until_now(probe_);
  result_.reconnect_count = static_cast<std::uint32_t>(fleet_->reconnects() - reconnects);
  result_.reconnect_events = published_.events - events;
  progress_.phase("publish");
}

// The time of the last delivery that was seen.
std::uint64_t Run::drain() {
  progress_.phase("drain");
  const auto expected = expected_deliveries();
  std::uint64_t last = fleet_->delivered();
  std::uint64_t last_ns = now_ns();
  const Counter delivered = [&] {
    const std::uint64_t now = fleet_->delivered();
    if (now != last) last_ns = now_ns();
    last = now;
    return now;
  };
  wait_while_moving([&] { return expected && delivered() >= *expected; }, delivered,
                    kInterrupted_s);
  return last_ns;
}

void Run::measure_publish(const Moment& start) {
  const bool live = options_.publish.mode != PublishMode::none;
  if (!live && options_.publish.history == 0) return;
  std::uint64_t waited_ns = 0;  // of the publishing thread, which is gone when the phase ends
  if (live) {
    progress_.phase("publish");
    publishing_ = true;
    std::thread publisher([&] {
      result_.published = load::publish(publisher_setup());
      waited_ns = thread_waited_ns();
      publishing_ = false;
    });
    if (options_.subscribe.churn_per_s > 0) fleet_->set_churning(true);
    if (options_.subscribe.herd_after_s > 0) measure_herd();
    publisher.join();
    if (options_.subscribe.churn_per_s > 0) fleet_->set_churning(false);
  }
  const std::uint64_t last_ns = drain();
  result_.publish = start.until_now(probe_);
  result_.publish.own_waited_ns += waited_ns;
  result_.publish.wall_ns = last_ns - start.at_ns;  // without the wait for what never came
}

void Run::finish(Sampler& sampler) {
  // A duplicate would come right behind the last event: look a moment longer than needed.
  if (published_.events > 0) wait_seconds(kDuplicateWindow_s);
  result_.timeline = sampler.stop();
  result_.refused = fleet_->refused();
  result_.dropped = fleet_->dropped();
  result_.left = fleet_->left();
  result_.threads = fleet_->size();
  result_.io = fleet_->io_name();
  fleet_->stop();
  result_.totals = fleet_->finish();
  result_.latency = fleet_->latency();
  result_.connect_latency = fleet_->connect_latency();
  result_.first_refusal = fleet_->first_refusal();
  result_.bottlenecks = find_bottlenecks(options_, result_);
  result_.failures = find_failures(options_, result_);
  if (stop_) result_.failures.insert(result_.failures.begin(), "the run was interrupted");
}

LoadResult Run::run() {
  const std::uint64_t start_ns = now_ns();
  if (options_.publish.history > 0) {
    publish_history();
    if (!result_.published.error.empty()) {
      result_.failures.push_back("publishing the history failed: " + result_.published.error);
      return std::move(result_);
    }
  }
  fleet_ = std::make_unique<Fleet>(options_, format_, published_);
  Sampler sampler(*fleet_, published_, probe_, progress_, start_ns, sample_interval(options_));
  Moment start = Moment::now(probe_);
  measure_connects();
  if (result_.connected > 0) {
    measure_idle();
    // What was published before arrives from the first connection on.
    if (options_.publish.history == 0) start = Moment::now(probe_);
    measure_publish(start);
  }
  finish(sampler);
  return std::move(result_);
}

bool is_expected(const LoadOptions& options, std::string_view name) {
  return std::ranges::any_of(options.expectations,
                             [&](const Expectation& e) { return e.name == name; });
}

}  // namespace

std::vector<std::string> find_failures(const LoadOptions& options, const LoadResult& result) {
  struct Count {
    std::string_view name;
    std::uint64_t value;
    bool is_fault;
  };
  const CheckTotals& t = result.totals;
  const bool all_keep_up = options.subscribe.slow_share <= 0;
  const std::array<Count, 7> counts{{{"refused", result.refused, true},
                                     {"dropped", result.dropped, all_keep_up},
                                     {"lost", t.lost, true},
                                     {"told", t.told, all_keep_up},
                                     {"duplicated", t.duplicated, true},
                                     {"reordered", t.reordered, true},
                                     {"corrupted", t.corrupted, true}}};
  std::vector<std::string> failures;
  if (result.connected < options.subscribe.count && !is_expected(options, "connected")) {
    failures.push_back(fmt::format("{} of {} subscribers connected{}{}", result.connected,
                                   options.subscribe.count,
                                   result.first_refusal.empty() ? "" : ": ", result.first_refusal));
  }
  for (const Count& count : counts) {
    if (count.value == 0 || !count.is_fault || is_expected(options, count.name)) continue;
    failures.push_back(fmt::format("{} {}", count.value, count.name));
  }
  const PublishResult& p = result.published;
  if (p.refused > 0) failures.push_back(fmt::format("{} publishing requests refused", p.refused));
  if (p.timeouts > 0) {
    failures.push_back(fmt::format("{} events did not reach all subscribers in time", p.timeouts));
  }
  if (!p.error.empty()) failures.push_back("publishing: " + p.error);
  if (p.events > 0 && t.delivered == 0 && result.connected > 0) {
    failures.emplace_back("nothing was delivered");
  }
  for (const Expectation& expectation : options.expectations) {
    if (auto failure = expectation.failure(result); !failure.empty()) {
      failures.push_back(std::move(failure));
    }
  }
  return failures;
}

LoadResult run_load(const LoadOptions& options, Progress& progress, const std::atomic<bool>& stop) {
  return Run(options, progress, stop).run();
}

}  // namespace tocsin::load
