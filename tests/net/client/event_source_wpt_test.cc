// web-platform-tests' directory eventsource/ as a list of rules, and those of them that no other
// test here covers. What is about the DOM (interfaces, constructors of several windows, event
// targets, readable streams, bfcache, CORS) has no counterpart in this client.
//
//   event-data, event-data-order                  SseParserTest.Data, .MixedLineEnds
//   eventsource-close, -request-cancellation      EventSourceTest.StopFromAnotherThreadWakes...,
//                                                 .StopBeforeRunIsNotLost; StopsWhileConnecting
//                                                 here
//   eventsource-constructor-empty-url, -url-bogus EventSourceTest.SaysWhichOptionIsWrong; UrlTest
//   eventsource-onopen, -onmessage                EventSourceTest.DeliversEventsAndStops
//   eventsource-reconnect                         EventSourceTest.ResumesBehindTheLastIdAfter...,
//                                                 .HonoursRetryAndStartsTheBackoffAgain...
//   eventsource-url                               EventSourceTest.SendsAProperRequest
//   format-bom, format-bom-2                      SseParserTest.LeadingByteOrderMarkIsStrippedOnce
//   format-comments                               SseParserTest.Comments
//   format-data-before-final-empty-line           SseParserTest.IncompleteBlockIsNoEvent
//   format-field-data, -field-parsing, -unknown   SseParserTest.DataWithoutColonOrValue,
//                                                 .FieldNamesAreExact
//   format-field-event, -event-empty              SseParserTest.EventType,
//                                                 .EventTypeIsForgottenByABlockWithoutData
//   format-field-id, -id-2, -id-3, -id-null       SseParserTest.Ids, .EmptyIdResets,
//                                                 .IdWithNulIsIgnored; IdsAreSentBack,
//                                                 TheIdOutlivesFailuresAndRedirects here
//   format-field-retry, -retry-bogus, -empty      SseParserTest.Retry, .BogusRetryIsIgnored;
//                                                 RetryFromZeroToLarge here
//   format-leading-space                          SseParserTest.OneLeadingSpaceIsStripped
//   format-mime-bogus, -valid-bogus,
//     -trailing-semicolon                         ContentTypes here
//   format-newlines                               SseParserTest: each test with every line end
//   format-null-character, format-utf-8           SseParserTest.Utf8AndNulPassThrough;
//                                                 ContentTypes here (charset is ignored)
//   request-accept, request-cache-control         EventSourceTest.SendsAProperRequest
//   request-credentials                           FollowsRedirectsWithoutCarryingCredentialsAway,
//                                                 CredentialsDoNotComeBackFromAnotherOrigin
//   request-post-to-connect                       EventSourceRequest.*
//   request-redirect                              Redirects here
//   request-status-error                          Statuses, NoContentAndOtherTypesEndAStream...
//                                                 here
#include <sys/socket.h>

#include <future>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/client/event_source.h"
#include "proto/text/ascii.h"
#include "tests/net/support/event_source_recorder.h"
#include "tests/net/support/full_listener.h"
#include "tests/net/support/scripted_server.h"

namespace tocsin::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class EventSourceWpt : public EventSourceTest {};

TEST_F(EventSourceWpt, ContentTypes) {
  const auto run = [](const std::string& type) {
    ScriptedServer server(
        {answer("HTTP/1.1 200 OK\r\nContent-Type: " + type + "\r\n\r\ndata: \xe2\x80\xa6\n\n")});
    EventSourceRecorder client(server.url());
    client.options.reconnect = false;
    const auto end = client.run().end;
    for (const std::string& event : client.events) EXPECT_EQ(event, "message:\xe2\x80\xa6");
    return end;
  };
  for (const char* good :
       {"text/event-stream", "text/event-stream;", "text/event-stream; ", "TEXT/Event-Stream",
        "text/event-stream;charset=utf-8", "text/event-stream;charset=windows-1252",
        "text/event-stream ; charset=x", "text/event-stream;unknown"}) {
    EXPECT_EQ(run(good), End::stopped) << good;
  }
  for (const char* bogus : {"x bogus", "text/x-bogus", "text/event-stream-x", "text/event",
                            "text/event-stream,text/html", "text/event stream", ";", ""}) {
    EXPECT_EQ(run(bogus), End::refused) << bogus;
  }
}

