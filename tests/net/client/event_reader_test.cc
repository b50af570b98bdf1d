#include "net/client/event_reader.h"

#include <future>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/limits.h"
#include "tests/net/support/event_client_log.h"
#include "tests/net/support/event_source_recorder.h"
#include "tests/net/support/fake_waiter.h"
#include "tests/net/support/scripted_server.h"
#include "tests/net/support/tls_server.h"

namespace tocsin::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Connection = ScriptedServer::Connection;
using End = EventSourceResult::End;

std::string numbered(int number) {
  return "id: " + std::to_string(number) + "\ndata: " + std::to_string(number) + "\n\n";
}

// The data of events until there is none, then why.
std::vector<std::string> take_all(EventReader& reader) {
  std::vector<std::string> data;
  while (true) {
    auto event = reader.next();
    if (event) {
      data.push_back(std::move(event->data));
      continue;
    }
    data.emplace_back(event.error() == NoEvent::over ? "over" : "not over");
    return data;
  }
}

TEST(EventReader, GivesEventsOneByOne) {
  ScriptedServer server({answer(kStreamHead + "retry: 1\nid: 0\n\n" + "data: a\n\n" +
                                "event: tick\ndata: b\ndata: c\nid: 7\n\nid: 9\n\n"),
                         answer("HTTP/1.1 204 No Content\r\n\r\n")});
  auto reader = EventReader::create(quick(server.url())).value();
  EXPECT_EQ(reader->last_event_id(), "");
  const auto first = reader->next().value();
  EXPECT_EQ(first.type, "message");
  EXPECT_EQ(first.data, "a");
  EXPECT_EQ(first.last_event_id, "0");
  // The rest has come as well, but was not given.
  EXPECT_EQ(reader->last_event_id(), "0");
  const auto second = reader->next().value();
  EXPECT_EQ(second.type, "tick");
  EXPECT_EQ(second.data, "b\nc");
  EXPECT_EQ(second.last_event_id, "7");
  EXPECT_EQ(reader->last_event_id(), "9");
  EXPECT_EQ(reader->next().error(), NoEvent::over);
  EXPECT_EQ(reader->next(milliseconds(0)).error(), NoEvent::over);
  EXPECT_EQ(reader->result().end, End::no_content);
  EXPECT_EQ(reader->result().status, 204);
}

TEST(EventReader, ComesBackAndResumes) {
  std::string request;
  ScriptedServer server({answer(kStreamHead + numbered(1) + numbered(2)),
                         [&](Connection& c) {
                           request = c.read_request();
                           c.send(kStreamHead + numbered(3));
                         },
                         answer("HTTP/1.1 404 Not Found\r\n\r\n")});
  EventLog log;
  auto callbacks = logging(log);
  callbacks.on_event = nullptr;
  auto reader = EventReader::create(quick(server.url()), std::move(callbacks)).value();
  EXPECT_THAT(take_all(*reader), ElementsAre("1", "2", "3", "over"));
  EXPECT_THAT(request, HasSubstr("\r\nLast-Event-ID: 2\r\n"));
  EXPECT_THAT(log.wait_for(6), ElementsAre("open", "lost", "open", "lost", "closed", "end 404"));
  EXPECT_EQ(reader->result().end, End::refused);
}

TEST(EventReader, SaysWhichOptionIsWrong) {
  const auto reader = EventReader::create({.url = "ftp://nowhere"});
  ASSERT_FALSE(reader);
  EXPECT_THAT(reader.error(), HasSubstr("only http and https"));
}

TEST(EventReader, TimesOutAndGoesOn) {
  FakeWaiter waiter(FakeWaiter::Sleeps::stand);
  std::promise<void> go;
  ScriptedServer server({[&](Connection& c) {
    c.read_request();
    c.send(kStreamHead);
    go.get_future().wait();
    c.send("data: a\n\n");
    c.wait_for_close();
  }});
  auto options = quick(server.url());
  options.waiter = &waiter;
  auto reader = EventReader::create(options).value();
  const TimePoint begin = waiter.now();
  auto asked = std::async(std::launch::async, [&] { return reader->next(seconds(5)); });
  waiter.await_deadline(begin + seconds(5));
  waiter.advance(seconds(5));
  EXPECT_EQ(asked.get().error(), NoEvent::timeout);
  go.set_value();
  EXPECT_EQ(reader->next().value().data, "a");
}

TEST(EventReader, GetsOnWithoutWaiting) {
  ScriptedServer server({[&](Connection& c) {
    c.read_request();
    c.send(kStreamHead + "data: a\n\n");
    c.wait_for_close();
  }});
  auto reader = EventReader::create(quick(server.url())).value();
  std::string data;
  while (data.empty()) {
    auto event = reader->next(milliseconds(0));
    if (event) data = event->data;
  }
  EXPECT_EQ(data, "a");
  EXPECT_EQ(reader->next(milliseconds(-1)).error(), NoEvent::timeout);
}

