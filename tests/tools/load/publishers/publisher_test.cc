#include "tools/load/publishers/publisher.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/base/clock.h"
#include "tests/tools/load/publishers/publisher_bench.h"

namespace tocsin::load {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

TEST(Publisher, PublishesSoManyEventsInOrder) {
  ReceivedRequests requests;
  ScriptedServer server({requests.script()});
  Bench bench(server);
  bench.options.publish.events = 3000;
  const PublishFigures result = bench.run();
  EXPECT_EQ(result.error, "");
  EXPECT_EQ(result.events, 3000U);
  EXPECT_EQ(result.requests, 3000U);
  EXPECT_EQ(result.refused, 0U);
  EXPECT_EQ(result.answered.count(), 3000U);
  EXPECT_GT(result.duration_ns, 0U);
  EXPECT_EQ(bench.progress->events, 3000U);
  ASSERT_EQ(requests.count(), 3000U);
  EXPECT_THAT(requests.all()[0], HasSubstr("POST /publish/load HTTP/1.1\r\n"));
  bench.expect_all_in_order(requests);
}

TEST(Publisher, BatchesHaveOneTopicOrManyAsTheTemplateSays) {
  for (const bool mixed : {false, true}) {
    ReceivedRequests requests;
    ScriptedServer server({requests.script()});
    Bench bench(server);
    bench.options.workload.topics = 5;
    bench.options.workload.zipf = 0.5;
    bench.options.publish.events = 203;
    bench.options.publish.batch = 10;
    bench.options.publish.request.separator = "\n";
    if (mixed) {
      bench.options.publish.request.url.target = "/publish/";
      bench.options.publish.request.item = "{topic}={data}";
    }
    const PublishFigures result = bench.run();
    EXPECT_EQ(result.events, 203U);
    EXPECT_EQ(result.requests, 21U);
    bench.expect_all_in_order(requests);
    bool any_mixed = false;
    for (const std::string& request : requests.all()) {
      const auto events = bench.events_of(request);
      any_mixed |= std::ranges::any_of(
          events, [&](const Sent& sent) { return sent.topic != events[0].topic; });
    }
    EXPECT_EQ(any_mixed, mixed);
  }
}

TEST(Publisher, GetCarriesTheEventInItsUrl) {
  ReceivedRequests requests;
  ScriptedServer server({requests.script("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")});
  Bench bench(server);
  bench.options.publish.request.method = "GET";
  bench.options.publish.request.url.target = "/p?t={topic}&d={data}";
  const PublishFigures result = bench.run();
  EXPECT_EQ(result.refused, 0U);
  ASSERT_EQ(requests.count(), 100U);
  EXPECT_THAT(requests.all()[99], HasSubstr("GET /p?t=load&d=feedbeef.0000000000000063."));
}

TEST(Publisher, RefusalsAreCountedAndTheFirstIsTold) {
  ReceivedRequests requests;
  ScriptedServer server({requests.script("HTTP/1.1 503 Busy\r\nContent-Length: 3\r\n\r\nno!")});
  Bench bench(server);
  const PublishFigures result = bench.run();
  EXPECT_EQ(result.requests, 100U);
  EXPECT_EQ(result.refused, 100U);
  EXPECT_EQ(result.error, "the server answered with status 503: no!");
}

TEST(Publisher, ChunkedAnswersInSmallPieces) {
  ReceivedRequests requests;
  ScriptedServer server({[&](ScriptedServer::Connection& connection) {
    for (std::string r = connection.read_request(); !r.empty(); r = connection.read_request()) {
      connection.send_by_bytes(
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
    }
  }});
  Bench bench(server);
  const PublishFigures result = bench.run();
  EXPECT_EQ(result.error, "");
  EXPECT_EQ(result.answered.count(), 100U);
}

TEST(Publisher, ServerThatClosesAfterEachAnswerIsReconnectedTo) {
  for (const std::string answer :
       {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.0 200 OK\r\n\r\nno length",
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"}) {
    ReceivedRequests requests;
    ScriptedServer server(std::vector<ScriptedServer::Script>(20, requests.script(answer, 1)));
    Bench bench(server);
    bench.options.publish.events = 20;
    bench.options.publish.in_flight = 1;
    const PublishFigures result = bench.run();
    EXPECT_EQ(result.error, "") << answer;
    EXPECT_EQ(result.refused, 0U);
    bench.expect_all_in_order(requests);
  }
}

// They may have been published: nobody has to get them, and they are not sent again.
TEST(Publisher, RequestsThatAClosedConnectionLeavesUnansweredAreUncertain) {
  ReceivedRequests requests;
  ScriptedServer server({requests.script(std::string(kDone), 30), requests.script()});
  Bench bench(server);
  bench.options.publish.in_flight = 8;
  const PublishFigures result = bench.run();
  EXPECT_EQ(result.events, 100U);
  EXPECT_EQ(server.connections(), 2);
  EXPECT_EQ(result.answered.count() + result.uncertain, 100U);
  EXPECT_EQ(result.refused, 0U);
  EXPECT_GT(result.uncertain, 0U);
  EXPECT_LE(result.uncertain, 8U);
  EXPECT_EQ(result.accepted(), result.answered.count());
  EXPECT_EQ(bench.progress->unpublished.count(0, 0, 100), result.uncertain);
  EXPECT_EQ(bench.progress->unpublished.count(0, 30, 30 + result.uncertain), result.uncertain);
  EXPECT_FALSE(result.ended_early);
  EXPECT_THAT(result.error, HasSubstr("before the answer"));
}

TEST(Publisher, GoesOnWhenTheServerIsBack) {
  ReceivedRequests requests;
  const auto closing = [](ScriptedServer::Connection& connection) {
    (void)connection.read_request();
    connection.reset();
  };
  ScriptedServer server(
      {requests.script(std::string(kDone), 5), closing, closing, requests.script()});
  Bench bench(server);
  bench.options.publish.events = 50;
  bench.options.publish.in_flight = 1;
  const PublishFigures result = bench.run();
  EXPECT_FALSE(result.ended_early) << result.error;
  EXPECT_EQ(server.connections(), 4);
  EXPECT_EQ(result.events, 50U);
  EXPECT_GE(result.uncertain, 2U);
  EXPECT_LE(result.uncertain, 3U);  // the first connection may have taken one more
  EXPECT_EQ(result.accepted(), requests.count());
  EXPECT_GE(result.longest_away_ns, 300'000'000U);  // it waits longer each time
}

TEST(Publisher, EventsThatWereRefusedAreNotExpectedOfAnybody) {
  ReceivedRequests requests;
  ScriptedServer server({[&](ScriptedServer::Connection& connection) {
    for (int i = 0;; ++i) {
      std::string request = connection.read_request();
      if (request.empty()) return;
      requests.add(std::move(request));
      const bool is_bad = i >= 3 && i < 5;
      connection.send(is_bad ? "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
                             : std::string(kDone));
    }
  }});
  Bench bench(server);
  bench.options.publish.events = 40;
  bench.options.publish.batch = 4;
  bench.options.publish.request.separator = "\n";
  const PublishFigures result = bench.run();
  EXPECT_EQ(result.refused, 2U);
  EXPECT_EQ(result.events_refused, 8U);
  EXPECT_EQ(result.uncertain, 0U);
  EXPECT_EQ(result.accepted(), 32U);
  EXPECT_EQ(bench.progress->unpublished.count(0, 0, 40), 8U);
  EXPECT_EQ(bench.progress->unpublished.count(0, 12, 20), 8U);
}

TEST(Publisher, RefusedConnectionEndsTheRun) {
  const net::OwnPort port;
  const PublishFigures result = Bench(port.number()).run();
  EXPECT_THAT(result.error, HasSubstr("cannot connect to 127.0.0.1 port " +
                                      std::to_string(port.number()) + ": Connection refused"));
  EXPECT_EQ(result.events, 0U);
}

TEST(Publisher, ServerThatGoesAwayEndsTheRun) {
  ReceivedRequests requests;
  ScriptedServer server({requests.script(std::string(kDone), 10)});  // then nobody listens
  Bench bench(server);
  bench.options.publish.events = 0;
  bench.setup.away_s = 0.3;
  const PublishFigures result = bench.run();
  EXPECT_TRUE(result.ended_early);
  // The second: a last connection was still taken, and went with the listener.
  EXPECT_THAT(result.error, AnyOf(HasSubstr("cannot connect"), HasSubstr("before the answer")));
  EXPECT_GE(result.events, 10U);
}

TEST(Publisher, AServerThatIsAwayIsTriedUntilTheDurationIsOver) {
  ReceivedRequests requests;
  ScriptedServer server({requests.script(std::string(kDone), 3)});  // then nobody listens
  Bench bench(server);
  bench.options.publish.mode = PublishMode::rate;
  bench.options.publish.schedule.events_per_s = 50;
  bench.options.publish.events = 0;
  bench.options.publish.duration_s = 0.5;
  bench.setup.away_s = 0.01;  // is for runs without a duration
  const std::uint64_t start_ns = net::now_ns();
  const PublishFigures result = bench.run();
  EXPECT_GE(net::now_ns() - start_ns, 500'000'000U);
  EXPECT_TRUE(result.ended_early);
  EXPECT_THAT(result.error, AnyOf(HasSubstr("cannot connect"), HasSubstr("before the answer")));
  EXPECT_EQ(result.accepted(), 3U);
  EXPECT_GT(result.failed_connects, 0U);
  // Whatever was not written to anybody is expected of nobody, and is not among the events.
  const std::uint64_t submitted = bench.progress->submitted[0];
  EXPECT_EQ(bench.progress->unpublished.count(0, 3, submitted), submitted - 3);
  EXPECT_EQ(result.events, result.accepted() + result.uncertain);
}

TEST(Publisher, ResetWithoutAnyAnswerEndsTheRun) {
  ReceivedRequests requests;
  const auto resetting = [&](ScriptedServer::Connection& connection) {
    requests.add(connection.read_request());
    connection.reset();
  };
  ScriptedServer server({resetting, resetting, resetting});
  Bench bench(server);
  bench.options.publish.events = 0;
  bench.options.publish.in_flight = 1;
  const PublishFigures result = bench.run();
  EXPECT_THAT(result.error, HasSubstr("Connection reset by peer"));
  EXPECT_TRUE(result.ended_early);
  EXPECT_EQ(result.uncertain, 1U);
  EXPECT_EQ(requests.count(), 1U);
}

TEST(Publisher, WhatIsNoHttpEndsTheRun) {
  ReceivedRequests requests;
  ScriptedServer server({requests.script("220 mail ready\r\n")});
  EXPECT_THAT(Bench(server).run().error, HasSubstr("is no HTTP"));
}

TEST(Publisher, SilentServerEndsTheRun) {
  ScriptedServer server({[](ScriptedServer::Connection& c) { c.wait_for_close(); }});
  Bench bench(server);
  bench.setup.answer_timeout_s = 0.05;
  const PublishFigures result = bench.run();
  EXPECT_THAT(result.error, HasSubstr("has not answered a publish request for 0.05 s"));
  EXPECT_EQ(result.uncertain, 64U);  // in flight
}

TEST(Publisher, StopEndsARunWithoutLimits) {
  std::atomic<bool> stop = false;
  ScriptedServer server({[&](ScriptedServer::Connection& connection) {
    for (int i = 0; i < 1000; ++i) {
      if (connection.read_request().empty()) return;
      connection.send(kDone);
      stop = i > 50;
    }
    connection.wait_for_close();
  }});
  Bench bench(server);
  bench.options.publish.events = 0;
  bench.setup.stop = &stop;
  const PublishFigures result = bench.run();
  EXPECT_GT(result.events, 50U);
}

TEST(Publisher, HistoryIsEvenOverTheLanes) {
  for (const bool mixed : {false, true}) {
    ReceivedRequests requests;
    ScriptedServer server({requests.script()});
    Bench bench(server);
    bench.options.publish.mode = PublishMode::none;
    bench.options.publish.events = 5;  // of the run, not of the history
    bench.options.publish.history = 1003;
    bench.options.publish.batch = 64;
    bench.options.workload.topics = 10;
    bench.options.workload.zipf = 1;
    bench.options.publish.request.separator = "\n";
    if (mixed) {
      bench.options.publish.request.url.target = "/publish/";
      bench.options.publish.request.item = "{topic}={data}";
    }
    EXPECT_EQ(bench.run(true).events, 1003U);
    bench.expect_all_in_order(requests);
    for (std::size_t lane = 0; lane < 10; ++lane) {
      EXPECT_EQ(bench.progress->submitted[lane], lane < 3 ? 101U : 100U);
    }
    EXPECT_EQ(requests.count(), mixed ? 16U : 20U);
  }
}

TEST(Publisher, DueTimesDoNotDependOnASlowServer) {
  ReceivedRequests requests;
  Bench* running = nullptr;
  ScriptedServer server({[&](ScriptedServer::Connection& connection) {
    requests.add(connection.read_request());
    // The first answer is held back until the last event is due.
    const auto first = running->events_of(requests.all()[0])[0].stamp.due_ns;
    while (net::now_ns() < first + 39'000'000) sched_yield();
    connection.send(kDone);
    requests.script()(connection);
  }});
  Bench bench(server);
  running = &bench;
  bench.options.publish.mode = PublishMode::rate;
  bench.options.publish.schedule.events_per_s = 1000;
  bench.options.publish.events = 40;
  bench.options.publish.in_flight = 1;
  const PublishFigures result = bench.run();
  EXPECT_EQ(result.error, "");
  ASSERT_EQ(requests.count(), 40U);
  const std::uint64_t first = bench.events_of(requests.all()[0])[0].stamp.due_ns;
  for (std::uint64_t i = 0; i < 40; ++i) {
    const Stamp stamp = bench.events_of(requests.all()[i])[0].stamp;
    EXPECT_EQ(stamp.number, i);
    EXPECT_EQ(stamp.due_ns, first + (i * 1'000'000));
  }
  EXPECT_EQ(result.lateness.count(), 40U);
  EXPECT_GE(result.lateness.max_ns(), 38'000'000U);  // event 1 was due 38 ms before the answer
  EXPECT_GE(result.answered.max_ns(), 39'000'000U);
}

TEST(Publisher, RateIsSharedByTheConnectionsAndExactOverItsDuration) {
  ReceivedRequests requests;
  ScriptedServer server({requests.script()});
  Bench bench(server);
  bench.options.publish.mode = PublishMode::rate;
  bench.options.publish.schedule.events_per_s = 2000;
  bench.options.publish.events = 0;
  bench.options.publish.duration_s = 0.05;
  const PublishFigures result = bench.run();
  EXPECT_EQ(result.error, "");
  EXPECT_EQ(result.events, 100U);
}

TEST(Publisher, EachWaitsForAllSubscribersAndGivesUpAfterTwoWaits) {
  ReceivedRequests requests;
  ScriptedServer server({requests.script()});
  Bench bench(server);
  bench.options.publish.mode = PublishMode::each;
  bench.options.publish.events = 20;
  bench.setup.subscribers_of = [](std::uint32_t) { return std::uint64_t{3}; };
  bench.setup.delivered = [&] { return 3 * requests.count(); };
  EXPECT_EQ(bench.run().timeouts, 0U);
  EXPECT_EQ(requests.count(), 20U);

  ReceivedRequests lost;
  ScriptedServer loser({lost.script()});
  Bench without(loser);
  without.options.publish.mode = PublishMode::each;
  without.options.publish.events = 5;
  without.options.publish.each_timeout_s = 0.01;
  without.setup.subscribers_of = [](std::uint32_t) { return std::uint64_t{3}; };
  const PublishFigures result = without.run();
  EXPECT_EQ(result.timeouts, 2U);
  EXPECT_TRUE(result.gave_up);
  EXPECT_EQ(lost.count(), 2U);
  EXPECT_EQ(result.error,
            "ended early: 2 events in a row did not reach everybody, 3 of 3 deliveries of the last "
            "one are missing after 0.01 s without any");
}

}  // namespace
}  // namespace tocsin::load
