#include "tools/load/report/failures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::load {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct GoodRun {
  LoadOptions options;
  LoadResult result;

  GoodRun() {
    options.subscribe.count = 10;
    result.connected = 10;
    result.totals.delivered = 5;
  }
  [[nodiscard]] std::vector<std::string> failures() const { return find_failures(options, result); }
  void expect(std::string_view list) { options.expectations = *parse_expectations(list); }
};

TEST(Failures, CountersMustBeZeroUnlessTheyAreExpected) {
  GoodRun run;
  EXPECT_THAT(run.failures(), IsEmpty());
  run.result.totals.lost = 3;
  EXPECT_THAT(run.failures(), ElementsAre("3 lost"));
  run.expect("lost<5");
  EXPECT_THAT(run.failures(), IsEmpty());
  run.expect("lost<3");
  EXPECT_THAT(run.failures(), ElementsAre("lost is 3, not < 3"));
  run.options.expectations.clear();
  run.result.totals.lost = 0;
  run.result.totals.told = 1;
  run.result.totals.duplicated = 2;
  run.result.totals.reordered = 3;
  run.result.totals.corrupted = 4;
  EXPECT_THAT(run.failures(), ElementsAre("1 told", "2 duplicated", "3 reordered", "4 corrupted"));
}

TEST(Failures, RefusedStreamsAreToldByKind) {
  GoodRun run;
  run.result.connected = 7;
  run.result.refused = 3;
  run.result.refusals.add({"status 503", "HTTP/1.1 503 Busy"});
  run.result.refusals.add({"status 404", "HTTP/1.1 404 Not Found"});
  run.result.refusals.add({"status 503", "HTTP/1.1 503 Busy again"});
  EXPECT_THAT(run.failures(),
              ElementsAre("7 of 10 subscribers connected, 3 refused (1 x status 404, 2 x status "
                          "503): HTTP/1.1 503 Busy"));
  run.expect("connected>=7");
  EXPECT_THAT(run.failures(), ElementsAre("3 refused (1 x status 404, 2 x status 503): "
                                          "HTTP/1.1 503 Busy"));
  run.expect("refused<5");
  EXPECT_THAT(run.failures(), ElementsAre("7 of 10 subscribers connected: HTTP/1.1 503 Busy"));
  run.expect("connected>=7,refused<5");
  EXPECT_THAT(run.failures(), IsEmpty());
}

TEST(Failures, SaysWhatWasWaitedFor) {
  GoodRun run;
  run.result.connected = 7;
  run.result.unanswered = {.connecting = 2, .heads = 1, .longest_ns = 10'200'000'000};
  EXPECT_THAT(run.failures(),
              ElementsAre("7 of 10 subscribers connected",
                          "no answer: 2 streams waited for the connection (TCP), 1 stream waited "
                          "for the response's head (connected, no TLS, request sent), up to "
                          "10.2 s"));
  run.result.unanswered.connecting = 0;
  EXPECT_THAT(run.failures().back(), ::testing::StartsWith("no answer: 1 stream waited for the "
                                                           "response's head"));
  run.expect("connected>5");
  EXPECT_THAT(run.failures(), IsEmpty());

  run = GoodRun();
  run.result.totals.delivered = 0;
  run.result.published.events = 3;
  run.result.published.duration_ns = 1'000'000'000;
  run.result.drain_ns = 2'000'000'000;
  EXPECT_THAT(run.failures(),
              ElementsAre("nothing was delivered: 10 open streams waited 3 s for the first of 3 "
                          "events"));
}

TEST(Failures, WhereSomeReadSlowlyTheServerMayDropThem) {
  GoodRun run;
  run.result.dropped = 2;
  run.result.totals.told = 4;
  EXPECT_THAT(run.failures(), ElementsAre("2 dropped", "4 told"));
  run.options.subscribe.slow_share = 0.1;
  EXPECT_THAT(run.failures(), IsEmpty());
}

TEST(Failures, TheServerMustCountWhatIsHeld) {
  GoodRun run;
  run.result.held = 10;
  run.result.server_streams = 10;
  EXPECT_THAT(run.failures(), IsEmpty());
  run.result.server_streams = 43;
  EXPECT_THAT(run.failures(), ElementsAre("the server counts 43 streams more than before the run, "
                                          "10 are open here"));
  run.expect("server-streams<50");
  EXPECT_THAT(run.failures(), IsEmpty());
  run.options.expectations.clear();
  run.result.server_streams = 9;
  EXPECT_THAT(run.failures(), ElementsAre(::testing::HasSubstr("the server counts 9 streams")));
  run.options.subscribe.slow_share = 0.1;  // an end may stand behind what they have yet to read
  EXPECT_THAT(run.failures(), IsEmpty());
}

TEST(Failures, OverADeployOnlyWhatNobodyWasToldOf) {
  GoodRun run;
  run.result.dropped = 10;
  run.result.refused = 30;
  run.result.refused_meanwhile = 30;
  run.result.totals.told = 7;
  run.result.published.events = 20;
  run.result.published.refused = 2;
  run.result.published.uncertain = 1;
  run.result.published.error = "the connection broke before the answer";
  EXPECT_THAT(run.failures(), ::testing::SizeIs(6));
  run.options.scenario = Scenario::deploy;
  EXPECT_THAT(run.failures(), IsEmpty());
  run.expect("told=0");
  EXPECT_THAT(run.failures(), ElementsAre("told is 7, not = 0"));
  run.options.expectations.clear();
  run.result.totals.lost = 1;
  run.result.totals.away = 5;
  run.result.away = 2;
  run.result.refused = 31;
  run.result.refusals.add({"status 503", "HTTP/1.1 503 Busy"});
  run.result.published.ended_early = true;
  EXPECT_THAT(run.failures(),
              ElementsAre("1 refused (1 x status 503): HTTP/1.1 503 Busy",
                          "2 streams that the server ended were not back at the end", "1 lost",
                          "5 away", "publishing: the connection broke before the answer"));
}

TEST(Failures, OfPublishing) {
  GoodRun run;
  run.result.published.events = 5;
  run.result.published.refused = 1;
  run.result.published.timeouts = 2;
  run.result.published.error = "HTTP 401";
  EXPECT_THAT(run.failures(), ElementsAre("1 publishing requests refused",
                                          "2 events did not reach all subscribers in time",
                                          "publishing: HTTP 401"));
}

}  // namespace
}  // namespace tocsin::load
