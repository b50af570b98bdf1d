// EventClient and names: look-ups are made by hand here.
#include <future>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/client/event_client.h"
#include "tests/net/support/event_client_log.h"
#include "tests/net/support/fake_waiter.h"
#include "tests/net/support/scripted_server.h"

namespace tocsin::net {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Connection = ScriptedServer::Connection;

class Names {
 public:
  LookUpResult operator()(const std::string& host, std::uint16_t port) {
    asked.add(host);
    if (host == "slow") released.wait();
    if (host == "none") {
      return std::unexpected(SocketError{SocketError::Kind::resolve, "no such name"});
    }
    return *parse_literal("127.0.0.1", host == "slow" && trap != 0 ? trap : port);
  }

  EventLog asked;
  std::uint16_t trap = 0;  // the port of the slow one; 0: as asked for
  std::promise<void> slow;
  std::shared_future<void> released = slow.get_future().share();
};

TEST(EventClientNames, ANameThatIsLookedUpHoldsNobodyUp) {
  Names names;
  ScriptedServer server({answer(kStreamHead + "data: a\n\n")});
  ScriptedServer other({endless("data: b\n\n")});
  const auto at = [](const std::string& host, const ScriptedServer& s) {
    return "http://" + host + ":" + std::to_string(s.port());
  };
  EventLog slow;
  EventLog quick_one;
  auto client = EventClient::create({.look_up = [&](auto& host, auto port) {
                  return names(host, port);
                }}).value();
  (void)client->subscribe(quick(at("slow", server)), logging(slow)).value();
  EXPECT_THAT(names.asked.wait_for(1), ElementsAre("slow"));
  (void)client->subscribe(quick(other.url()), logging(quick_one)).value();
  quick_one.wait_for(100);
  names.slow.set_value();
  EXPECT_EQ(slow.wait_for(2).at(1), "a");

  EventLog none;
  auto options = quick(at("none", server));
  options.reconnect = false;
  (void)client->subscribe(std::move(options), logging(none)).value();
  EXPECT_THAT(none.wait_for(2), ElementsAre("closed", "end 0"));
}

TEST(EventClientNames, GoesDuringALookUp) {
  Names names;
  auto client = EventClient::create({.look_up = [&](auto& host, auto port) {
                  return names(host, port);
                }}).value();
  (void)client->subscribe(quick("http://slow:1/"), {}).value();
  EXPECT_THAT(names.asked.wait_for(1), ElementsAre("slow"));
  auto gone = std::async(std::launch::async, [&] { client.reset(); });
  names.slow.set_value();
  gone.get();
}

// A redirect leads to a name whose look-up takes too long; its late answer must not be taken for
// that of the next attempt, which asks for the first name again.
TEST(EventClientNames, ALateAnswerIsNotTakenForAnotherName) {
  FakeWaiter waiter(FakeWaiter::Sleeps::stand);
  Names names;
  const ScriptedServer trap({[](Connection&) { ADD_FAILURE() << "connected to the other name"; }});
  names.trap = static_cast<std::uint16_t>(trap.port());
  ScriptedServer server({[&](Connection& c) {
                           c.read_request();
                           c.send("HTTP/1.1 307 Moved\r\nLocation: http://slow:" +
                                  std::to_string(server.port()) + "/\r\n\r\n");
                         },
                         [](Connection& c) {
                           EXPECT_THAT(c.read_request(), HasSubstr("Host: first:"));
                           c.send(kStreamHead + "data: a\n\n");
                           c.wait_for_close();
                         }});
  EventLog log;
  EventSourceCallbacks callbacks = logging(log);
  auto client =
      EventClient::create(
          {.waiter = &waiter, .look_up = [&](auto& host, auto port) { return names(host, port); }})
          .value();
  (void)client->subscribe(quick("http://first:" + std::to_string(server.port())),
                          std::move(callbacks));
  EXPECT_THAT(names.asked.wait_for(2), ElementsAre("first", "slow"));
  waiter.await_deadline(waiter.now() + seconds(10));
  waiter.advance(seconds(10));
  EXPECT_THAT(log.wait_for(1), ElementsAre("lost"));
  waiter.advance(seconds(1));  // the pause is over: "first" is wanted again
  waiter.await_deadline(waiter.now() + seconds(10));
  names.slow.set_value();
  EXPECT_THAT(log.wait_for(3), ElementsAre("lost", "open", "a"));
  EXPECT_THAT(names.asked.wait_for(3), ElementsAre("first", "slow", "first"));
}

}  // namespace
}  // namespace tocsin::net
