// Rights that change while a stream is open, or while a request is still on its way.
#include <cstdint>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/base/clock.h"
#include "tests/net/support/server_fixture.h"
#include "tests/net/support/test_access.h"

namespace tocsin::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string request(const std::string& line, const std::string& fields = {}) {
  return line + " HTTP/1.1\r\nHost: hub.example\r\n" + fields + "\r\n";
}

class ServerChangedRights : public ServerTest {
 protected:
  TestAccess rights;
};
INSTANTIATE_TEST_SUITE_P(Server, ServerChangedRights, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

// A setting by which the credential was taken, and by which it would be refused now.
TEST_P(ServerChangedRights, AReloadEndsTheStreamsThatWouldBeRefusedNow) {
  const std::string key = rights.add_key("k", {"*"}, {"*"});
  rights.issuer.audiences = {"hub"};
  access = rights.make();
  start();
  const std::string token = token_for(R"(["a"])", "[]", R"(,"aud":"hub")");
  TestSubscriber by_cookie = subscribe("/events?topic=a", "Cookie: session=" + key + "\r\n");
  TestSubscriber by_query = subscribe("/events?topic=a&token=" + key);
  TestSubscriber by_token = subscribe("/events?topic=a", bearer(token));
  TestSubscriber kept = subscribe("/events?topic=a", bearer(key));
  const auto ends = [&](TestSubscriber& stream, const auto& change) {
    change();
    server().reload(options, rights.make());
    stream.wait_end();
    EXPECT_THAT(stream.events().back().data, HasSubstr("revoked"));
  };
  ends(by_cookie, [&] { rights.cookie.clear(); });
  ends(by_query, [&] { rights.query_token = false; });
  ends(by_token, [&] { rights.issuer.audiences = {"another"}; });
  ASSERT_EQ(connect().request(post("topic=a", "still", bearer(key))).status, 204);
  EXPECT_THAT(kept.wait_data(1), ElementsAre("still"));
}

// --- the end of a right while a body is on its way

TEST_P(ServerChangedRights, ABodyThatComesWhenTheKeyIsGone) {
  const std::string goes = rights.add_key("goes", {"*"}, {"*"});
  const std::string narrows = rights.add_key("narrows", {"*"}, {"*"});
  const std::string stays = rights.add_key("stays", {"*"}, {"*"});
  access = rights.make();
  start();
  const auto begin = [&](const std::string& key) {
    TestClient client = connect();
    client.send(request("POST /publish?topic=a",
                        bearer(key) + "Expect: 100-continue\r\nContent-Length: 5\r\n"));
    EXPECT_EQ(client.response().status, 100);  // so its head was judged
    client.send("he");
    return client;
  };
  TestClient lost = begin(goes);
  TestClient less = begin(narrows);
  TestClient kept = begin(stays);
  TestSubscriber stream = subscribe("/events?topic=a", bearer(stays));
  rights.keys.erase(rights.keys.begin());
  rights.keys[0].principal.publish = selectors({"b"});
  server().reload(options, rights.make());
  ASSERT_TRUE(eventually([&] {
    TestClient client = connect();
    client.send(request("HEAD /events?topic=a", bearer(goes)));
    return client.response(true).status == 401;
  }));
  for (TestClient* client : {&lost, &less, &kept}) client->send("llo");
  const TestResponse gone = lost.response();
  EXPECT_EQ(gone.status, 401);
  EXPECT_THAT(gone.body, HasSubstr("the key is none of this hub, or no longer"));
  EXPECT_EQ(less.response().status, 403);
  EXPECT_EQ(kept.response().status, 204);
  EXPECT_THAT(stream.wait_data(1), ElementsAre("hello"));
  EXPECT_EQ(sum(&ShardMetrics::events_published), 1U);
}

TEST_P(ServerChangedRights, ABodyThatComesWhenTheCookieIsNone) {
  access = rights.make();
  start();
  const std::string token = token_for(R"(["*"])", R"(["*"])");
  const std::string cookie = "Cookie: session=" + token + "\r\nOrigin: http://hub.example\r\n";
  TestClient client = connect();
  client.send(request("POST /publish?topic=a",
                      cookie + "Expect: 100-continue\r\nContent-Length: 5\r\n"));
  EXPECT_EQ(client.response().status, 100);
  client.send("he");
  rights.cookie = "another";
  server().reload(options, rights.make());
  ASSERT_TRUE(eventually([&] {
    return connect().request(request("GET /publish?topic=b&msg=x", cookie)).status == 401;
  }));
  client.send("llo");
  EXPECT_EQ(client.response().status, 401);
}

TEST_P(ServerChangedRights, ABodyThatComesWhenTheTokenHasExpired) {
  access = rights.make();
  start();
  const std::int64_t soon = SteadyClock{}.unix_s() + 2;
  const std::string token =
      bearer(token_for(R"(["a"])", R"(["a"])", fmt::format(",\"exp\":{}", soon)));
  TestClient late = connect();
  late.send(request("POST /publish?topic=a",
                    token + "Expect: 100-continue\r\nContent-Length: 5\r\n"));
  EXPECT_EQ(late.response().status, 100);
  subscribe("/events?topic=a", token).wait_end();
  late.send("hello");
  const TestResponse answer = late.response();
  EXPECT_EQ(answer.status, 401);
  EXPECT_THAT(answer.body, HasSubstr("the credential has expired"));
}

}  // namespace
}  // namespace tocsin::net
