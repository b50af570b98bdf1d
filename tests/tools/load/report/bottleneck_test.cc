#include "tools/load/report/bottleneck.h"

#include <cerrno>
#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::load {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kMs = 1'000'000;

struct EasyRun {
  LoadOptions options;
  LoadResult result;

  // Neither side had much to do.
  EasyRun() {
    options.server_pids = {1};
    options.publish.mode = PublishMode::rate;
    result.threads = 2;
    result.connect_count = 1000;
    result.connect.wall_ns = kSecond;
    result.connect.own_cpu_ns = kSecond / 2;
    result.connect.server.cpu_ns = kSecond / 4;
    result.publish = result.connect;
    result.connect_latency.record(5 * kMs, 1000);
    result.latency.record(20 * kMs, 1000);
    result.published.lateness.record(kMs / 10, 1000);
  }
  [[nodiscard]] std::vector<std::string> found() const {
    return find_bottlenecks(options, result, 2);
  }
};

TEST(Bottleneck, NoneInAnEasyRun) {
  EXPECT_THAT(EasyRun().found(), IsEmpty());
  EXPECT_THAT(find_bottlenecks(LoadOptions{}, LoadResult{}), IsEmpty());
}

TEST(Bottleneck, OwnCpuInEitherPhase) {
  EasyRun run;
  run.result.publish.own_cpu_ns = kSecond * 18 / 10;
  EXPECT_THAT(run.found(), ElementsAre(AllOf(HasSubstr("publishing"), HasSubstr("90 %"),
                                             HasSubstr("2 cores"), HasSubstr("0.25 cores"))));
  run.result.connect.own_cpu_ns = kSecond * 18 / 10;
  EXPECT_THAT(run.found(), ElementsAre(HasSubstr("connecting"), HasSubstr("publishing")));
  EXPECT_THAT(find_bottlenecks(run.options, run.result, 4), IsEmpty());  // 45 % of four
}

TEST(Bottleneck, BusyServerIsWhatWasMeasured) {
  EasyRun run;
  run.result.publish.own_cpu_ns = kSecond * 18 / 10;
  run.result.publish.server.cpu_ns = kSecond * 97 / 100;  // one thread that is full
  EXPECT_THAT(run.found(), IsEmpty());
  run.result.publish.server.cpu_ns = kSecond * 102 / 100;  // and a little of another
  EXPECT_THAT(run.found(), IsEmpty());
  run.result.publish.server.cpu_ns = kSecond * 19 / 10;  // more than the generator
  EXPECT_THAT(run.found(), IsEmpty());
  run.result.publish.server.cpu_ns = kSecond * 14 / 10;
  EXPECT_THAT(run.found(), ElementsAre(HasSubstr("1.40 cores")));
}

TEST(Bottleneck, UnknownServerIsSaid) {
  EasyRun run;
  run.options.server_pids.clear();
  run.result.publish.own_cpu_ns = kSecond * 18 / 10;
  run.result.publish.server = {};
  EXPECT_THAT(run.found(), ElementsAre(HasSubstr("--pid")));
}

TEST(Bottleneck, ShortPhasesSayNothing) {
  EasyRun run;
  run.result.publish.wall_ns = 10 * kMs;
  run.result.publish.own_cpu_ns = 20 * kMs;
  run.result.publish.own_waited_ns = 20 * kMs;
  run.result.publish.server.cpu_ns = 0;
  EXPECT_THAT(run.found(), IsEmpty());
}

TEST(Bottleneck, ThreadsThatWaited) {
  EasyRun run;
  run.result.publish.own_waited_ns = kSecond * 3 / 10;  // 15 % of each of two
  EXPECT_THAT(run.found(), IsEmpty());
  run.result.publish.own_waited_ns = kSecond / 2;
  EXPECT_THAT(run.found(), ElementsAre(AllOf(HasSubstr("waited 25 %"), HasSubstr("publishing"))));
}

TEST(Bottleneck, LatePublishers) {
  EasyRun run;
  run.result.published.lateness.record(3 * kMs, 100);  // p99 is 20 ms: 2 ms are allowed
  EXPECT_THAT(run.found(), ElementsAre(AllOf(HasSubstr("late"), HasSubstr("within 3 ms"))));
  run.result.published.longest_away_ns = 1;  // there was no server to write to
  EXPECT_THAT(run.found(), IsEmpty());
  run.result.published.longest_away_ns = 0;
  run.options.publish.mode = PublishMode::full;
  EXPECT_THAT(run.found(), IsEmpty());
  run.options.publish.mode = PublishMode::rate;
  run.result.latency.record(50 * kMs, 1000);
  EXPECT_THAT(run.found(), IsEmpty());
}

TEST(Bottleneck, AMillisecondIsNotLate) {
  EasyRun run;
  run.result.latency = LatencyHistogram();
  run.result.latency.record(kMs / 5, 1000);
  run.result.published.lateness.record(kMs * 9 / 10, 1000);
  EXPECT_THAT(run.found(), IsEmpty());
}

TEST(Bottleneck, ConnectsUnderWay) {
  EasyRun run;
  run.options.subscribe.connects_in_flight = 64;
  run.result.connect_latency = LatencyHistogram();
  run.result.connect_latency.record(120 * kMs, 1000);  // 1,000 x 0.12 s in 1 s: 120 of 128
  EXPECT_THAT(run.found(), ElementsAre(AllOf(HasSubstr("120 of at most 128"),
                                             HasSubstr("--connects-in-flight"))));

  EasyRun paced = run;
  paced.options.subscribe.connects_per_s = 1000;
  EXPECT_THAT(paced.found(), IsEmpty());
  EasyRun busy = run;
  busy.result.connect.server.cpu_ns = kSecond * 8 / 10;
  EXPECT_THAT(busy.found(), IsEmpty());
  EasyRun own = run;
  own.result.connect.own_cpu_ns = kSecond * 15 / 10;  // 75 % of two cores
  EXPECT_THAT(own.found(), IsEmpty());
  EasyRun few = run;
  few.options.subscribe.connects_in_flight = 256;
  EXPECT_THAT(few.found(), IsEmpty());
}

TEST(Bottleneck, PortsAndDescriptors) {
  EasyRun run;
  run.result.refused = 1;
  run.result.refusals.first = "status 503";
  EXPECT_THAT(run.found(), IsEmpty());
  run.result.refusals.first = std::string("connect: ") + std::strerror(EADDRNOTAVAIL);
  EXPECT_THAT(run.found(), ElementsAre(HasSubstr("--source")));
  run.result.refusals.first = std::string("socket: ") + std::strerror(EMFILE);
  EXPECT_THAT(run.found(), ElementsAre(HasSubstr("ulimit -n")));
  run.result.refused = 0;
  EXPECT_THAT(run.found(), IsEmpty());
}

}  // namespace
}  // namespace tocsin::load
