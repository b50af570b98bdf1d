// Rights that end while streams are open, and programs that find out themselves who asks.
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/auth/authentication.h"
#include "net/base/clock.h"
#include "net/base/mutex.h"
#include "tests/net/support/server_fixture.h"
#include "tests/net/support/test_access.h"
#include "tests/net/support/test_routes.h"

namespace tocsin::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string request(const std::string& line, const std::string& fields = {}) {
  return line + " HTTP/1.1\r\nHost: hub.example\r\n" + fields + "\r\n";
}

class ServerAuthentication : public ServerTest {
 protected:
  TestAccess rights;
};
INSTANTIATE_TEST_SUITE_P(Server, ServerAuthentication, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

// --- the end of a right

TEST_P(ServerAuthentication, AStreamEndsWithItsToken) {
  access = rights.make();
  start();
  const std::int64_t soon = SteadyClock{}.unix_s() + 2;
  const std::string token =
      bearer(token_for(R"(["a"])", "[]", fmt::format(",\"exp\":{}", soon)));
  TestSubscriber chunked = subscribe("/events?topic=a&framing=chunked", token);
  TestSubscriber close = subscribe("/events?topic=a&framing=close", token);
  for (TestSubscriber* stream : {&chunked, &close}) {
    stream->wait_end();
    EXPECT_TRUE(stream->ended_properly());
    ASSERT_EQ(stream->events().size(), 1U);
    EXPECT_EQ(stream->events()[0].type, "expired");
    EXPECT_EQ(stream->events()[0].data, R"({"reason":"expired"})");
  }
  const TestResponse answer = connect().request(request("GET /events?topic=a", token));
  EXPECT_EQ(answer.status, 401);
  EXPECT_THAT(answer.body, HasSubstr("the token expired"));
  EXPECT_EQ(sum(&ShardMetrics::streams_withdrawn), 2U);
}

TEST_P(ServerAuthentication, AReloadEndsTheStreamsWhoseRightIsGone) {
  const std::string stays = rights.add_key("stays", {"*"}, {"*"});
  const std::string goes = rights.add_key("goes", {"*"}, {});
  rights.anonymous = {"news", "old"};
  rights.secrets = {std::string(kTestSecret), std::string(kOtherTestSecret)};
  access = rights.make();
  start();
  const auto token = [](std::string_view secret) {
    return bearer(token_for(R"(["a"])", "[]", "", secret));
  };
  TestSubscriber kept_key = subscribe("/events?topic=a", bearer(stays));
  TestSubscriber kept_token = subscribe("/events?topic=a", token(kTestSecret));
  TestSubscriber kept_nobody = subscribe("/events?topic=news");
  TestSubscriber lost_key = subscribe("/events?topic=a", bearer(goes));
  TestSubscriber lost_token = subscribe("/events?topic=a", token(kOtherTestSecret));
  TestSubscriber lost_nobody = subscribe("/events?topic=news&topic=old");
  TestSubscriber lost_rule = subscribe("/events?topic=b", bearer(stays));

  rights.keys.erase(rights.keys.begin() + 1);
  rights.secrets.pop_back();
  rights.anonymous = {"news"};
  options.namespaces = {{.match = "b", .subscribe = TopicAccess::nobody}};
  server().reload(options, rights.make());
  for (TestSubscriber* lost : {&lost_key, &lost_token, &lost_nobody, &lost_rule}) {
    lost->wait_end();
    EXPECT_TRUE(lost->ended_properly());
    ASSERT_EQ(lost->events().size(), 1U);
    EXPECT_EQ(lost->events()[0].type, "expired");
    EXPECT_EQ(lost->events()[0].data, R"({"reason":"revoked"})");
  }
  TestClient publisher = connect();
  for (const char* topic : {"a", "news"}) {
    ASSERT_EQ(
        publisher.request(post(std::string("topic=") + topic, "still", bearer(stays))).status, 204);
  }
  for (TestSubscriber* kept : {&kept_key, &kept_token, &kept_nobody}) {
    EXPECT_THAT(kept->wait_data(1), ElementsAre("still"));
  }
  EXPECT_EQ(sum(&ShardMetrics::streams_withdrawn), 4U);
}

TEST_P(ServerAuthentication, AHubThatWasOpenEndsWhoMayNotReadAnyMore) {
  start();
  TestSubscriber lost = subscribe("/events?topic=a");
  TestSubscriber kept = subscribe("/events?topic=news");
  rights.anonymous = {"news"};
  const std::string key = rights.add_key("k", {}, {"*"});
  server().reload(options, rights.make());
  lost.wait_end();
  ASSERT_EQ(connect().request(post("topic=news", "still", bearer(key))).status, 204);
  EXPECT_THAT(kept.wait_data(1), ElementsAre("still"));
  server().reload(options, nullptr);
  EXPECT_TRUE(eventually([&] {
    return connect().request(post("topic=news", "open")).status == 204;
  }));
  EXPECT_THAT(kept.wait_data(2), ElementsAre("still", "open"));
}

// The stream's turn comes when its right has gone.
TEST_P(ServerAuthentication, AStreamThatHadToWaitIsAskedAgain) {
  const std::string key = rights.add_key("k", {"*"}, {});
  access = rights.make();
  LaterRoute later;
  application.routes = later.routes();
  start();
  TestClient client = connect();
  client.send(request("GET /later") + request("GET /events?topic=a", bearer(key)));
  const Later waiting = later.next();
  rights.keys.clear();
  server().reload(options, rights.make());
  ASSERT_TRUE(eventually([&] {
    return connect().request(request("GET /events?topic=a", bearer(key))).status == 401;
  }));
  // Every shard has taken the change over, when it answers so on many connections.
  for (int i = 0; i < 16; ++i) {
    ASSERT_TRUE(eventually([&] {
      return connect().request(request("GET /events?topic=a", bearer(key))).status == 401;
    }));
  }
  waiting.answer(text_response("now"));
  EXPECT_EQ(client.response().body, "now");
  const TestResponse refused = client.response();
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(refused.body, HasSubstr("the right to read this has gone meanwhile"));
  client.wait_closed();
}

// --- an authenticator of the application's

PrincipalPtr somebody(std::string name, const std::vector<std::string>& topics) {
  return std::make_shared<const Principal>(Principal{.kind = CredentialKind::webhook,
                                                     .subject = std::move(name),
                                                     .publish = selectors(topics),
                                                     .subscribe = selectors(topics)});
}

// "Authorization: me NAME" is somebody who may use the topic of that name.
Authentication by_name(Server&, const AuthenticationRequest& asked) {
  const std::string_view said = asked.http.header(proto::Header::authorization);
  if (said == "throw") throw std::runtime_error("no data base");
  if (said == "null") return Authenticated(PrincipalPtr());
  if (said.starts_with("me ")) {
    const std::string name(said.substr(3));
    return Authenticated(somebody(name, {name}));
  }
  if (said.empty()) return Declined{};
  return Authenticated(std::unexpected(
      Denial{.cause = DenialCause::malformed, .reason = "the application knows no such name"}));
}
std::string me(const std::string& name) {
  return "Authorization: me " + name + "\r\n";
}

TEST_P(ServerAuthentication, AnApplicationSaysWhoAsks) {
  rights.anonymous = {"news"};
  access = rights.make();
  application.authenticate = by_name;
  application.routes = {who_route()};
  start();
  TestSubscriber stream = subscribe("/events?topic=ann", me("ann"));
  TestClient client = connect();
  EXPECT_EQ(client.request(post("topic=ann", "hello", me("ann"))).status, 204);
  EXPECT_THAT(stream.wait_data(1), ElementsAre("hello"));
  EXPECT_EQ(client.request(request("GET /who", me("bob"))).body, "bob");
  EXPECT_EQ(client.request(request("GET /who")).status, 401) << "it has declined";
  EXPECT_EQ(client.request(post("topic=ann", "x", me("bob"))).status, 403);
  const TestResponse unknown =
      client.request(request("GET /events?topic=ann", "Authorization: you\r\n"));
  EXPECT_EQ(unknown.status, 401);
  EXPECT_THAT(unknown.body, HasSubstr("the application knows no such name"));
  EXPECT_THAT(unknown.header("WWW-Authenticate"), HasSubstr("error=\"invalid_token\""));
  TestSubscriber news = subscribe("/events?topic=news");  // it has declined: the hub's own way
  for (const char* wrong : {"throw", "null"}) {
    EXPECT_EQ(connect()
                  .request(request("GET /events?topic=ann",
                                   std::string("Authorization: ") + wrong + "\r\n"))
                  .status,
              500);
  }
}

TEST_P(ServerAuthentication, WhereItDeclinesAndThereIsNoAuthorityEverybodyMay) {
  application.authenticate = by_name;
  start();
  EXPECT_EQ(connect().request(post("topic=a", "x")).status, 204);
  EXPECT_EQ(connect().request(post("topic=a", "x", me("bob"))).status, 403);
}

// Answers from a thread of its own.
class SlowAuthenticator {
 public:
  Authentication operator()(Server&, const AuthenticationRequest& asked) {
    const MutexLock lock(mutex_);
    const std::string_view said = asked.http.header(proto::Header::authorization);
    waiting_.emplace_back(LaterAuthentication(asked), std::string(said));
    return waiting_.back().first;
  }
  [[nodiscard]] std::size_t waiting() const {
    const MutexLock lock(mutex_);
    return waiting_.size();
  }
  // To the oldest one: as by_name().
  void answer() {
    auto [later, said] = take();
    if (said.starts_with("me ")) {
      later.give(somebody(said.substr(3), {said.substr(3)}));
    } else {
      later.give(std::unexpected(
          Denial{.cause = DenialCause::no_credential, .reason = "say who you are"}));
    }
  }
  void drop() { (void)take(); }

 private:
  std::pair<LaterAuthentication, std::string> take() {
    const MutexLock lock(mutex_);
    auto oldest = std::move(waiting_.front());
    waiting_.erase(waiting_.begin());
    return oldest;
  }

  mutable Mutex mutex_;
  std::vector<std::pair<LaterAuthentication, std::string>> waiting_;
};

class ServerLaterAuthentication : public ServerAuthentication {
 protected:
  void open_slow() {
    application.authenticate = [this](Server& hub, const AuthenticationRequest& asked) {
      return slow(hub, asked);
    };
    start();
  }
  void wait_for(std::size_t count) {
    ASSERT_TRUE(eventually([&] { return slow.waiting() == count; }));
  }
  SlowAuthenticator slow;
};
INSTANTIATE_TEST_SUITE_P(Server, ServerLaterAuthentication,
                         testing::ValuesIn(ServerTest::kBackends), ServerTest::backend_name);

TEST_P(ServerLaterAuthentication, EveryKindOfRequestWaits) {
  open_slow();
  TestClient client = connect();
  // All of it at once: a body that is there is not looked at before its time.
  client.send(post("topic=ann", "1", me("ann")) + post("topic=ann", "2", me("bob")) +
              request("GET /healthz") + post("topic=ann", "3", me("ann")) +
              request("GET /events?topic=ann&last_event_id=earliest", me("ann")));
  for (int i = 0; i < 2; ++i) {
    wait_for(1);
    EXPECT_THAT(client.unread(), IsEmpty());
    slow.answer();
    if (i == 0) {
      EXPECT_EQ(client.response().status, 204);
    }
  }
  EXPECT_EQ(client.response().status, 403);
  EXPECT_EQ(client.response().status, 200) << "a probe needs nobody to be known";
  wait_for(1);
  slow.answer();
  EXPECT_EQ(client.response().status, 204);
  wait_for(1);
  slow.answer();
  EXPECT_THAT(client.read_until("data: 3\n"), HasSubstr("data: 1\n"));
}

TEST_P(ServerLaterAuthentication, ABodyIsAskedForWhenItIsWanted) {
  open_slow();
  const std::string head = "Content-Length: 5\r\nExpect: 100-continue\r\n";
  TestClient good = connect();
  good.send(request("POST /publish?topic=ann", head + me("ann")));
  wait_for(1);
  slow.answer();
  good.read_until("100 Continue\r\n\r\n");
  good.send("hello");
  EXPECT_EQ(good.response().status, 204);
  TestClient bad = connect();
  bad.send(request("POST /publish?topic=ann", head));
  wait_for(1);
  slow.answer();
  const TestResponse refused = bad.response();
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.header("Connection"), "close");
  bad.wait_closed();
  // One that is whole is answered, and the connection goes on.
  TestClient whole = connect();
  whole.send(request("GET /events?topic=ann"));
  wait_for(1);
  slow.answer();
  EXPECT_EQ(whole.response().status, 401);
  EXPECT_EQ(whole.request(request("GET /healthz")).status, 200);
}

TEST_P(ServerLaterAuthentication, WhoLeavesIsForgotten) {
  open_slow();
  {
    TestClient gone = connect();
    gone.send(request("GET /events?topic=ann", me("ann")));
    wait_for(1);
    gone.reset();
  }
  TestClient dropped = connect();
  dropped.send(request("GET /events?topic=ann", me("ann")));
  wait_for(2);
  slow.answer();  // nobody is there, or the stream ends when it is found out
  slow.drop();
  EXPECT_EQ(dropped.response().status, 500);
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::streams_open) == 0; }));
}

TEST_P(ServerLaterAuthentication, AStopDoesNotWait) {
  open_slow();
  TestClient client = connect();
  client.send(request("GET /events?topic=ann", me("ann")));
  wait_for(1);
  stop();
  slow.answer();  // in vain
}

}  // namespace
}  // namespace tocsin::net
