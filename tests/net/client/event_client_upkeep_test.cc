// What the loop of EventClient keeps, lets go of and wakes up for.
#include <poll.h>
#include <signal.h>

#include <future>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/client/event_client.h"
#include "tests/net/support/event_client_log.h"
#include "tests/net/support/fake_waiter.h"
#include "tests/net/support/full_listener.h"
#include "tests/net/support/scripted_server.h"
#include "tests/net/support/test_client.h"

namespace tocsin::net {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using Connection = ScriptedServer::Connection;

TEST(EventClientUpkeep, UnsubscribingClosesTheConnectionAtOnce) {
  FakeWaiter waiter(FakeWaiter::Sleeps::stand);
  const TimePoint begin = waiter.now();
  std::promise<void> closed;
  ScriptedServer server({[&](Connection& c) {
    c.read_request();
    waiter.advance(seconds(1));  // tells the deadline after the head from the one before
    c.send(kStreamHead);
    c.wait_for_close();
    closed.set_value();
  }});
  EventLog log;
  auto client = EventClient::create({.waiter = &waiter}).value();
  auto options = quick(server.url());
  options.idle_timeout_ms = 5'000;
  const auto handle = client->subscribe(std::move(options), logging(log)).value();
  EXPECT_THAT(log.wait_for(1), ElementsAre("open"));
  waiter.await_deadline(begin + seconds(6));  // nothing else would wake it now
  EXPECT_TRUE(client->unsubscribe(handle));
  EXPECT_EQ(closed.get_future().wait_for(seconds(30)), std::future_status::ready);
}

TEST(EventClientUpkeep, AStreamThatIsOverLetsGoOfItsCallbacks) {
  ScriptedServer server({answer("HTTP/1.1 204 No Content\r\n\r\n")});
  EventLog log;
  auto client = EventClient::create().value();
  auto token = std::make_shared<int>(0);
  const std::weak_ptr<int> held = token;
  EventSourceCallbacks callbacks = logging(log);
  callbacks.on_event = [token = std::move(token)](const proto::ReceivedEvent&) {};
  (void)client->subscribe(quick(server.url()), std::move(callbacks)).value();
  EXPECT_THAT(log.wait_for(2), ElementsAre("closed", "end 204"));
  EXPECT_TRUE(eventually([&] { return held.expired(); }));
}

// A request that does not fit the socket's buffers is waited for, a stream that is quiet is not.
TEST(EventClientUpkeep, AQuietStreamCostsNoTurns) {
  FakeWaiter waiter(FakeWaiter::Sleeps::stand);
  const TimePoint begin = waiter.now();
  ScriptedServer server({[&](Connection& c) {
    c.read_request();
    waiter.advance(seconds(1));  // tells the deadline after the head from the one before
    c.send(kStreamHead);
    c.wait_for_close();
  }});
  EventLog log;
  auto client = EventClient::create({.waiter = &waiter}).value();
  auto options = quick(server.url());
  options.method = "POST";
  options.body = std::string(std::size_t{8} * 1024 * 1024, 'x');
  options.idle_timeout_ms = 5'000;
  (void)client->subscribe(std::move(options), logging(log)).value();
  EXPECT_THAT(log.wait_for(1), ElementsAre("open"));
  waiter.await_deadline(begin + seconds(6));
  const std::uint64_t turns = waiter.turns();
  poll(nullptr, 0, 50);  // who spins has had thousands by then
  EXPECT_EQ(waiter.turns(), turns);
}

TEST(EventClientUpkeep, ItsThreadTakesNoSignals) {
  ScriptedServer server({answer(kStreamHead)});
  auto client = EventClient::create().value();
  std::promise<sigset_t> blocked;
  EventSourceCallbacks callbacks;
  callbacks.on_open = [&](const StreamOpened&) {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    blocked.set_value(mask);
  };
  auto options = quick(server.url());
  options.reconnect = false;
  (void)client->subscribe(std::move(options), std::move(callbacks)).value();
  const sigset_t mask = blocked.get_future().get();
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGALRM}) {
    EXPECT_EQ(sigismember(&mask, signal), 1) << signal;
  }
}

// The second address is tried with a socket of the same number, in the same step.
TEST(EventClientUpkeep, ASocketIsNotTakenForTheOneBefore) {
  FakeWaiter waiter(FakeWaiter::Sleeps::stand);
  const TimePoint begin = waiter.now();
  ScriptedServer server({answer(kStreamHead + "data: a\n\n")});
  const FullListener full;
  EventLog log;
  auto client = EventClient::create({.waiter = &waiter,
                                     .look_up = [&](auto&, auto port) -> LookUpResult {
                                       Addresses both = *parse_literal("127.0.0.1", port);
                                       both.insert(both.begin(), full.where());
                                       return both;
                                     }})
                    .value();
  const std::string url = "http://name:" + std::to_string(server.port()) + "/";
  (void)client->subscribe(quick(url), logging(log)).value();
  waiter.await_deadline(begin + seconds(5));  // half of the ten for both
  waiter.advance(seconds(5));
  EXPECT_EQ(log.wait_for(2).at(1), "a");
}

}  // namespace
}  // namespace tocsin::net
