#include "net/client/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/fake_waiter.h"
#include "tests/net/support/scripted_server.h"

namespace tocsin::net {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using Connection = ScriptedServer::Connection;
using Kind = HttpError::Kind;

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

Url url_of(const ScriptedServer& server) {
  return parse_url(server.url()).value();
}

HttpRequest post(std::string body) {
  return {"POST", "/publish", {{"Content-Type", "text/plain"}}, std::move(body)};
}

// Submits `count` requests and waits for all outcomes, which must be in order.
std::vector<HttpClient::Outcome> pipeline(HttpClient& client, std::size_t count,
                                          const std::string& body = "x") {
  EXPECT_TRUE(client.connect());
  std::vector<HttpClient::Outcome> all;
  std::uint64_t next = 0;
  while (all.size() < count) {
    while (next < count && client.is_connected() && client.can_submit()) {
      client.submit(post(body), next++);
    }
    pollfd fd = client.poll_request();
    system_waiter().wait({&fd, 1}, client.deadline());
    for (auto& outcome : client.handle(fd.revents)) all.push_back(std::move(outcome));
    if (!client.is_connected()) break;
  }
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].tag, i);
  return all;
}

TEST(HttpClient, SendsARequestAndReadsTheAnswer) {
  std::string request;
  ScriptedServer server({[&](Connection& c) {
    request = c.read_request();
    c.send_by_bytes(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nX-A: b\r\n"
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    c.wait_for_close();
  }});
  HttpClient client(url_of(server));
  const auto response = client.request(post("hello"));
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->head.status, 404);
  EXPECT_EQ(response->head.header("x-a"), "b");
  EXPECT_EQ(response->body, "abc");
  EXPECT_EQ(request, "POST /publish HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
                         "\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello");
}

TEST(HttpClient, KeepsTheConnection) {
  ScriptedServer server({[](Connection& c) {
    for (int i = 0; i < 3; ++i) {
      c.read_request();
      c.send(kOk);
    }
    c.wait_for_close();
  }});
  HttpClient client(url_of(server));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(client.request(post("a")));
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, ConnectsAgainWhenTheServerHasClosedAKeptConnection) {
  const auto serve_one = [](Connection& c) {
    c.read_request();
    c.send(kOk);
  };
  ScriptedServer server({serve_one, serve_one});
  HttpClient client(url_of(server));
  EXPECT_TRUE(client.request(post("a")));
  pollfd fd = client.poll_request();
  system_waiter().wait({&fd, 1}, kNever);  // until the end of the connection has arrived
  EXPECT_TRUE(client.is_connected());
  const auto again = client.request(post("b"));
  EXPECT_TRUE(again) << again.error().message;
  EXPECT_EQ(server.connections(), 2);
}

TEST(HttpClient, AnAnswerCanEndWithTheConnection) {
  ScriptedServer server({[](Connection& c) {
    c.read_request();
    c.send("HTTP/1.0 200 OK\r\n\r\nall of it");
  }});
  HttpClient client(url_of(server));
  const auto response = client.request(post("a"));
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body, "all of it");
  EXPECT_FALSE(client.is_connected());
}

TEST(HttpClient, HeadHasNoBody) {
  ScriptedServer server({[](Connection& c) {
    c.read_request();
    c.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
    c.read_request();
    c.send(kOk);
    c.wait_for_close();
  }});
  HttpClient client(url_of(server));
  EXPECT_EQ(client.request({"HEAD", "/", {}, ""}).value().body, "");
  EXPECT_EQ(client.request({"GET", "/", {}, ""}).value().body, "ok");
}

TEST(HttpClient, PipelinesWithABound) {
  constexpr int kCount = 500;
  ScriptedServer server({[](Connection& c) {
    for (int i = 0; i < kCount; ++i) {
      if (c.read_request().empty()) return;
      const std::string body = std::to_string(i);
      c.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
             body);
    }
    c.wait_for_close();
  }});
  HttpClientOptions options;
  options.max_in_flight = 10;
  HttpClient client(url_of(server), options);
  const auto outcomes = pipeline(client, kCount);
  ASSERT_EQ(outcomes.size(), static_cast<std::size_t>(kCount));
  for (int i = 0; i < kCount; ++i) {
    const auto& result = outcomes[static_cast<std::size_t>(i)].result;
    ASSERT_TRUE(result) << result.error().message;
    ASSERT_EQ(result->body, std::to_string(i));
  }
  EXPECT_EQ(client.in_flight(), 0U);
}

TEST(HttpClient, NeverHasMoreInFlightThanAllowed) {
  ScriptedServer server({[](Connection& c) { c.wait_for_close(); }});
  HttpClientOptions options;
  options.max_in_flight = 3;
  HttpClient client(url_of(server), options);
  ASSERT_TRUE(client.connect());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.can_submit());
    client.submit(post("x"), 0);
  }
  EXPECT_FALSE(client.can_submit());

  options = {};
  options.max_pending_bytes = 1000;
  ScriptedServer second({[](Connection& c) { c.wait_for_close(); }});
  HttpClient full(url_of(second), options);
  ASSERT_TRUE(full.connect());
  full.submit(post(std::string(2000, 'x')), 0);
  EXPECT_FALSE(full.can_submit());
}

TEST(HttpClient, LargeBodiesPassASmallSocketBuffer) {
  const std::string body(3'000'000, 'x');
  ScriptedServer server({[&](Connection& c) {
    for (int i = 0; i < 4; ++i) {
      if (!c.read_request().ends_with(body)) return;
      c.send(kOk);
    }
    c.wait_for_close();
  }});
  HttpClient client(url_of(server));
  const auto outcomes = pipeline(client, 4, body);
  ASSERT_EQ(outcomes.size(), 4U);
  for (const auto& outcome : outcomes) EXPECT_TRUE(outcome.result);
}