TEST(EventReader, AnyTimeoutIsATimeout) {
  ScriptedServer server({answer(kStreamHead + "data: a\n\n")});
  auto reader = EventReader::create(quick(server.url())).value();
  EXPECT_EQ(reader->next(milliseconds::max()).value().data, "a");
}

TEST(EventReader, StopsFromAnotherThreadAndKeepsItsPlace) {
  std::promise<void> asked_again;
  ScriptedServer server({[&](Connection& c) {
    c.read_request();
    c.send(kStreamHead + numbered(1) + numbered(2) + numbered(3));
    c.wait_for_close();
  }});
  auto reader = EventReader::create(quick(server.url())).value();
  for (int i = 1; i <= 3; ++i) EXPECT_EQ(reader->next().value().data, std::to_string(i));
  auto waiting = std::async(std::launch::async, [&] {
    asked_again.set_value();
    return reader->next();
  });
  asked_again.get_future().wait();
  reader->stop();
  EXPECT_EQ(waiting.get().error(), NoEvent::stopped);
  EXPECT_EQ(reader->result().end, End::stopped);
  EXPECT_EQ(reader->last_event_id(), "3");
}

TEST(EventReader, AStopLeavesWhatWasNotGivenToTheNextReader) {
  std::string request;
  ScriptedServer server({[&](Connection& c) {
                           c.read_request();
                           c.send(kStreamHead + numbered(1) + numbered(2));
                           c.wait_for_close();
                         },
                         [&](Connection& c) {
                           request = c.read_request();
                           c.send(kStreamHead + numbered(2));
                           c.wait_for_close();
                         }});
  auto options = quick(server.url());
  {
    auto reader = EventReader::create(options).value();
    EXPECT_EQ(reader->next().value().data, "1");
    reader->stop();
    EXPECT_EQ(reader->next().error(), NoEvent::stopped);
    options.last_event_id = reader->last_event_id();
  }
  auto reader = EventReader::create(options).value();
  EXPECT_EQ(reader->next().value().data, "2");
  EXPECT_THAT(request, HasSubstr("\r\nLast-Event-ID: 1\r\n"));
}

// The bound and the policy: a server that sends without end has to wait for the program.
TEST(EventReader, AServerWaitsForAProgramThatTakesNothing) {
  std::promise<int> held_up;
  ScriptedServer server({[&](Connection& c) {
    c.read_request();
    c.send(kStreamHead);
    const std::string comment = ": " + std::string(1000, '.') + "\n";
    int next = 0;
    while (!c.is_full()) c.send(comment + numbered(next++));
    held_up.set_value(next);
    while (c.send(comment + numbered(next++))) {
    }
  }});
  auto reader = EventReader::create(quick(server.url())).value();
  EXPECT_EQ(reader->next().value().data, "0");
  // What it holds of them is less than what it read at once.
  const int sent = held_up.get_future().get();
  for (int i = 1; i < sent + 1000; ++i) {
    ASSERT_EQ(reader->next().value().data, std::to_string(i));
  }
}

TEST(EventReader, OneReadIsItsBound) {
  const std::string event = numbered(1000);
  const std::size_t bound = limits::kReaderBuffer / event.size() + 1;
  std::promise<void> arrived;
  ScriptedServer server({[&](Connection& c) {
    c.read_request();
    std::string burst = kStreamHead;
    for (std::size_t i = 0; i < 4 * bound; ++i) burst += event;
    c.send(burst);
    arrived.set_value();
    c.wait_for_close();
  }});
  auto reader = EventReader::create(quick(server.url())).value();
  (void)reader->next().value();
  arrived.get_future().wait();
  std::size_t most = 0;
  for (std::size_t taken = 1; taken < 4 * bound; ++taken) {
    ASSERT_TRUE(reader->next());
    ASSERT_LE(reader->pending(), bound);
    most = std::max(most, reader->pending());
  }
  EXPECT_GT(most, bound / 2);  // in bursts, not one by one
}

TEST(EventReader, OverTls) {
  const TestAuthority authority;
  ScriptedServer server({[&](Connection& c) {
                          c.read_request();
                          std::string events;
                          for (int i = 0; i < 2000; ++i) events += numbered(i);
                          c.send(kStreamHead + events);
                          c.wait_for_close();
                        }},
                        AF_INET, tls_wire(authority.issue("IP:127.0.0.1")));
  auto options = quick(server.url());
  options.tls = TlsContext::create({.ca_file = authority.ca_file()}).value();
  auto reader = EventReader::create(options).value();
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(reader->next().value().data, std::to_string(i));
}

}  // namespace
}  // namespace tocsin::net
