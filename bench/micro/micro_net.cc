// Micro benchmarks of the net layer without a kernel: sweeps, a publish from its bytes to
// everybody, timers, and handing news over to another shard.
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/micro/null_kernel.h"
#include "net/base/timer_wheel.h"
#include "net/state/shared_hub.h"

namespace tocsin::bench {
namespace {

constexpr std::string_view kTopic = "events";

void set_rate(benchmark::State& state, std::size_t items) {
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(items));
}

// --- the sweep: Shard and Outbox over N cursors, everything but the kernel's part of a delivery

void sweep(benchmark::State& state, proto::Framing framing) {
  NullShard shard(static_cast<std::size_t>(state.range(0)), framing);
  const std::string body = "data: " + std::string(174, 'x') + "\n";
  for (auto _ : state) {
    shard.publish(body);
    if (!shard.deliver()) state.SkipWithError("not delivered once to each");
  }
  set_rate(state, shard.subscribers());
}
BENCHMARK_CAPTURE(sweep, chunked, proto::Framing::chunked)
    ->Arg(1'000)
    ->Arg(100'000)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(sweep, close, proto::Framing::close)->Arg(1'000)->Unit(benchmark::kMicrosecond);

// A hundred events between two sweeps: what coalescing makes of them.
void sweep_coalesced(benchmark::State& state, proto::Framing framing) {
  constexpr std::size_t kEvents = 100;
  NullShard shard(static_cast<std::size_t>(state.range(0)), framing);
  const std::string body = "data: " + std::string(174, 'x') + "\n";
  for (auto _ : state) {
    for (std::size_t i = 0; i < kEvents; ++i) shard.publish(body);
    if (!shard.deliver()) state.SkipWithError("not delivered in one send to each");
  }
  set_rate(state, kEvents * shard.subscribers());
}
BENCHMARK_CAPTURE(sweep_coalesced, chunked, proto::Framing::chunked)
    ->Arg(1'000)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(sweep_coalesced, close, proto::Framing::close)
    ->Arg(1'000)
    ->Unit(benchmark::kMicrosecond);

void post_to_one(benchmark::State& state) {
  NullShard shard(1);
  const std::string request =
      "POST /publish?stream=events HTTP/1.1\r\nHost: h\r\nContent-Length: 174\r\n\r\n" +
      std::string(174, 'x');
  for (auto _ : state) {
    if (!shard.post(request)) state.SkipWithError("not answered and delivered");
  }
  set_rate(state, 1);
}
BENCHMARK(post_to_one);

// N topics with one subscriber each, POSTs to 64 of them at once: all but the kernel's part of a
// notification to one person. With many topics what it takes is mostly cache misses.
void post_to_topics(benchmark::State& state) {
  constexpr std::size_t kAtOnce = 64;
  NullShard shard(0);
  const auto topics = static_cast<std::size_t>(state.range(0));
  for (std::size_t i = 0; i < topics; ++i) shard.subscribe("load-" + std::to_string(i));
  std::vector<std::string> batches(std::max<std::size_t>(topics / kAtOnce, 1));
  // A stride, so that neighbours in one batch are none in memory.
  for (std::size_t i = 0; i < batches.size() * kAtOnce; ++i) {
    batches[i / kAtOnce] +=
        "POST /publish?stream=load-" + std::to_string(i * 7919 % topics) +
        " HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: text/plain\r\n"
        "Content-Length: 174\r\n\r\n" +
        std::string(174, 'x');
  }
  std::size_t next = 0;
  for (auto _ : state) {
    if (!shard.post_to_topics(batches[next], kAtOnce)) {
      state.SkipWithError("not answered and delivered");
    }
    next = (next + 1) % batches.size();
  }
  set_rate(state, kAtOnce);
}
BENCHMARK(post_to_topics)->Arg(64)->Arg(10'000)->Arg(100'000)->Unit(benchmark::kMicrosecond);

// --- timers

// Deadlines as requests set them: many for each that fires.
void timer_schedule(benchmark::State& state) {
  net::TimerWheel wheel(0);
  std::uint64_t now_ms = 0;
  std::uint32_t slot = 0;
  std::uint64_t fired = 0;
  for (auto _ : state) {
    wheel.schedule({.slot = slot++, .generation = 0}, now_ms + 10'000);
    if (slot % 1000 == 0) {
      now_ms += 10;
      wheel.advance(now_ms, [&](const net::TimerWheel::Entry&) { ++fired; });
    }
  }
  benchmark::DoNotOptimize(fired);
  set_rate(state, 1);
}
BENCHMARK(timer_schedule);

// The time of a turn in which nothing is due, with N entries waiting.
void timer_idle_turn(benchmark::State& state) {
  net::TimerWheel wheel(0);
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(state.range(0)); ++i) {
    wheel.schedule({.slot = i, .generation = 0}, 30'000);
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(wheel);
    wheel.advance(10, [](const net::TimerWheel::Entry&) {});
    benchmark::DoNotOptimize(wheel.next_ms(10, 1000));
  }
  set_rate(state, 1);
}
BENCHMARK(timer_idle_turn)->Arg(0)->Arg(10'000);

// --- handing over to shards

// Publishing to N shards that read the topic, and each taking its news: the hub's mailboxes, in one
// thread.
void hand_over(benchmark::State& state) {
  const auto shards = static_cast<std::size_t>(state.range(0));
  net::SharedHub shared(1, shards, {}, {});
  for (core::ShardId i = 0; i < shards; ++i) {
    shared.with([&](core::Hub& hub) { return hub.subscribe({&kTopic, 1}, {}, i, 1); });
  }
  const core::NewEvent event{.topic = kTopic, .id = {}, .body = "data: x\n"};
  core::Collected collected;
  for (auto _ : state) {
    const auto published = shared.with([&](core::Hub& hub) { return hub.publish({&event, 1}, 1); });
    if (!published || published->wake.size() != shards) {
      state.SkipWithError("not every shard is to be woken");
      break;
    }
    shared.wake(published->wake);
    for (core::ShardId i = 0; i < shards; ++i) {
      shared.with([&](core::Hub& hub) {
        hub.collect(i, collected);
        hub.swept(i);
      });
    }
  }
  set_rate(state, shards);
}
BENCHMARK(hand_over)->Arg(1)->Arg(2)->Arg(16);

// From a publish in one thread to the news in another that slept in its backend: there and back.
class Sleeper {
 public:
  using MakeIo = std::unique_ptr<net::Io> (*)(int wake_fd);

  // Nothing is woken if the kernel refuses the backend.
  Sleeper(net::SharedHub& shared, core::ShardId own, MakeIo make)
      : shared_(shared), own_(own), make_(make), fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    shared_.with([&](core::Hub& hub) { return hub.subscribe({&kTopic, 1}, {}, own_, 1); });
  }
  ~Sleeper() { close(fd_); }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  // In the thread that sleeps: opens its backend.
  bool open() {
    io_ = make_(fd_);
    if (io_ == nullptr) return false;
    shared_.set_waker(own_, io_.get());
    return true;
  }
  void shut() {
    shared_.set_waker(own_, nullptr);
    io_.reset();
  }
  // Sleeps until there are news, and takes them; at most some 100 ms.
  bool take_news() {
    shared_.going_to_sleep(own_);
    const auto has_news = [&] {
      return shared_.with([&](const core::Hub& hub) { return hub.has_news(own_); });
    };
    completions_.clear();
    if (!has_news()) io_->wait(100, completions_);
    shared_.awake(own_);
    if (!has_news()) return false;
    shared_.with([&](core::Hub& hub) {
      hub.collect(own_, collected_);
      hub.swept(own_);
    });
    return true;
  }

 private:
  net::SharedHub& shared_;
  core::ShardId own_;
  MakeIo make_;
  int fd_;
  std::unique_ptr<net::Io> io_;
  std::vector<net::Completion> completions_;
  core::Collected collected_;
};

void wake_sleeper(benchmark::State& state, Sleeper::MakeIo make) {
  net::SharedHub shared(1, 1, {}, {});
  Sleeper sleeper(shared, 0, make);
  std::atomic<std::uint64_t> taken{0};
  std::atomic<int> phase{0};  // 1: sleeps, 2: cannot, 3: told to end
  std::thread thread([&] {
    if (!sleeper.open()) {
      phase = 2;
      phase.notify_all();
      return;
    }
    phase = 1;
    phase.notify_all();
    while (phase != 3) {
      if (!sleeper.take_news()) continue;
      ++taken;
      taken.notify_one();
    }
    sleeper.shut();
  });
  phase.wait(0);
  if (phase == 2) {
    state.SetLabel("this kernel refuses the backend");
    for (auto _ : state) {
    }
    thread.join();
    return;
  }
  const core::NewEvent event{.topic = kTopic, .id = {}, .body = "data: x\n"};
  std::uint64_t sent = 0;
  for (auto _ : state) {
    const auto published = shared.with([&](core::Hub& hub) { return hub.publish({&event, 1}, 1); });
    shared.wake(published->wake);
    ++sent;
    for (std::uint64_t n = taken; n < sent; n = taken) taken.wait(n);
  }
  phase = 3;
  thread.join();
  set_rate(state, 1);
}
BENCHMARK_CAPTURE(wake_sleeper, uring, [](int fd) {
  return net::make_uring_io(fd);
})->UseRealTime();
BENCHMARK_CAPTURE(wake_sleeper, epoll, [](int fd) {
  return net::make_epoll_io(fd);
})->UseRealTime();

}  // namespace
}  // namespace tocsin::bench
