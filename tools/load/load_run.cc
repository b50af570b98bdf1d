#include "tools/load/load_run.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <thread>

#include "net/base/clock.h"
#include "tools/load/events/payload.h"
#include "tools/load/publishers/publisher.h"
#include "tools/load/report/bottleneck.h"
#include "tools/load/report/failures.h"
#include "tools/load/sampler.h"
#include "tools/load/server_streams.h"
#include "tools/load/subscribers/fleet.h"

namespace tocsin::load {
namespace {

using namespace std::chrono_literals;

constexpr auto kLook = 1ms;  // between two looks at the counters
constexpr double kNothingConnectsS = 0.5;
constexpr double kStillS = 0.01;       // without a delivery: the one before may have been the last
constexpr double kInterruptedS = 0.2;  // what is under way should not look lost
// Until the server has noticed what was closed here, and between two questions.
constexpr double kServerNoticesS = 5;
constexpr auto kAskAgain = 20ms;

double seconds_since(std::uint64_t then_ns) {
  return static_cast<double>(net::now_ns() - then_ns) * 1e-9;
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
  using Count = std::function<std::uint64_t()>;

  bool wait_while_moving(const std::function<bool()>& done, const Count& counter,
                         double patience_after_stop_s = 0);
  void wait_seconds(double seconds) const;
  [[nodiscard]] MemoryReading read_memory() const;
  [[nodiscard]] PublisherSetup publisher_setup();
  [[nodiscard]] std::optional<std::uint64_t> expected_deliveries() const;

  void publish_history();
  void connect_up_to(std::uint32_t count);
  void measure_connects();
  void measure_idle();
  void measure_publish(const Moment& start);
  void wait_for_herd();
  void measure_herd();
  void wait_for_returns();
  [[nodiscard]] Moment drain();
  void compare_with_server();
  void finish(Sampler& sampler);

  [[nodiscard]] std::optional<std::uint64_t> ask_server() const {
    return server_streams(options_.subscribe.url, options_.counters_target);
  }

  const LoadOptions& options_;
  Progress& progress_;
  const std::atomic<bool>& stop_;
  PayloadFormat format_;
  PublishProgress published_;
  ServerProbe probe_;
  std::optional<std::uint64_t> before_;  // streams that the server had before the run
  std::unique_ptr<Fleet> fleet_;
  std::atomic<bool> publishing_{false};
  LoadResult result_;
};

// Waits until `done`, or (false) until `counter` has stood still for the drain time, or after an
// interruption for so long.
bool Run::wait_while_moving(const std::function<bool()>& done, const Count& counter,
                            double patience_after_stop_s) {
  std::uint64_t before = counter();
  std::uint64_t moved_ns = net::now_ns();
  while (!done()) {
    const double patience_s = stop_ ? patience_after_stop_s : options_.drain_s;
    if (patience_s <= 0 || seconds_since(moved_ns) > patience_s) return false;
    std::this_thread::sleep_for(kLook);
    if (const std::uint64_t now = counter(); now != before) {
      before = now;
      moved_ns = net::now_ns();
    }
  }
  return true;
}

void Run::wait_seconds(double seconds) const {
  const std::uint64_t start = net::now_ns();
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

// Nothing where it cannot be said: streams that came or went meanwhile had some of the events only.
std::optional<std::uint64_t> Run::expected_deliveries() const {
  const SubscriberOptions& s = options_.subscribe;
  if (s.churn_per_s > 0 || s.slow_share > 0 || fleet_->connected() != result_.connected) {
    return std::nullopt;
  }
  std::uint64_t total = 0;
  for (std::size_t lane = 0; lane < published_.submitted.size(); ++lane) {
    total += published_.submitted[lane].load() *
             fleet_->subscribers_of(static_cast<std::uint32_t>(lane % options_.workload.topics));
  }
  return total;
}

PublisherSetup Run::publisher_setup() {
  PublisherSetup setup;
  setup.options = &options_;
  setup.format = &format_;
  setup.progress = &published_;
  setup.delivered = [this] { return fleet_ ? fleet_->delivered() : 0; };
  setup.subscribers_of = [this](std::uint32_t topic) -> std::uint64_t {
    return fleet_ ? fleet_->subscribers_of(topic) : 0;
  };
  setup.stop = &stop_;
  return setup;
}

void Run::publish_history() {
  progress_.phase("history");
  result_.published = load::publish_history(publisher_setup());
}

void Run::connect_up_to(std::uint32_t count) {
  fleet_->connect_up_to(count);
  const std::uint64_t start = net::now_ns();
  const auto done = [&] {
    const bool hopeless = fleet_->refused() > 0 && fleet_->connected() == 0 &&
                          seconds_since(start) > kNothingConnectsS;
    return hopeless || fleet_->tried() >= count;
  };
  wait_while_moving(done, [&] { return std::uint64_t{fleet_->tried()}; });
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
  result_.connect = start.until(Moment::now(probe_));
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
  result_.idle = start.until(Moment::now(probe_));
}

// Until the streams are to be cut: each should have had an event, so that it has an id to resume
// from.
void Run::wait_for_herd() {
  wait_while_moving([&] { return published_.events > 0 || !publishing_; }, [] { return 0; });
  const std::uint64_t first = net::now_ns();
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
  result_.reconnect = start.until(Moment::now(probe_));
  result_.reconnect_count = static_cast<std::uint32_t>(fleet_->reconnects() - reconnects);
  result_.reconnect_events = published_.events - events;
  progress_.phase("publish");
}

// Those that the server ended, in scenarios in which they try again.
void Run::wait_for_returns() {
  wait_while_moving([&] { return fleet_->away() == 0; }, [&] { return fleet_->returned(); });
}

// Waits for what is on its way. Returns the moment of the last delivery, at most kStill later: CPU
// and time of the phase end there, so that a wait for what never comes is in neither.
Moment Run::drain() {
  progress_.phase("drain");
  const std::uint64_t start_ns = net::now_ns();
  const auto expected = expected_deliveries();
  std::uint64_t counted = fleet_->delivered();  // by `end`
  Moment end = Moment::now(probe_);
  std::uint64_t last = counted;
  std::uint64_t last_ns = end.at_ns;
  const auto take_end = [&] {
    counted = last;
    end = Moment::now(probe_);
  };
  const Count delivered = [&] {
    const std::uint64_t now = fleet_->delivered();
    if (now != last) {
      last = now;
      last_ns = net::now_ns();
    } else if (last != counted && seconds_since(last_ns) > kStillS) {
      take_end();
    }
    return now;
  };
  wait_while_moving([&] { return expected && delivered() >= *expected; }, delivered, kInterruptedS);
  if (last != counted) take_end();
  result_.drain_ns = net::now_ns() - start_ns;
  return end;
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
  wait_for_returns();
  // What has not come in the publisher's own waits does not come in one more.
  const Moment end = result_.published.gave_up ? Moment::now(probe_) : drain();
  result_.publish = start.until(end);
  result_.publish.own_waited_ns += waited_ns;
}

void Run::compare_with_server() {
  result_.held = fleet_->connected();
  if (!before_) return;
  const std::uint64_t start_ns = net::now_ns();
  for (;;) {
    const auto now = ask_server();
    if (!now) return;
    result_.held = fleet_->connected();
    // Those that were there before may have left meanwhile; what can be ours is taken for ours.
    const std::uint64_t least = *now - std::min(*now, *before_);
    result_.server_streams = std::clamp<std::uint64_t>(result_.held, least, *now);
    if (result_.server_streams == result_.held) return;
    if (seconds_since(start_ns) > std::min(kServerNoticesS, options_.drain_s)) return;
    std::this_thread::sleep_for(kAskAgain);
  }
}

void Run::finish(Sampler& sampler) {
  // A duplicate would come right behind the last event: look a moment longer than needed.
  if (published_.events > 0) wait_seconds(options_.linger_s);
  result_.timeline = sampler.stop();
  compare_with_server();
  result_.refused = fleet_->refused();
  result_.refused_meanwhile = fleet_->refused_meanwhile();
  result_.away = fleet_->away();
  result_.dropped = fleet_->dropped();
  result_.left = fleet_->left();
  result_.threads = fleet_->size();
  result_.io = fleet_->io_name();
  fleet_->stop();
  result_.totals = fleet_->finish();
  result_.latency = fleet_->latency();
  result_.connect_latency = fleet_->connect_latency();
  result_.outage = fleet_->outage();
  result_.refusals = fleet_->refusals();
  result_.unanswered = fleet_->unanswered();
  result_.bottlenecks = find_bottlenecks(options_, result_);
  result_.failures = find_failures(options_, result_);
  if (stop_) result_.failures.insert(result_.failures.begin(), "the run was interrupted");
}

LoadResult Run::run() {
  const std::uint64_t start_ns = net::now_ns();
  if (options_.publish.history > 0) {
    publish_history();
    if (!result_.published.error.empty()) {
      result_.failures.push_back("publishing the history failed: " + result_.published.error);
      return std::move(result_);
    }
  }
  before_ = ask_server();
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

}  // namespace

LoadResult run_load(const LoadOptions& options, Progress& progress, const std::atomic<bool>& stop) {
  return Run(options, progress, stop).run();
}

}  // namespace tocsin::load
