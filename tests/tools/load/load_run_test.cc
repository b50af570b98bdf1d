// The course of whole runs against hubs that misbehave, each in its own way.
#include "tools/load/load_run.h"

#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <string>
#include <thread>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tools/load/load_run_bench.h"

namespace tocsin::load {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(LoadRun, EverythingArrives) {
  FakeHub hub({});
  FakeHubRun run(hub.url());
  run.options.warmup = 2;
  run.options.idle_s = 0.05;
  const LoadResult result = run.run();
  EXPECT_THAT(result.failures, IsEmpty());
  EXPECT_EQ(result.connected, 5U);
  EXPECT_EQ(result.connect_count, 3U);
  EXPECT_EQ(result.totals.delivered, 25U);
  EXPECT_EQ(result.latency.count(), 25U);
  EXPECT_EQ(result.connect_latency.count(), 5U);
  EXPECT_EQ(result.published.events, 5U);
  EXPECT_EQ(result.threads, 2U);
  EXPECT_GE(result.idle.seconds(), 0.05);
  EXPECT_FALSE(result.timeline.empty());
  EXPECT_EQ(hub.events(), 5);
}

// An answer with what the server counts.
std::string page_of(int streams) {
  const std::string page =
      "tocsin_connections{shard=\"0\",state=\"stream\"} " + std::to_string(streams) + "\n";
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(page.size()) + "\r\n\r\n" + page;
}

TEST(LoadRun, AServerThatCountsMoreStreamsThanAreOpenIsTold) {
  std::atomic<int> pages = 0;
  FakeHub hub({.head = [&](int, const std::string& request) {
    if (!request.starts_with("GET /counters ")) return std::string(kStreamHead);
    // Two were there before; of the rest, five are the run's.
    return page_of(pages++ == 0 ? 2 : 10);
  }});
  FakeHubRun run(hub.url());
  run.options.counters_target = "/counters";
  run.options.drain_s = 0.2;
  const LoadResult result = run.run();
  EXPECT_EQ(result.held, 5U);
  EXPECT_EQ(result.server_streams, 8U);
  EXPECT_GE(pages, 3);  // it may not have noticed yet
  EXPECT_THAT(result.failures,
              ElementsAre("the server counts 8 streams more than before the run, 5 are open here"));
}

// Those of an earlier run, for instance, whose end the server has yet to notice.
TEST(LoadRun, StreamsThatWereThereBeforeMayLeave) {
  for (const auto& [at_end, counted] : {std::pair{5, 5U}, {6, 5U}, {8, 5U}, {9, 6U}, {4, 4U}}) {
    std::atomic<int> pages = 0;
    FakeHub hub({.head = [&](int, const std::string& request) {
      if (!request.starts_with("GET /counters ")) return std::string(kStreamHead);
      return page_of(pages++ == 0 ? 3 : at_end);
    }});
    FakeHubRun run(hub.url());
    run.options.counters_target = "/counters";
    run.options.drain_s = 0.2;
    const LoadResult result = run.run();
    EXPECT_EQ(result.server_streams, counted) << at_end;
    EXPECT_EQ(result.failures.empty(), counted == 5) << at_end;
  }
}

TEST(LoadRun, AServerThatDoesNotCountIsNoFailure) {
  FakeHub hub({.head = [](int, const std::string& request) {
    return request.starts_with("GET /counters ") ? kBusy : std::string(kStreamHead);
  }});
  FakeHubRun run(hub.url());
  run.options.counters_target = "/counters";
  const LoadResult result = run.run();
  EXPECT_EQ(result.server_streams, std::nullopt);
  EXPECT_THAT(result.failures, IsEmpty());
}

TEST(LoadRun, RefusedStreamsAreNeitherWaitedForNorLost) {
  FakeHub hub(
      {.head = [](int n, const std::string&) { return n < 2 ? kBusy : std::string(kStreamHead); }});
  FakeHubRun run(hub.url());
  const LoadResult result = run.run();
  EXPECT_EQ(result.connected, 3U);
  EXPECT_EQ(result.refused, 2U);
  EXPECT_THAT(result.refusals.by_kind, ElementsAre(Pair("status 503", 2U)));
  EXPECT_EQ(result.totals.lost, 0U);
  EXPECT_EQ(result.totals.delivered, 15U);
  EXPECT_THAT(result.failures,
              ElementsAre("3 of 5 subscribers connected, 2 refused (2 x status 503): HTTP/1.1 503 "
                          "Service Unavailable: busy"));
}

TEST(LoadRun, ATopicWhoseStreamWasRefusedIsNotWaitedFor) {
  FakeHub hub({.head = [](int, const std::string& request) {
    return request.find("topic=load-2 ") != std::string::npos ? kBusy : std::string(kStreamHead);
  }});
  FakeHubRun run(hub.url());
  run.options.workload.topics = 5;
  run.options.publish.events = 10;
  const LoadResult result = run.run();
  EXPECT_EQ(result.connected, 4U);
  EXPECT_EQ(result.published.events, 10U);
  EXPECT_EQ(result.totals.delivered, 8U);
  EXPECT_EQ(result.totals.lost, 0U);
}

TEST(LoadRun, StreamsThatAreRefusedAgainAndAgainDoNotEndTheRamp) {
  // The second is refused whenever it comes; the others come one after the other.
  FakeHub hub({.head = [](int, const std::string& request) {
    return request.find("topic=load-1 ") != std::string::npos ? kBusy : std::string(kStreamHead);
  }});
  FakeHubRun run(hub.url());
  run.options.scenario = Scenario::herd;  // what was refused tries again after a second
  run.options.subscribe.count = 6;
  run.options.subscribe.threads = 1;
  run.options.subscribe.connects_per_s = 2;
  run.options.drain_s = 1.5;  // without any progress, not in all: the ramp takes longer
  run.options.workload.topics = 6;
  const LoadResult result = run.run();
  EXPECT_EQ(result.connected, 5U);
  EXPECT_GE(result.refused, 2U);
}

TEST(LoadRun, AServerThatRefusesAllEndsTheRun) {
  FakeHub hub({.head = [](int, const std::string&) { return kBusy; }});
  FakeHubRun run(hub.url());
  run.options.subscribe.connects_per_s = 5;  // not all of them are tried before
  run.options.subscribe.count = 1000;
  const LoadResult result = run.run();
  EXPECT_EQ(result.connected, 0U);
  EXPECT_EQ(hub.events(), 0);
  EXPECT_THAT(result.failures, Contains(HasSubstr("0 of 1,000 subscribers connected, ")));
}

TEST(LoadRun, AServerThatNeverAnswersIsToldWithWhatWasWaitedFor) {
  FakeHub hub({.head = [](int, const std::string&) { return std::string(); }});
  FakeHubRun run(hub.url());
  run.options.drain_s = 0.3;
  const LoadResult result = run.run();
  EXPECT_EQ(result.connected, 0U);
  EXPECT_EQ(result.refused, 0U);
  EXPECT_EQ(result.unanswered.connecting, 0U);
  EXPECT_EQ(result.unanswered.heads, 5U);
  EXPECT_GT(result.unanswered.longest_ns, 0U);
  EXPECT_THAT(result.failures, ElementsAre("0 of 5 subscribers connected",
                                           HasSubstr("no answer: 5 streams waited for the "
                                                     "response's head")));
}

TEST(LoadRun, AServerThatDoesNotAcceptIsToldWithWhatWasWaitedFor) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(bind(listener, raw, size), 0);
  ASSERT_EQ(listen(listener, 0), 0);  // takes one or two, which wait to be accepted
  ASSERT_EQ(getsockname(listener, raw, &size), 0);
  FakeHubRun run("http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
  run.options.drain_s = 0.3;
  const LoadResult result = run.run();
  close(listener);
  EXPECT_GT(result.unanswered.connecting, 0U);
  EXPECT_GT(result.unanswered.heads, 0U);
  EXPECT_EQ(result.unanswered.count(), 5U);
}

TEST(LoadRun, NothingDelivered) {
  FakeHub hub({.frame = [](int, const std::string&) { return std::string(": nothing\n\n"); }});
  FakeHubRun run(hub.url());
  run.at_rate(1000);
  run.options.drain_s = 1;
  const LoadResult result = run.run();
  EXPECT_EQ(result.totals.delivered, 0U);
  EXPECT_EQ(result.totals.lost, 25U);
  EXPECT_GE(result.drain_ns, 1'000'000'000U);
  // The wait for what never came is not in the phase: neither its time nor its CPU.
  EXPECT_LT(result.publish.wall_ns, result.published.duration_ns + result.drain_ns);
  const double cores = std::max(std::thread::hardware_concurrency(), 1U);
  EXPECT_LE(result.publish.own_cores(), cores + 0.5);  // the clocks are read one after the other
  EXPECT_THAT(result.failures, Contains(HasSubstr("nothing was delivered: 5 open streams waited")));
}

TEST(LoadRun, TheWaitForWhatIsMissingIsNotInThePhase) {
  FakeHub hub({.frame = [](int n, const std::string& data) {
    return n == 4 ? std::string(":\n\n") : "data: " + data + "\n\n";
  }});
  FakeHubRun run(hub.url());
  run.at_rate(1000);
  run.options.drain_s = 1;
  const LoadResult result = run.run();
  EXPECT_EQ(result.totals.delivered, 20U);
  EXPECT_EQ(result.totals.lost, 5U);
  EXPECT_GE(result.drain_ns, 1'000'000'000U);
  EXPECT_LT(result.publish.wall_ns, result.published.duration_ns + result.drain_ns);
}

TEST(LoadRun, OneByOneGoesOnAfterOneLostEventAndEndsAfterTwoInARow) {
  const auto lost = [](int first, int last) {
    return FakeHub::Ways{.frame = [=](int n, const std::string& data) {
      const bool is_lost = n >= first && n <= last;
      return "data: " + (is_lost ? std::string(data.size(), '?') : data) + "\n\n";
    }};
  };
  FakeHub once(lost(1, 1));
  FakeHubRun run(once.url());
  run.options.publish.each_timeout_s = 0.5;
  run.options.drain_s = 0.1;
  LoadResult result = run.run();
  EXPECT_EQ(result.published.timeouts, 1U);
  EXPECT_EQ(result.published.events, 5U);
  EXPECT_FALSE(result.published.gave_up);
  EXPECT_EQ(result.totals.lost, 5U);

  FakeHub always(lost(1, 1000));
  FakeHubRun vain(always.url());
  vain.options.publish.each_timeout_s = 0.5;
  vain.options.publish.events = 1000;
  result = vain.run();  // and does not wait for options.drain_s besides
  EXPECT_TRUE(result.published.gave_up);
  EXPECT_EQ(result.published.timeouts, 2U);
  EXPECT_EQ(result.published.events, 3U);
  EXPECT_THAT(result.failures,
              Contains("publishing: ended early: 2 events in a row did not reach everybody, 5 of 5 "
                       "deliveries of the last one are missing after 0.5 s without any"));
}

TEST(LoadRun, FullSpeedEndsWhenNothingArrivesAnyMore) {
  FakeHub hub({.frame = [](int n, const std::string& data) {
    return n >= 20 ? std::string(":\n\n") : "data: " + data + "\n\n";
  }});
  FakeHubRun run(hub.url());
  run.options.publish.mode = PublishMode::full;
  run.options.publish.events = 1'000'000;
  run.options.publish.ahead = 10;
  run.options.publish.each_timeout_s = 0.5;
  const LoadResult result = run.run();
  EXPECT_TRUE(result.published.gave_up);
  EXPECT_THAT(result.published.error, HasSubstr("no event has arrived for 1 s"));
  EXPECT_EQ(result.totals.delivered, 100U);
}

TEST(LoadRun, AServersControlBytesComeToNobodysTerminal) {
  FakeHub hub({.head = [](int, const std::string&) {
    return std::string("HTTP/1.1 404 \x1b]0;title\x07\r\nContent-Length: 4\r\n\r\n\x1b[2J");
  }});
  FakeHubRun run(hub.url());
  const LoadResult result = run.run();
  EXPECT_THAT(result.refusals.by_kind, ElementsAre(Pair("status 404", 5U)));
  EXPECT_THAT(result.failures.front(), HasSubstr("\x1b]0;title"));  // shown by reports as \x1b
}

}  // namespace
}  // namespace tocsin::load
