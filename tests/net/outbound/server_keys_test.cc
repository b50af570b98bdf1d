// A hub whose issuers have their keys at URLs.
#include <chrono>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/outbound/server_remote_fixture.h"
#include "tests/net/support/call_server.h"
#include "tests/net/support/tls_server.h"
#include "tests/net/support/token_maker.h"

namespace tocsin::net {
namespace {

using std::chrono::hours;
using testing::ElementsAre;
using testing::HasSubstr;
using Connection = ScriptedServer::Connection;

class ServerKeys : public ServerRemote {};
INSTANTIATE_TEST_SUITE_P(Server, ServerKeys, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

class KeyServer {
 public:
  explicit KeyServer(ScriptedServer::MakeWire wire = nullptr)
      : server_(
            [this](Connection& connection, const std::string&) {
              return connection.send(bytes());
            },
            std::move(wire)) {}
  void publish(std::initializer_list<const TokenMaker*> makers) {
    const MutexLock lock(mutex_);
    bytes_ = http_answer(200, jwks_of(makers), "Cache-Control: max-age=3600\r\n");
  }
  [[nodiscard]] std::string url() const { return server_.url("/jwks"); }
  [[nodiscard]] int requests() const { return server_.requests(); }

 private:
  std::string bytes() const {
    const MutexLock lock(mutex_);
    return bytes_;
  }
  mutable Mutex mutex_;
  std::string bytes_ TOCSIN_LOCKS(guarded_by(mutex_)) = http_answer(503, "");
  CallServer server_;
};

std::string token_of(const TokenMaker& maker) {
  return bearer(maker.token(R"({"iss":"id","sub":"u1","tocsin":{"subscribe":["*"]}})"));
}

TEST_P(ServerKeys, ARotationLosesNobody) {
  const TestAuthority authority;
  KeyServer provider(tls_wire(authority.issue("IP:127.0.0.1")));
  const TokenMaker old_key(Algorithm::es256, "old");
  const TokenMaker new_key(Algorithm::es256, "new");
  provider.publish({&old_key});
  use_keys(provider.url(), authority.ca_file());
  start_asking();
  await_ready();
  TestSubscriber before = subscribe("/events?topic=a", token_of(old_key));
  provider.publish({&old_key, &new_key});
  // All at once, half of them with the key that the hub has yet to see.
  std::vector<TestClient> clients;
  for (int i = 0; i < 60; ++i) {
    clients.push_back(connect());
    clients.back().send(
        request("GET /events?topic=a", token_of(i % 2 == 0 ? old_key : new_key)));
  }
  for (TestClient& client : clients) EXPECT_THAT(client.read_until("\r\n"), HasSubstr("200"));
  EXPECT_EQ(provider.requests(), 2);
  // The old key goes: so do its streams, and theirs alone.
  TestSubscriber after = subscribe("/events?topic=a", token_of(new_key));
  provider.publish({&new_key});
  waiter.advance(hours(1));
  before.wait_end();
  EXPECT_EQ(before.events().back().data, R"({"reason":"revoked"})");
  EXPECT_EQ(connect().request(request("GET /events?topic=a", token_of(old_key))).status, 401);
  EXPECT_EQ(connect().request(post("topic=a", "still", bearer(key))).status, 204);
  EXPECT_THAT(after.wait_data(1), ElementsAre("still"));
}

TEST_P(ServerKeys, AHubThatHidesItsMetricsNamesNoUrl) {
  KeyServer provider;
  use_keys(provider.url());
  plan.access.public_metrics = false;
  start_asking();
  ASSERT_TRUE(eventually([&] { return provider.requests() == 1; }));
  EXPECT_EQ(get("/readyz").body, "waiting for keys\n");
}

TEST_P(ServerKeys, AHubWithoutKeysStartsAndSaysSo) {
  KeyServer provider;
  const TokenMaker maker(Algorithm::es256, "1");
  use_keys(provider.url());
  start_asking();
  ASSERT_TRUE(eventually([&] { return provider.requests() == 1; }));
  const TestResponse ready = get("/readyz");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(ready.body, "waiting for the keys of " + provider.url() + "\n");
  EXPECT_EQ(get("/healthz").status, 200);
  const TestResponse refused = connect().request(request("GET /events?topic=a", token_of(maker)));
  EXPECT_EQ(refused.status, 503);
  EXPECT_NE(refused.header("Retry-After"), "");
  EXPECT_EQ(refused.header("WWW-Authenticate"), "");
  EXPECT_THAT(refused.body, HasSubstr("the keys of the token's issuer are not to be had now"));
  EXPECT_EQ(denials(DenialCause::unavailable), 1U);
  EXPECT_EQ(connect().request(post("topic=a", "x", bearer(key))).status, 204) << "keys count";
  provider.publish({&maker});
  ASSERT_TRUE(eventually([&] {
    waiter.advance(std::chrono::seconds(1));
    return get("/readyz").status == 200;
  }));
  TestSubscriber stream = subscribe("/events?topic=a", token_of(maker));
  EXPECT_GE(metric("tocsin_key_fetches_total{outcome=\"failed\"}"), 1);
  EXPECT_EQ(metric("tocsin_key_fetches_total{outcome=\"fetched\"}"), 1);
}

// Its signature is good: it is whom the key is from that counts, and a token does not say that.
TEST_P(ServerKeys, ATokenDoesNotSayWhereItsKeyIs) {
  KeyServer provider;
  KeyServer evil;
  const TokenMaker maker(Algorithm::es256, "1");
  const TokenMaker thief(Algorithm::es256, "2");
  provider.publish({&maker});
  evil.publish({&thief});
  use_keys(provider.url());
  start_asking();
  await_ready();
  const std::string payload = R"({"iss":"id","tocsin":{"subscribe":["*"]}})";
  for (const std::string& header :
       {R"({"alg":"ES256","kid":"2","jku":")" + evil.url() + "\"}",
        R"({"alg":"ES256","kid":"2","x5u":")" + evil.url() + "\"}",
        std::string(R"({"alg":"ES256","kid":"2"})")}) {
    const std::string stolen = bearer(thief.token_with(header, payload));
    EXPECT_EQ(connect().request(request("GET /events?topic=a", stolen)).status, 401) << header;
  }
  const std::string elsewhere = bearer(
      thief.token(R"({"iss":")" + evil.url() + R"(","tocsin":{"subscribe":["*"]}})"));
  EXPECT_EQ(connect().request(request("GET /events?topic=a", elsewhere)).status, 401);
  EXPECT_EQ(evil.requests(), 0);
  EXPECT_EQ(provider.requests(), 2) << "one for the kid that is not known";
}

}  // namespace
}  // namespace tocsin::net
