#include <algorithm>
#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/client/event_source.h"
#include "tests/net/support/event_source_recorder.h"
#include "tests/net/support/scripted_server.h"

namespace tocsin::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(EventSourceTest, ResumesBehindTheLastIdAfterEveryKindOfEnd) {
  serve({
      record(kStreamHead + "id: 1\ndata: a\n\nid: half\ndata: lost"),  // EOF in an event
      record("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
             "\r\n7\r\nid: 2\n\n\r\n0\r\n\r\n"),  // the last chunk; an id without data counts
      record("", true),                           // reset before the head
      record("HTTP/1.1 200 OK\r\nCon"),
      record(""),
      record("no http\r\n\r\n"),
      record(kStreamHead + "id\ndata: b\n\n"),  // an empty id resets
      record(kStreamHead + "data: c\n\n"),
  });
  client_.stop_after = 3;
  EXPECT_EQ(client_.run().end, End::stopped);
  EXPECT_THAT(client_.events, ElementsAre("message:a", "message:b", "message:c"));
  EXPECT_THAT(client_.reasons,
              ElementsAre(Reason::end_of_stream, Reason::end_of_stream, Reason::connection,
                          Reason::bad_response, Reason::bad_response, Reason::bad_response,
                          Reason::end_of_stream));
  ASSERT_EQ(requests_.size(), 8U);
  EXPECT_THAT(requests_[0], Not(HasSubstr("Last-Event-ID")));
  EXPECT_THAT(requests_[1], HasSubstr("\r\nLast-Event-ID: 1\r\n"));
  for (std::size_t i = 2; i <= 6; ++i)
    EXPECT_THAT(requests_[i], HasSubstr("\r\nLast-Event-ID: 2\r\n")) << i;
  EXPECT_THAT(requests_[7], Not(HasSubstr("Last-Event-ID")));
}

TEST_F(EventSourceTest, ResetInTheStreamIsRetried) {
  std::promise<void> opened;
  client_.on_open = [&, first = true]() mutable {
    if (std::exchange(first, false)) opened.set_value();
  };
  serve({[&](Connection& c) {
           c.read_request();
           c.send(kStreamHead);
           opened.get_future().wait();
           c.reset();
         },
         answer(kStreamHead + "data: a\n\n")});
  EXPECT_EQ(client_.run().end, End::stopped);
  EXPECT_THAT(client_.reasons, ElementsAre(Reason::connection));
}

TEST_F(EventSourceTest, NoContentEndsItForGood) {
  serve({answer("HTTP/1.1 204 No Content\r\n\r\n")});
  const auto result = client_.run();
  EXPECT_EQ(result.end, End::no_content);
  EXPECT_EQ(result.status, 204);
  EXPECT_TRUE(client_.delays.empty());
}

TEST_F(EventSourceTest, FinalStatusesEndItForGood) {
  for (const int status : {201, 206, 300, 304, 400, 401, 404, 410, 500, 501}) {
    ScriptedServer server({answer("HTTP/1.1 " + std::to_string(status) +
                                  " Whatever\r\nContent-Type: text/event-stream\r\n\r\n")});
    EventSourceRecorder client(server.url());
    const auto result = client.run();
    EXPECT_EQ(result.end, End::refused) << status;
    EXPECT_EQ(result.status, status);
    EXPECT_THAT(result.message, HasSubstr(std::to_string(status)));
    EXPECT_THAT(client.reasons, ElementsAre(Reason::refused));
    EXPECT_TRUE(client.delays.empty());
    EXPECT_TRUE(client.opened.empty());
  }
}

TEST_F(EventSourceTest, AnotherContentTypeEndsItForGood) {
  for (const char* field :
       {"Content-Type: text/html\r\n", "Content-Type: text/event-streams\r\n", ""}) {
    ScriptedServer server({answer("HTTP/1.1 200 OK\r\n" + std::string(field) + "\r\ndata: a\n\n")});
    EventSourceRecorder client(server.url());
    const auto result = client.run();
    EXPECT_EQ(result.end, End::refused) << field;
    EXPECT_THAT(result.message, HasSubstr("content type"));
    EXPECT_TRUE(client.events.empty());
  }
}

TEST_F(EventSourceTest, OverloadIsRetriedAndRetryAfterHonoured) {
  serve({answer("HTTP/1.1 503 Busy\r\nRetry-After: 300\r\n\r\n"),
         answer("HTTP/1.1 429 Slow\r\nRetry-After: soon\r\n\r\n"),
         answer("HTTP/1.1 502 Bad\r\n\r\n"), answer("HTTP/1.1 504 Late\r\n\r\n"),
         answer(kStreamHead + "data: a\n\n")});
  EXPECT_EQ(client_.run().end, End::stopped);
  ASSERT_EQ(client_.delays.size(), 4U);
  EXPECT_EQ(client_.delays[0], seconds(300));
  for (std::size_t i = 1; i < 4; ++i) {
    EXPECT_GE(client_.delays[i], seconds(1)) << i;
    EXPECT_LE(client_.delays[i], seconds(24)) << i;
  }
}

TEST_F(EventSourceTest, HonoursRetryAndStartsTheBackoffAgainOnceAConnectionLived) {
  const Script fail = answer("");
  serve({answer(kStreamHead + "retry: 20000\n\n: lives\n"), fail, fail,
         answer(kStreamHead + ": a comment is life\n"), answer(kStreamHead + "retry: 400\n\n"),
         answer(kStreamHead + "data: a\n\n"), answer(kStreamHead + "data: b\n\n")});
  client_.stop_after = 2;
  EXPECT_EQ(client_.run().end, End::stopped);
  ASSERT_EQ(client_.delays.size(), 6U);
  const std::pair<int, int> ranges[] = {{20000, 30000},
                                        {20000, 60000},
                                        {20000, 60000},
                                        {20000, 30000},
                                        {400, 1200},  // its own `retry:`, but no event and no
                                                      // comment: the second failure in a row
                                        {400, 600}};
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_GE(client_.delays[i].count(), ranges[i].first) << i;
    EXPECT_LE(client_.delays[i].count(), ranges[i].second) << i;
  }
}