// A browser decodes; this client asks for plain bytes, and says so if that was not heeded.
TEST_F(EventSourceWpt, ContentCodings) {
  for (const char* coding : {"identity", "Identity", "gzip", "br, gzip"}) {
    ScriptedServer server(
        {answer("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: " +
                std::string(coding) + "\r\n\r\ndata: a\n\n")});
    EventSourceRecorder client(server.url());
    const auto result = client.run();
    if (proto::to_lower(coding) == "identity") {
      EXPECT_EQ(result.end, End::stopped) << coding;
    } else {
      EXPECT_EQ(result.end, End::refused) << coding;
      EXPECT_THAT(result.message, HasSubstr(coding));
    }
  }
}

// 503 differs: a browser gives up, a service comes back (net/client/event_source.h).
TEST_F(EventSourceWpt, Statuses) {
  for (const int status : {204, 205, 210, 299, 404, 410, 503}) {
    ScriptedServer server({answer("HTTP/1.1 " + std::to_string(status) +
                                  " X\r\nContent-Type: text/event-stream\r\n\r\ndata: no\n\n"),
                           answer(kStreamHead + "data: a\n\n")});
    EventSourceRecorder client(server.url());
    const auto end = client.run().end;
    EXPECT_EQ(end, status == 204   ? End::no_content
                   : status == 503 ? End::stopped
                                   : End::refused)
        << status;
    EXPECT_EQ(server.connections(), status == 503 ? 2 : 1);
  }
}

TEST_F(EventSourceWpt, Redirects) {
  for (const int status : {301, 302, 303, 307, 308}) {
    ScriptedServer server(
        {answer("HTTP/1.1 " + std::to_string(status) + " X\r\nLocation: /there\r\n\r\n"),
         answer(kStreamHead + "data: a\n\n")});
    EventSourceRecorder client(server.url());
    EXPECT_EQ(client.run().end, End::stopped) << status;
    EXPECT_THAT(client.opened, ElementsAre(server.url("/there")));
  }
}

// The id is the stream's, whatever happens between two connections and wherever they lead.
TEST_F(EventSourceWpt, TheIdOutlivesFailuresAndRedirects) {
  serve({record(kStreamHead + "id: 7\n\n"),             // an id without an event
         record(kStreamHead + ": a comment, no id\n"),  // and a stream without one
         record("HTTP/1.1 503 Busy\r\n\r\n"), record("nonsense\r\n\r\n"),
         record("HTTP/1.1 307 Moved\r\nLocation: /there\r\n\r\n"),
         record(kStreamHead + "id: 8\ndata: a"),  // never ended: not told, no id
         record(kStreamHead + "data: b\n\n")});
  EXPECT_EQ(client_.run().end, End::stopped);
  EXPECT_EQ(client_.resume_at, "7");
  ASSERT_EQ(requests_.size(), 7U);
  EXPECT_THAT(requests_[0], Not(HasSubstr("Last-Event-ID")));
  for (std::size_t i = 1; i < requests_.size(); ++i) {
    EXPECT_THAT(requests_[i], HasSubstr("\r\nLast-Event-ID: 7\r\n")) << i;
  }
  EXPECT_THAT(client_.events, ElementsAre("message:b"));
}

// Once a stream was open as before it ever was.
TEST_F(EventSourceWpt, NoContentAndOtherTypesEndAStreamThatWasOpen) {
  for (const char* last : {"HTTP/1.1 204 No Content\r\n\r\n",
                           "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>"}) {
    ScriptedServer server({answer(kStreamHead + "data: a\n\n"), answer(last)});
    EventSourceRecorder client(server.url());
    client.stop_after = 2;
    EXPECT_NE(client.run().end, End::stopped) << last;
    EXPECT_EQ(server.connections(), 2);
    EXPECT_THAT(client.reasons, ElementsAre(Reason::end_of_stream, Reason::refused));
  }
}

