// The phases of whole runs: what each waits for, and what is counted in which.
#include <sched.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/base/clock.h"
#include "net/base/mutex.h"
#include "tests/net/support/server_fixture.h"
#include "tests/tools/load/load_run_bench.h"

namespace tocsin::load {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// What a hub has seen, from its threads.
class Seen {
 public:
  void get(const std::string& request) {
    const net::MutexLock lock(mutex_);
    gets_.push_back(request);
    last_get_ns_ = net::now_ns();
  }
  // Returns its frame.
  std::string event(const std::string& data) {
    const net::MutexLock lock(mutex_);
    frames_.push_back("id: " + std::to_string(frames_.size()) + "\ndata: " + data + "\n\n");
    if (first_event_ns_ == 0) first_event_ns_ = net::now_ns();
    return frames_.back();
  }
  [[nodiscard]] std::vector<std::string> gets() const {
    const net::MutexLock lock(mutex_);
    return gets_;
  }
  [[nodiscard]] std::string all_frames() const {
    const net::MutexLock lock(mutex_);
    std::string all;
    for (const std::string& frame : frames_) all += frame;
    return all;
  }
  [[nodiscard]] std::string last_frame() const {
    const net::MutexLock lock(mutex_);
    return frames_.back();
  }
  [[nodiscard]] std::uint64_t from_last_get_to_first_event_ns() const {
    const net::MutexLock lock(mutex_);
    return first_event_ns_ - last_get_ns_;
  }

