// Subjects that are revoked: what they are told, what ends, what stays, and who races with it.
#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/base/clock.h"
#include "tests/net/support/test_routes.h"
#include "tests/net/whole_server/admin/admin_fixture.h"

namespace tocsin::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ServerRevoke : public AdminTest {
 protected:
  static std::string order_for(const std::string& subject, std::int64_t from_now_s) {
    return fmt::format("{{\"subject\":\"{}\",\"until\":{}}}", subject,
                       SteadyClock{}.unix_s() + from_now_s);
  }
  std::string revoke(const std::string& subject, std::int64_t from_now_s = 3600) const {
    return ended_by("/admin/revoke", order_for(subject, from_now_s));
  }
  [[nodiscard]] TestResponse read_as(const std::string& subject) const {
    return connect().request(http("GET /events?topic=a&hello=1", bearer(token_of(subject))));
  }
};
INSTANTIATE_TEST_SUITE_P(Server, ServerRevoke, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerRevoke, ItsStreamsEndAndItsRequestsAreRefused) {
  start_administrated();
  TestSubscriber one = stream_of("ann");
  TestSubscriber two = stream_of("ann", "topic=a&topic=b");
  TestSubscriber other = stream_of("bob");
  EXPECT_EQ(revoke("ann"), "{\"streams\":2}\n");
  for (TestSubscriber* stream : {&one, &two}) {
    stream->wait_end();
    EXPECT_TRUE(stream->ended_properly());
    EXPECT_EQ(stream->events().back().data, R"({"reason":"revoked"})");
  }
  const TestResponse refused = read_as("ann");
  EXPECT_EQ(refused.status, 401);
  EXPECT_THAT(refused.body, HasSubstr("subject ann is revoked for another 60 min"));
  EXPECT_THAT(refused.header("WWW-Authenticate"), HasSubstr("error=\"invalid_token\""));
  EXPECT_EQ(connect().request(post("topic=a", "x", bearer(token_of("ann")))).status, 401);
  EXPECT_EQ(connect().request(post("topic=a", "still", bearer(token_of("bob")))).status, 204);
  EXPECT_THAT(other.wait_data(1), ElementsAre("still"));
  EXPECT_EQ(denials(DenialCause::revoked), 2U);
  // A user who is called as a key, or who says so, does not shut it out.
  EXPECT_EQ(revoke("shop"), "{\"streams\":0}\n");
  EXPECT_EQ(connect().request(post("topic=a", "x", bearer(token_of("shop")))).status, 401);
  EXPECT_EQ(connect().request(post("topic=a", "x", bearer(publisher))).status, 204);
  // Nor who administrates.
  EXPECT_EQ(revoke("operator"), "{\"streams\":0}\n");
  EXPECT_EQ(ask("GET /admin/topics").status, 200);
}

TEST_P(ServerRevoke, ItIsListedTakenBackAndRunsOut) {
  start_administrated();
  EXPECT_EQ(ask("GET /admin/revocations").body, "{\"revocations\":[]}\n");
  revoke("ann");
  revoke("bob");
  revoke("cid", 1);
  EXPECT_EQ(read_as("cid").status, 401);
  const TestResponse first = ask("GET /admin/revocations?limit=1");
  EXPECT_EQ(member(first.body, "subject"), "ann");
  EXPECT_EQ(member(first.body, "next"), "ann");
  EXPECT_EQ(member(ask("GET /admin/revocations?limit=1&after=ann").body, "subject"), "bob");
  EXPECT_EQ(ended_by("/admin/revoke", R"({"subject":"ann","until":0})"), "{\"streams\":0}\n");
  EXPECT_EQ(connect().request(post("topic=a", "x", bearer(token_of("ann")))).status, 204);
  EXPECT_TRUE(eventually([&] {
    return connect().request(post("topic=a", "x", bearer(token_of("cid")))).status == 204;
  }));
  EXPECT_EQ(member(ask("GET /admin/revocations").body, "subject"), "bob");
}

TEST_P(ServerRevoke, AReloadChangesNothingOfIt) {
  start_administrated();
  revoke("ann");
  options.namespaces = {{.match = "x*"}};
  server().reload(options, rights.make());
  for (int i = 0; i < 8; ++i) EXPECT_EQ(read_as("ann").status, 401);
}

TEST_P(ServerRevoke, TheTableHasAnEnd) {
  start_administrated();
  const std::int64_t now_s = SteadyClock{}.unix_s();
  Revocations& table = server().state().revocations;
  for (std::size_t i = 0; i < limits::kMaxRevocations; ++i) {
    ASSERT_TRUE(table.set(fmt::format("s{}", i), now_s + 1000, now_s));
  }
  const TestResponse full = order("/admin/revoke", order_for("ann", 100));
  EXPECT_EQ(full.status, 503);
  EXPECT_THAT(full.body, HasSubstr("65536 subjects are revoked"));
  EXPECT_EQ(revoke("s7"), "{\"streams\":0}\n") << "one that is there";
  ended_by("/admin/revoke", R"({"subject":"s8","until":0})");
  revoke("ann");
}

// A request that was begun before is refused when it goes on.
TEST_P(ServerRevoke, WhatHadToWaitIsAskedAgain) {
  LaterRoute later;
  application.routes = later.routes();
  start_administrated();
  TestClient stream = connect();
  stream.send(http("GET /later") + http("GET /events?topic=a", bearer(token_of("ann"))));
  TestClient publish = connect();
  publish.send(http("POST /publish?topic=a",
                    "Content-Length: 2\r\nExpect: 100-continue\r\n" + bearer(token_of("ann"))));
  publish.read_until("100 Continue\r\n\r\n");
  const Later waiting = later.next();
  EXPECT_EQ(revoke("ann"), "{\"streams\":0}\n");
  waiting.answer(text_response("now"));
  EXPECT_EQ(stream.response().body, "now");
  EXPECT_EQ(stream.response().status, 401);
  publish.send("hi");
  EXPECT_EQ(publish.response().status, 401);
}

// Whoever opens while the subject is revoked: when the order is answered no stream of it is there,
// and none opens any more.
TEST_P(ServerRevoke, OpensThatRaceWithIt) {
  start_administrated();
  std::atomic<bool> enough{false};
  std::atomic<int> opened{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      std::vector<std::unique_ptr<TestClient>> open;
      while (!enough) {
        auto client = std::make_unique<TestClient>(address());
        client->send(http("GET /events?topic=a&hello=1", bearer(token_of("ann"))));
        client->read_until("\r\n\r\n");
        ++opened;
        open.push_back(std::move(client));
        if (open.size() > 20U + static_cast<unsigned>(t)) open.erase(open.begin());
      }
    });
  }
  for (int round = 0; round < 10; ++round) {
    const int before = opened;
    EXPECT_TRUE(eventually([&] { return opened > before + 20; }));
    revoke("ann");
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(ask("GET /admin/streams?subject=ann").body, "{\"streams\":[]}\n");
    }
    ended_by("/admin/revoke", R"({"subject":"ann","until":0})");
  }
  enough = true;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace tocsin::net