TEST_F(EventSourceWpt, IdsAreSentBack) {
  using namespace std::string_literals;
  serve({record(kStreamHead + "id: \xe2\x80\xa6\ndata: a\n\n"),
         record(kStreamHead + "id: 1\0002\ndata: b\n\n"s), record(kStreamHead + "id\ndata: c\n\n"),
         record(kStreamHead + "data: d\n\n")});
  client_.stop_after = 4;
  EXPECT_EQ(client_.run().end, End::stopped);
  ASSERT_EQ(requests_.size(), 4U);
  EXPECT_THAT(requests_[0], Not(HasSubstr("Last-Event-ID")));
  EXPECT_THAT(requests_[1], HasSubstr("\r\nLast-Event-ID: \xe2\x80\xa6\r\n"));
  EXPECT_THAT(requests_[2], HasSubstr("\r\nLast-Event-ID: \xe2\x80\xa6\r\n"));
  EXPECT_THAT(requests_[3], Not(HasSubstr("Last-Event-ID")));
}

TEST_F(EventSourceWpt, RetryFromZeroToLarge) {
  serve({answer(kStreamHead + "retry: 0\ndata: a\n\n"),
         answer(kStreamHead + "retry: 3000000000\ndata: b\n\n"),
         answer(kStreamHead + "retry: bogus\nretry\nretry: -1\ndata: c\n\n"),
         answer(kStreamHead + "retry:500\ndata: d\n\n"), answer(kStreamHead + "data: e\n\n")});
  client_.stop_after = 5;
  EXPECT_EQ(client_.run().end, End::stopped);
  ASSERT_EQ(client_.delays.size(), 4U);
  EXPECT_GE(client_.delays[0], milliseconds(100));  // the floor of the policy
  EXPECT_LE(client_.delays[0], milliseconds(150));
  for (const std::size_t i :
       {1U, 2U}) {  // 35 days, beyond the policy's cap; bogus ones change nothing
    EXPECT_GE(client_.delays[i].count(), 3'000'000'000) << i;
    EXPECT_LE(client_.delays[i].count(), 4'500'000'000) << i;
  }
  EXPECT_GE(client_.delays[3], milliseconds(500));
  EXPECT_LE(client_.delays[3], milliseconds(750));
}

TEST_F(EventSourceWpt, StopsWhileConnecting) {
  const FullListener server;
  EventSourceRecorder client(server.url());
  const auto deadline = client.waiter.now() + seconds(10);
  client.create();
  auto result = std::async(std::launch::async, [&] { return client.source->run(); });
  client.waiter.await_deadline(deadline);
  client.source->stop();
  EXPECT_EQ(result.get().end, End::stopped);
  EXPECT_TRUE(client.reasons.empty());
}

TEST_F(EventSourceWpt, AConnectionThatIsNeverMadeTimesOut) {
  const FullListener server;
  EventSourceRecorder client(server.url());
  client.options.reconnect = false;
  const auto deadline = client.waiter.now() + seconds(10);
  auto result = std::async(std::launch::async, [&] { return client.run(); });
  client.waiter.await_deadline(deadline);
  client.waiter.advance(seconds(10));
  EXPECT_EQ(result.get().end, End::disconnected);
  EXPECT_THAT(client.reasons, ElementsAre(Reason::timeout));
}

// A stream that is cut inside of a chunk, or before its length, is no end but a failure.
TEST_F(EventSourceWpt, ACutStreamIsTold) {
  const std::string fields = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
  serve({answer(fields + "Transfer-Encoding: chunked\r\n\r\nff\r\ndata: a\n\n"),
         answer(fields + "Content-Length: 100\r\n\r\ndata: b\n\n"),
         answer(kStreamHead + "data: c\n\n")});
  client_.stop_after = 3;
  EXPECT_EQ(client_.run().end, End::stopped);
  EXPECT_THAT(client_.events, ElementsAre("message:a", "message:b", "message:c"));
  EXPECT_THAT(client_.reasons, ElementsAre(Reason::connection, Reason::connection));
}

}  // namespace
}  // namespace tocsin::net
