// A hub with a webhook, whose back end does whatever it can do wrong.
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/auth/access_keys.h"
#include "proto/limits.h"
#include "tests/net/outbound/server_remote_fixture.h"
#include "tests/net/support/call_server.h"
#include "tests/net/support/test_routes.h"

namespace tocsin::net {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using Connection = ScriptedServer::Connection;

class ServerWebhook : public ServerRemote {};
INSTANTIATE_TEST_SUITE_P(Server, ServerWebhook, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

// Who is who: "Bearer ann" and the cookie of that name may use what begins with ann/.
class BackEndServer {
 public:
  [[nodiscard]] std::string url() const { return server_.url("/may-they"); }
  [[nodiscard]] int requests() const { return server_.requests(); }
  // The last request.
  [[nodiscard]] std::string last() const {
    const MutexLock lock(mutex_);
    return last_;
  }
  // From now on nobody is answered.
  std::atomic<bool> hangs = false;

 private:
  bool answer(Connection& connection, const std::string& asked) {
    {
      const MutexLock lock(mutex_);
      last_ = asked;
    }
    if (hangs) {
      connection.wait_for_close();
      return false;
    }
    for (const std::string name : {"ann", "bob"}) {
      if (!asked.contains("Bearer " + name) && !asked.contains("session=" + name)) continue;
      return connection.send(http_answer(
          200, R"({"subject":")" + name + R"(","publish":[")" + name + R"(/*"],"subscribe":[")" +
                   name + R"(/*"]})"));
    }
    if (asked.contains("Bearer plain")) return connection.send(http_answer(204, ""));
    if (asked.contains("Bearer banned")) {
      return connection.send(http_answer(403, R"({"reason":"you are banned"})"));
    }
    return connection.send(http_answer(401, R"({"reason":"log in first"})"));
  }
  mutable Mutex mutex_;
  std::string last_ TOCSIN_LOCKS(guarded_by(mutex_));
  CallServer server_{[this](Connection& connection, const std::string& asked) {
    return answer(connection, asked);
  }};
};

TEST_P(ServerWebhook, ABackEndSaysWhoMayDoWhat) {
  BackEndServer back_end;
  use_back_end(back_end.url());
  application.routes = {who_route()};
  start_asking();
  TestSubscriber stream = subscribe("/events?topic=ann/1", bearer("ann"));
  EXPECT_THAT(back_end.last(),
              HasSubstr(R"({"action":"subscribe","topics":["ann/1"],"method":"GET",)"
                        R"("path":"/events","address":"127.0.0.1"})"));
  EXPECT_THAT(back_end.last(), HasSubstr("Authorization: Bearer ann\r\n"));
  TestClient client = connect();
  EXPECT_EQ(client.request(post("topic=ann/1", "secret text", bearer("ann"))).status, 204);
  EXPECT_THAT(back_end.last(), HasSubstr(R"({"action":"publish","topics":["ann/1"],)"));
  EXPECT_THAT(back_end.last(), Not(HasSubstr("secret text")));
  EXPECT_THAT(stream.wait_data(1), ElementsAre("secret text"));
  EXPECT_EQ(client.request(post("topic=ann/1", "x", bearer("bob"))).status, 403);
  EXPECT_EQ(connect().request(request("GET /events?topic=bob/1", bearer("ann"))).status, 403);
  EXPECT_EQ(connect().request(request("GET /who", bearer("bob"))).body, "bob");
  EXPECT_THAT(back_end.last(), HasSubstr(R"({"action":"request","topics":[],)"));
  // One whose rights it leaves open has those that were asked for.
  EXPECT_EQ(client.request(post("topic=x", "1", bearer("plain"))).status, 204);
  const std::string json = R"({"stream":"y","data":"1"})";
  EXPECT_EQ(client
                .request(request("POST /publish",
                                 "Content-Type: application/json\r\nContent-Length: 25\r\n" +
                                     bearer("plain")) +
                         json)
                .status,
            403)
      << "its topics are in the body, which nobody has seen";
  EXPECT_THAT(back_end.last(), HasSubstr(R"({"action":"publish","topics":[],)"));
  // A query with more topics than a stream may have is going to be refused: nothing is asked for.
  std::string many = "GET /events?topic=t";
  for (std::size_t i = 0; i < limits::kMaxTopicsPerSubscriber; ++i) many += "&topic=t";
  EXPECT_EQ(connect().request(request(many, bearer("plain"))).status, 400);
  EXPECT_THAT(back_end.last(), HasSubstr(R"({"action":"subscribe","topics":[],)"));
  TestSubscriber query = subscribe("/events?topic=bob/1&token=bob");
  EXPECT_THAT(back_end.last(), HasSubstr("Authorization: Bearer bob\r\n"));
  EXPECT_THAT(back_end.last(), Not(HasSubstr("token=")));
}

TEST_P(ServerWebhook, ItIsToldOfTheClientBehindAProxy) {
  BackEndServer back_end;
  use_back_end(back_end.url());
  const std::string by_proxy = bearer("ann") + "X-Forwarded-For: 192.0.2.7, 203.0.113.9\r\n";
  start_asking();
  TestSubscriber nobodys = subscribe("/events?topic=ann/1", by_proxy);
  EXPECT_THAT(back_end.last(), HasSubstr(R"("address":"127.0.0.1"})")) << "anybody can say that";
  options.trusted_proxies = {"127.0.0.1"};
  reload();
  TestSubscriber trusted = subscribe("/events?topic=ann/2", by_proxy);
  EXPECT_THAT(back_end.last(), HasSubstr(R"("address":"203.0.113.9"})"));
}

TEST_P(ServerWebhook, WhatABackEndRefusesIsRefusedWithItsReason) {
  BackEndServer back_end;
  use_back_end(back_end.url());
  start_asking();
  const TestResponse unknown =
      connect().request(request("GET /events?topic=a", bearer("nobody")));
  EXPECT_EQ(unknown.status, 401);
  EXPECT_THAT(unknown.body, HasSubstr("log in first"));
  EXPECT_THAT(unknown.header("WWW-Authenticate"), HasSubstr("error_description=\"log in first\""));
  const TestResponse banned = connect().request(request("GET /events?topic=a", bearer("banned")));
  EXPECT_EQ(banned.status, 403);
  EXPECT_THAT(banned.body, HasSubstr("you are banned"));
  EXPECT_EQ(denials(DenialCause::refused), 1U);
  const int asked = back_end.requests();
  // Nobody is asked about what the hub knows, and whoever shows nothing.
  EXPECT_EQ(connect().request(request("GET /events?topic=a")).status, 401);
  EXPECT_EQ(connect().request(request("GET /events?topic=a",
                                      bearer(std::string(make_access_key().view()))))
                .status,
            401);
  EXPECT_EQ(connect().request(request("GET /events?topic=a&sig=x")).status, 401);
  EXPECT_EQ(connect()
                .request(request("GET /events?topic=a", bearer("ann") + "Cookie: session=x\r\n"))
                .status,
            403)
      << "it is asked, and says what ann may";
  EXPECT_EQ(back_end.requests(), asked + 1);
}

TEST_P(ServerWebhook, ACookieCountsFromOwnPages) {
  BackEndServer back_end;
  use_back_end(back_end.url());
  start_asking();
  const std::string cookie = "Cookie: lang=en; session=ann\r\n";
  TestSubscriber stream = subscribe("/events?topic=ann/1", cookie);
  const int asked = back_end.requests();
  for (const char* origin : {"", "Origin: https://evil.example\r\n", "Origin: null\r\n"}) {
    const TestResponse foreign =
        connect().request(post("topic=ann/1", "x", cookie + origin));
    EXPECT_EQ(foreign.status, 403) << origin;
  }
  EXPECT_EQ(back_end.requests(), asked) << "it is not asked";
  EXPECT_EQ(connect()
                .request("POST /publish?topic=ann/1 HTTP/1.1\r\nHost: hub.example\r\n" + cookie +
                         "Origin: http://hub.example\r\nContent-Length: 2\r\n\r\nhi")
                .status,
            204);
  EXPECT_THAT(stream.wait_data(1), ElementsAre("hi"));
}

// Whatever the back end does, the hub goes on.
TEST_P(ServerWebhook, ShardsGoOnWhileABackEndHangs) {
  BackEndServer back_end;
  back_end.hangs = true;
  use_back_end(back_end.url());
  start_asking();
  std::vector<std::unique_ptr<TestSubscriber>> readers;
  for (int i = 0; i < 8; ++i) {
    readers.push_back(std::make_unique<TestSubscriber>(address(), "/events?topic=a", bearer(key)));
  }
  std::vector<TestClient> waiting;
  for (int i = 0; i < 200; ++i) {
    waiting.push_back(connect());
    waiting.back().send(
        request("GET /events?topic=ann/1", bearer("ann" + std::to_string(i))));
  }
  ASSERT_TRUE(eventually([&] { return back_end.requests() == 16; }));
  TestClient publisher = connect();
  constexpr std::size_t kEvents = 100;
  for (std::size_t i = 0; i < kEvents; ++i) {
    ASSERT_EQ(publisher.request(post("topic=a", std::to_string(i), bearer(key))).status, 204);
  }
  for (const auto& reader : readers) EXPECT_EQ(reader->wait_data(kEvents).back(), "99");
  EXPECT_EQ(get("/healthz").status, 200);
  for (TestClient& client : waiting) EXPECT_EQ(client.unread(), "");
  // One leaves, and pipelines before that.
  waiting[0].reset();
  waiting.erase(waiting.begin());
  waiting[0].send(request("GET /healthz"));
  waiter.advance(milliseconds(plan.back_end->timeout_ms));
  for (TestClient& client : waiting) {
    const TestResponse refused = client.response();
    EXPECT_EQ(refused.status, 503);
    EXPECT_NE(refused.header("Retry-After"), "");
  }
  EXPECT_EQ(waiting[0].response().status, 200);
  EXPECT_EQ(back_end.requests(), 16);
  EXPECT_EQ(metric("tocsin_webhook_calls_total{outcome=\"timed_out\"}"), 200);
  back_end.hangs = false;
  TestSubscriber again = subscribe("/events?topic=ann/1", bearer("ann"));
}

TEST_P(ServerWebhook, WhomABackEndHasLetInGoesWithIt) {
  BackEndServer back_end;
  use_back_end(back_end.url());
  plan.authority.anonymous = selectors({"news"});
  start_asking();
  TestSubscriber theirs = subscribe("/events?topic=ann/1", bearer("ann"));
  TestSubscriber others = subscribe("/events?topic=news");
  reload();
  EXPECT_EQ(connect().request(post("topic=ann/1", "one", bearer(key))).status, 204);
  EXPECT_THAT(theirs.wait_data(1), ElementsAre("one")) << "the same configuration";
  plan.back_end.reset();
  plan.access.passed_fields.clear();
  reload();
  theirs.wait_end();
  EXPECT_EQ(theirs.events().back().data, R"({"reason":"revoked"})");
  EXPECT_EQ(connect().request(post("topic=news", "still", bearer(key))).status, 204);
  EXPECT_THAT(others.wait_data(1), ElementsAre("still"));
  EXPECT_EQ(connect().request(request("GET /events?topic=ann/1", bearer("ann"))).status, 401);
}

TEST_P(ServerWebhook, WhoWaitsAtTheEndIsToldSo) {
  BackEndServer back_end;
  back_end.hangs = true;
  use_back_end(back_end.url());
  start_asking();
  TestClient client = connect();
  client.send(request("GET /events?topic=ann/1", bearer("ann")));
  ASSERT_TRUE(eventually([&] { return back_end.requests() == 1; }));
  outbound->stop();
  EXPECT_EQ(client.response().status, 503);
}

}  // namespace
}  // namespace tocsin::net