TEST_F(EventSourceTest, FailuresBackOff) {
  const OwnPort port;
  EventSourceRecorder client(port.url());
  client.create();
  // No connection ever: stop once the cap is reached for long.
  EventSourceCallbacks callbacks;
  std::vector<milliseconds> delays;
  callbacks.on_disconnect = [&](const StreamClosed& closed) {
    EXPECT_EQ(closed.reason, Reason::connection);
    EXPECT_TRUE(closed.will_retry);
    delays.push_back(closed.delay);
    if (delays.size() == 200) client.source->stop();
  };
  client.source = EventSource::create(client.options, std::move(callbacks)).value();
  EXPECT_EQ(client.source->run().end, End::stopped);
  EXPECT_LE(delays.front(), seconds(3));
  const auto longest = *std::ranges::max_element(delays);
  EXPECT_LE(longest, seconds(60));
  EXPECT_GE(longest, seconds(50));
}

TEST_F(EventSourceTest, ASlowHeadTimesOut) {
  serve({[&](Connection& c) {
           c.read_request();
           c.send("HTTP/1.1 200 OK\r\nContent-");
           client_.waiter.advance(seconds(10));
           c.wait_for_close();
         },
         answer(kStreamHead + "data: a\n\n")});
  EXPECT_EQ(client_.run().end, End::stopped);
  EXPECT_THAT(client_.reasons, ElementsAre(Reason::timeout));
}

TEST_F(EventSourceTest, SilenceIsADeadConnectionAndAHeartbeatIsNot) {
  serve({[&](Connection& c) {
           c.read_request();
           auto deadline = client_.waiter.now() + seconds(60);
           c.send(kStreamHead);
           client_.waiter.await_deadline(deadline);
           for (int i = 0; i < 3; ++i) {  // 120 s in all, never 60 in silence
             client_.waiter.advance(seconds(40));
             deadline += seconds(40);
             c.send(": keepalive\n");
             client_.waiter.await_deadline(deadline);
           }
           client_.waiter.advance(seconds(59));
           c.send("data: a\n\n");
           client_.waiter.await_deadline(deadline + seconds(59));
           client_.waiter.advance(seconds(60));
           c.wait_for_close();
         },
         answer(kStreamHead + "data: b\n\n")});
  client_.stop_after = 2;
  EXPECT_EQ(client_.run().end, End::stopped);
  EXPECT_THAT(client_.reasons, ElementsAre(Reason::idle));
  EXPECT_THAT(client_.messages, ElementsAre(HasSubstr("60 s")));
  EXPECT_THAT(client_.events, ElementsAre("message:a", "message:b"));
}

TEST_F(EventSourceTest, IdleTimeoutCanBeOff) {
  serve({[&](Connection& c) {
    c.read_request();
    c.send(kStreamHead);
    client_.waiter.await_deadline(kNever);
    client_.waiter.advance(std::chrono::hours(100));
    c.send("data: a\n\n");
    c.wait_for_close();
  }});
  client_.options.idle_timeout_ms = 0;
  EXPECT_EQ(client_.run().end, End::stopped);
  EXPECT_TRUE(client_.reasons.empty());
}

TEST_F(EventSourceTest, ATooLargeEventIsFinal) {
  serve({answer(kStreamHead + "data: " + std::string(5000, 'x') + "\n\n")});
  client_.options.max_event_bytes = 1000;
  const auto result = client_.run();
  EXPECT_EQ(result.end, End::limit);
  EXPECT_THAT(result.message, HasSubstr("1000 bytes"));
  EXPECT_THAT(client_.reasons, ElementsAre(Reason::limit));
}

TEST_F(EventSourceTest, ATooLongHeadIsRetried) {
  serve({answer("HTTP/1.1 200 OK\r\nX: " + std::string(5000, 'x') + "\r\n"),
         answer(kStreamHead + "data: a\n\n")});
  client_.options.max_head_bytes = 1000;
  EXPECT_EQ(client_.run().end, End::stopped);
  EXPECT_THAT(client_.messages, ElementsAre(HasSubstr("too long")));
}

TEST_F(EventSourceTest, WithoutReconnectTheFirstEndIsTheLast) {
  serve({answer(kStreamHead + "data: a\n\n")});
  client_.options.reconnect = false;
  client_.stop_after = 9;
  const auto result = client_.run();
  EXPECT_EQ(result.end, End::disconnected);
  EXPECT_THAT(result.message, HasSubstr("ended the stream"));
  EXPECT_TRUE(client_.delays.empty());
}

TEST_F(EventSourceTest, ANameThatDoesNotResolveIsRetried) {
  EventSourceRecorder client("http://no-such-host.invalid/");  // RFC 2606: never exists
  client.create();
  EventSourceCallbacks callbacks;
  callbacks.on_disconnect = [&](const StreamClosed& closed) {
    EXPECT_TRUE(closed.will_retry);
    EXPECT_THAT(std::string(closed.message), HasSubstr("cannot resolve no-such-host.invalid"));
    client.source->stop();
  };
  client.source = EventSource::create(client.options, std::move(callbacks)).value();
  EXPECT_EQ(client.source->run().end, End::stopped);
}

}  // namespace
}  // namespace tocsin::net