TEST(HttpClient, ACloseWithAnAnswerMeansThatLaterRequestsWereNotProcessed) {
  ScriptedServer server({[](Connection& c) {
    for (int i = 0; i < 3; ++i) c.read_request();
    c.send(kOk + "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  }});
  HttpClient client(url_of(server));
  const auto outcomes = pipeline(client, 3);
  ASSERT_EQ(outcomes.size(), 3U);
  EXPECT_TRUE(outcomes[0].result);
  EXPECT_TRUE(outcomes[1].result);
  ASSERT_FALSE(outcomes[2].result);
  EXPECT_FALSE(outcomes[2].result.error().maybe_sent);
}

TEST(HttpClient, ACloseWithoutAnAnswerLeavesItOpenWhetherTheyWereProcessed) {
  for (const bool reset : {false, true}) {
    ScriptedServer server({[&](Connection& c) {
      for (int i = 0; i < 3; ++i) c.read_request();
      c.send(kOk + "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\ncut");
      if (reset) c.reset();
    }});
    HttpClient client(url_of(server));
    const auto outcomes = pipeline(client, 3);
    ASSERT_EQ(outcomes.size(), 3U);
    if (!reset) {
      EXPECT_TRUE(outcomes[0].result);  // a reset may destroy what was not read yet
    }
    for (const std::size_t i : {1U, 2U}) {
      ASSERT_FALSE(outcomes[i].result);
      EXPECT_EQ(outcomes[i].result.error().kind, Kind::closed);
      EXPECT_TRUE(outcomes[i].result.error().maybe_sent);
    }
    EXPECT_FALSE(client.is_connected());
  }
}

TEST(HttpClient, ARequestThatWasNotWhollySentWasNotProcessed) {
  ScriptedServer server({[](Connection& c) {
    c.read_request();  // the first; the second fills the socket's buffers and stands
    c.reset();
  }});
  HttpClient client(url_of(server));
  ASSERT_TRUE(client.connect());
  client.submit(post("small"), 0);
  client.submit(post(std::string(64U * 1024 * 1024, 'x')), 1);
  std::vector<HttpClient::Outcome> outcomes;
  while (client.is_connected()) {
    pollfd fd = client.poll_request();
    system_waiter().wait({&fd, 1}, client.deadline());
    for (auto& outcome : client.handle(fd.revents)) outcomes.push_back(std::move(outcome));
  }
  ASSERT_EQ(outcomes.size(), 2U);
  EXPECT_TRUE(outcomes[0].result.error().maybe_sent);
  EXPECT_FALSE(outcomes[1].result.error().maybe_sent);
}

TEST(HttpClient, ReadsARefusalOfABodyThatIsStillBeingSent) {
  ScriptedServer server({[](Connection& c) {
    c.send("HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    c.wait_for_close();
  }});
  HttpClient client(url_of(server));
  const auto response = client.request(post(std::string(64U * 1024 * 1024, 'x')));
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->head.status, 413);
}

TEST(HttpClient, NobodyThereIsAConnectError) {
  const OwnPort port;
  HttpClient client(parse_url(port.url()).value());
  const auto response = client.request(post("a"));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, Kind::connect);
  EXPECT_FALSE(response.error().maybe_sent);
  EXPECT_THAT(response.error().message, HasSubstr("cannot connect to 127.0.0.1 port"));
}

TEST(HttpClient, AnAnswerThatTricklesTimesOut) {
  FakeWaiter waiter(FakeWaiter::Sleeps::stand);
  ScriptedServer server({[&](Connection& c) {
    c.read_request();
    const auto deadline = waiter.now() + seconds(30);
    c.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
    for (int i = 0; i < 3; ++i) {
      c.send("x");  // progress does not move the deadline
      waiter.await_deadline(deadline);
      waiter.advance(seconds(10));
    }
    c.wait_for_close();
  }});
  HttpClientOptions options;
  options.waiter = &waiter;
  HttpClient client(url_of(server), options);
  const auto response = client.request(post("a"));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, Kind::timeout);
  EXPECT_TRUE(response.error().maybe_sent);
}

TEST(HttpClient, RefusesWhatIsNoAnswerAndWhatIsTooLarge) {
  const std::pair<std::string, Kind> cases[] = {
      {"no http\r\n\r\n", Kind::malformed},
      {"HTTP/1.1 200 OK\r\nX: " + std::string(5000, 'x') + "\r\n\r\n", Kind::malformed},
      {"HTTP/1.1 200 OK\r\n\r\n" + std::string(5000, 'x'), Kind::too_large}};
  for (const auto& [bytes, kind] : cases) {
    ScriptedServer server({[&, answer = bytes](Connection& c) {
      c.read_request();
      c.send(answer);
      c.wait_for_close();
    }});
    HttpClientOptions options;
    options.max_head_bytes = options.max_body_bytes = 1000;
    HttpClient client(url_of(server), options);
    const auto response = client.request(post("a"));
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().kind, kind) << response.error().message;
    EXPECT_FALSE(client.is_connected());
  }
}

TEST(HttpClient, AnAnswerToNothingClosesTheConnection) {
  ScriptedServer server({[](Connection& c) {
    c.read_request();
    c.send(kOk + kOk);
    c.wait_for_close();
  }});
  HttpClient client(url_of(server));
  EXPECT_TRUE(client.request(post("a")));
  while (client.is_connected()) {
    pollfd fd = client.poll_request();
    system_waiter().wait({&fd, 1}, kNever);
    EXPECT_TRUE(client.handle(fd.revents).empty());
  }
}

}  // namespace
}  // namespace tocsin::net