 private:
  mutable net::Mutex mutex_;
  std::vector<std::string> gets_ TOCSIN_LOCKS(guarded_by(mutex_));
  std::vector<std::string> frames_ TOCSIN_LOCKS(guarded_by(mutex_));
  std::uint64_t last_get_ns_ TOCSIN_LOCKS(guarded_by(mutex_)) = 0;
  std::uint64_t first_event_ns_ TOCSIN_LOCKS(guarded_by(mutex_)) = 0;
};

TEST(LoadPhases, TheRampIsPacedOverAllThreads) {
  FakeHub hub({});
  FakeHubRun run(hub.url());
  run.options.subscribe.count = 10;
  run.options.subscribe.connects_per_s = 20;
  const LoadResult result = run.run();
  // Each of two threads: one at once, four more at ten in a second.
  EXPECT_GE(result.connect.seconds(), 0.35);
  EXPECT_EQ(result.connected, 10U);
}

TEST(LoadPhases, SettlesBeforeAnythingIsPublished) {
  Seen seen;
  FakeHub hub({.head =
                   [&](int, const std::string& request) {
                     seen.get(request);
                     return std::string(kStreamHead);
                   },
               .frame = [&](int, const std::string& data) { return seen.event(data); }});
  FakeHubRun run(hub.url());
  run.options.settle_s = 0.4;
  run.options.idle_s = 0.4;
  EXPECT_THAT(run.run().failures, IsEmpty());
  EXPECT_GE(seen.from_last_get_to_first_event_ns(), 800'000'000U);
}

TEST(LoadPhases, ADuplicateBehindTheLastEventIsSeen) {
  Seen seen;
  FakeHub hub({.frame = [&](int, const std::string& data) { return seen.event(data); },
               .late = [&] { return seen.last_frame(); }});
  FakeHubRun run(hub.url());
  run.options.linger_s = 2;
  const LoadResult result = run.run();
  EXPECT_EQ(result.totals.delivered, 25U);
  EXPECT_EQ(result.totals.duplicated, 5U);
}

TEST(LoadPhases, WhatComesWhenPublishingIsOverBelongsToItsPhase) {
  Seen seen;
  FakeHub hub({.frame =
                   [&](int, const std::string& data) {
                     (void)seen.event(data);
                     return std::string();
                   },
               .late = [&] { return seen.all_frames(); }});
  FakeHubRun run(hub.url());
  run.at_rate(10'000);
  const LoadResult result = run.run();
  EXPECT_THAT(result.failures, IsEmpty());
  EXPECT_EQ(result.totals.delivered, 25U);
  EXPECT_GE(result.publish.wall_ns, result.latency.max_ns());
}

TEST(LoadPhases, AHerdIsCutWhenAllHaveHeardAndIsWaitedFor) {
  constexpr int kFirst = 30;  // no stream hears any event before
  std::atomic<int> events = 0;
  Seen seen;
  FakeHub hub({.head =
                   [&](int n, const std::string& request) {
                     seen.get(request);
                     // Those that come back are let in late.
                     while (n >= 5 && events < kFirst + 20) sched_yield();
                     return std::string(kStreamHead);
                   },
               .frame =
                   [&](int n, const std::string& data) {
                     ++events;
                     return n < kFirst ? std::string(":\n\n") : seen.event(data);
                   }});
  FakeHubRun run(hub.url());
  run.at_rate(100);
  run.options.scenario = Scenario::herd;
  run.options.subscribe.herd_after_s = 0.01;
  run.options.publish.events = 70;
  run.options.drain_s = 3;
  const LoadResult result = run.run();
  EXPECT_EQ(result.reconnect_count, 5U);
  EXPECT_GE(result.reconnect_events, 5U);
  EXPECT_LE(result.reconnect_events, 70U - kFirst);  // not those before the cut
  EXPECT_EQ(result.dropped, 0U);
  std::vector<std::string> gets = seen.gets();
  ASSERT_THAT(gets, SizeIs(10));
  gets.erase(gets.begin(), gets.begin() + 5);
  EXPECT_THAT(gets, Each(HasSubstr("\r\nLast-Event-ID: ")));
}

class LoadHubTest : public net::ServerTest {};

TEST_P(LoadHubTest, AHerdLosesNothingAndIsNotWaitedForWhenItIsBack) {
  start();
  FakeHubRun run("http://" + address());
  run.at_rate(200);
  run.options.scenario = Scenario::herd;
  run.options.subscribe.herd_after_s = 0.05;
  run.options.publish.events = 60;
  const LoadResult result = run.run();  // the drain, too, ends with the last delivery
  EXPECT_THAT(result.failures, IsEmpty());
  EXPECT_EQ(result.reconnect_count, 5U);
  EXPECT_EQ(result.totals.delivered, 300U);
}

// What is closed by a reset while an event is on its way is closed for the hub, too.
TEST_P(LoadHubTest, TheHubCountsWhatIsHeldAfterManyLeft) {
  start();
  FakeHubRun run("http://" + address());
  run.at_rate(1000);
  run.options.counters_target = "/metrics";
  run.options.scenario = Scenario::churn;
  run.options.subscribe.io = GetParam() == net::IoChoice::uring ? IoKind::uring : IoKind::epoll;
  run.options.subscribe.count = 40;
  run.options.subscribe.churn_per_s = 2000;
  run.options.subscribe.churn_resume = 0.5;
  run.options.publish.events = 500;
  run.options.drain_s = 2;
  const LoadResult result = run.run();
  EXPECT_GT(result.left, 100U);
  EXPECT_EQ(result.held, 40U);
  EXPECT_EQ(result.server_streams, 40U);
  EXPECT_THAT(result.failures, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Backends, LoadHubTest, testing::ValuesIn(net::ServerTest::kBackends),
                         net::ServerTest::backend_name);

TEST(LoadPhases, ChurnIsOfAllThreadsAndEndsWithPublishing) {
  Seen seen;
  FakeHub hub({.head = [&](int, const std::string& request) {
    seen.get(request);
    return std::string(kStreamHead);
  }});
  FakeHubRun run(hub.url());
  run.at_rate(200);
  run.options.scenario = Scenario::churn;
  run.options.subscribe.count = 20;
  run.options.subscribe.churn_per_s = 200;
  run.options.workload.topics = 20;
  run.options.publish.events = 40;
  run.options.drain_s = 2;
  const LoadResult result = run.run();
  EXPECT_GT(result.left, 0U);
  const double seconds = static_cast<double>(result.published.duration_ns) * 1e-9;
  EXPECT_LT(static_cast<double>(result.left), 200 * (seconds + 1));  // two more seconds are drained
  EXPECT_GE(result.drain_ns, 2'000'000'000U);
  EXPECT_EQ(result.connected, 20U);
  // A topic for each stream tells which came again; the second half is the second thread's.
  std::map<bool, int> gets;
  for (const std::string& request : seen.gets()) {
    ++gets[std::stoi(request.substr(request.find("load-") + 5)) >= 10];
  }
  EXPECT_GT(gets[false], 10);
  EXPECT_GT(gets[true], 10);
}

TEST(LoadPhases, AReplayPublishesFirstAndCountsFromTheFirstConnect) {
  Seen seen;
  FakeHub hub({.head =
                   [&](int, const std::string& request) {
                     seen.get(request);
                     return std::string(kStreamHead) + seen.all_frames();
                   },
               .frame = [&](int, const std::string& data) { return seen.event(data); }});
  FakeHubRun run(hub.url());
  run.options.scenario = Scenario::replay;
  run.options.publish.mode = PublishMode::none;
  run.options.publish.events = 0;
  run.options.publish.history = 20;
  run.options.subscribe.connects_per_s = 40;
  const LoadResult result = run.run();
  EXPECT_THAT(result.failures, IsEmpty());
  EXPECT_EQ(result.published.events, 20U);
  EXPECT_EQ(result.totals.delivered, 100U);
  EXPECT_THAT(seen.gets(), Each(HasSubstr("\r\nLast-Event-ID: earliest\r\n")));
  EXPECT_GE(result.publish.wall_ns, result.connect.wall_ns);
}

TEST(LoadPhases, AHistoryThatCannotBePublishedEndsTheRun) {
  FakeHub hub({.answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"});
  FakeHubRun run(hub.url());
  run.options.publish.mode = PublishMode::none;
  run.options.publish.history = 3;
  const LoadResult result = run.run();
  EXPECT_THAT(
      result.failures,
      ElementsAre("publishing the history failed: the server answered with status 403: no"));
  EXPECT_EQ(hub.gets(), 0);
}

TEST(LoadPhases, AnInterruptedRunWaitsForNothing) {
  FakeHubRun* running = nullptr;
  FakeHub hub({.frame = [&](int n, const std::string&) {
    if (n == 3) running->stop = true;
    return std::string(":\n\n");  // lost, which an undisturbed run would wait for
  }});
  FakeHubRun run(hub.url());
  running = &run;
  run.at_rate(1000);
  run.options.publish.events = 1'000'000;
  const LoadResult result = run.run();
  ASSERT_FALSE(result.failures.empty());
  EXPECT_EQ(result.failures.front(), "the run was interrupted");
  EXPECT_LT(result.published.events, 1'000'000U);
  EXPECT_EQ(result.connected, 5U);
}

}  // namespace
}  // namespace tocsin::load
