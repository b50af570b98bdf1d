// Micro benchmarks of the hub: what is done under its lock, apart from the lock.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <benchmark/benchmark.h>

#include "core/hub.h"
#include "proto/sse/frame_end.h"

namespace tocsin::core {
namespace {

constexpr proto::Epoch kEpoch = 1;
constexpr std::size_t kManyBytes = limits::kMaxSendBytes;
constexpr std::string_view kTopic = "events";

std::string body_of(std::size_t size) {
  return "data: " + std::string(size, 'x') + "\n";
}

void set_rates(benchmark::State& state, std::size_t items) {
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(items));
}

// A hub with one reader's shard, which is swept whenever a benchmark asks.
class BenchHub {
 public:
  explicit BenchHub(std::size_t topics = 1) : hub_(kEpoch, 2, HubSettings{}) {
    for (std::size_t i = 0; i < topics; ++i) {
      names_.push_back(topics == 1 ? std::string{kTopic} : "topic-" + std::to_string(i));
    }
    const std::vector<std::string_view> views(names_.begin(), names_.end());
    reader_ = *hub_.subscribe(views, {}, 0, now_);
  }

  // `count` events in one batch, over the topics in turns.
  void prepare(std::size_t count, const std::string& body) {
    batch_.clear();
    for (std::size_t i = 0; i < count; ++i) {
      batch_.push_back({.topic = names_[i % names_.size()], .id = {}, .body = body});
    }
  }
  Published publish() { return *hub_.publish(batch_, now_++); }
  void sweep() {
    hub_.collect(0, collected_);
    hub_.swept(0);
  }

  Hub& hub() { return hub_; }
  const Subscription& reader() const { return reader_; }
  TimeMs now() const { return now_; }

 private:
  Hub hub_;
  std::vector<std::string> names_;
  std::vector<NewEvent> batch_;
  Subscription reader_;
  Collected collected_;
  TimeMs now_ = 1;
};

void log_append(benchmark::State& state) {
  const std::string body = body_of(static_cast<std::size_t>(state.range(0)));
  const proto::FrameEnd end({kEpoch, 1'234'567});
  PageList chunks;
  TopicLog log{0};
  Sequence sequence = 0;
  for (auto _ : state) {
    log.append(body, end.text(), false, ++sequence, 1, chunks);
    log.trim({}, {}, sequence, 1, chunks);
  }
  set_rates(state, 1);
}
BENCHMARK(log_append)->Arg(20)->Arg(200)->Arg(2000);

void publish(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const std::string body = body_of(200);
  BenchHub setup;
  setup.prepare(count, body);
  for (auto _ : state) {
    benchmark::DoNotOptimize(setup.publish());
    setup.sweep();
  }
  set_rates(state, count);
}
BENCHMARK(publish)->Arg(1)->Arg(16)->Arg(256);

// What is read once for a whole broadcast: the newest event.
void read_live_end(benchmark::State& state) {
  const std::string body = body_of(200);
  BenchHub setup;
  setup.prepare(1000, body);
  const Sequence newest = setup.publish().last;
  std::vector<Piece> pieces;
  for (auto _ : state) {
    pieces.clear();
    const ReadStatus status =
        setup.hub().read(setup.reader().topics, newest - 1, kManyBytes, limits::kMaxPieces, pieces);
    if (status != ReadStatus::last) state.SkipWithError("the newest event is not there");
  }
  set_rates(state, 1);
}
BENCHMARK(read_live_end);

// Eight topics whose events alternate: the dearest order to merge.
void read_merged(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const std::string body = body_of(200);
  BenchHub setup(8);
  setup.prepare(count, body);
  const Sequence before = setup.publish().first - 1;
  std::vector<Piece> pieces;
  for (auto _ : state) {
    pieces.clear();
    const ReadStatus status =
        setup.hub().read(setup.reader().topics, before, kManyBytes, limits::kMaxPieces, pieces);
    if (status == ReadStatus::gap) state.SkipWithError("the events are not there");
  }
  if (pieces.size() != count) state.SkipWithError("not all events were read");
  set_rates(state, count);
}
BENCHMARK(read_merged)->Arg(1)->Arg(8)->Arg(64);

// A reconnect: from its id to its position, over 1,000 kept events.
void resume(benchmark::State& state, std::string_view own) {
  const std::string body = body_of(200);
  BenchHub setup;
  setup.prepare(999, body);
  setup.publish();
  const NewEvent named{.topic = kTopic, .id = "order-17", .body = body};
  const Sequence at = setup.hub().publish({&named, 1}, setup.now())->last;
  const std::string hubs = proto::to_string({kEpoch, at - 500});
  const std::string_view id = own.empty() ? std::string_view{hubs} : own;
  for (auto _ : state) {
    const auto subscription = setup.hub().subscribe(
        {&kTopic, 1}, {.kind = Resume::Kind::after_id, .ids = {&id, 1}}, 0, setup.now());
    if (subscription->gap) state.SkipWithError("the id is not known");
  }
  set_rates(state, 1);
}
BENCHMARK_CAPTURE(resume, hubs_id, "");
BENCHMARK_CAPTURE(resume, publishers_id, "order-17");

// The dearest search for history's floor: almost all that the log has is below it.
void resume_behind_backlog(benchmark::State& state) {
  const std::string body = body_of(200);
  HubSettings settings;
  settings.history.count = 10;
  Hub hub(kEpoch, 1, settings);
  const NewEvent event{.topic = kTopic, .id = {}, .body = body};
  for (int i = 0; i < 15'000; ++i) benchmark::DoNotOptimize(hub.publish({&event, 1}, 1));
  const std::string text = proto::to_string({kEpoch, hub.last_sequence()});
  const std::string_view id = text;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        hub.subscribe({&kTopic, 1}, {.kind = Resume::Kind::after_id, .ids = {&id, 1}}, 0, 1));
  }
  set_rates(state, 1);
}
BENCHMARK(resume_behind_backlog);

// News of many topics, taken by the shard at once.
void publish_and_collect(benchmark::State& state) {
  const auto topics = static_cast<std::size_t>(state.range(0));
  const std::string body = body_of(20);
  BenchHub setup(topics);
  setup.prepare(topics, body);
  for (auto _ : state) {
    setup.publish();
    setup.sweep();
  }
  set_rates(state, topics);
}
BENCHMARK(publish_and_collect)->Arg(1)->Arg(64)->Arg(1024);

}  // namespace
}  // namespace tocsin::core
