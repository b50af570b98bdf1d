// Limits on one client, an address or a subject: what it is answered, and for whom they hold.
#include <deque>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/limits.h"
#include "tests/net/support/server_fixture.h"
#include "tests/net/support/test_access.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;

constexpr const char* kStream = "GET /events?topic=a HTTP/1.1\r\nHost: h\r\n";
constexpr const char* kHere = "127.0.0.11:0";
constexpr const char* kElsewhere = "127.0.0.12:0";

class ServerLimits : public ServerTest {
 protected:
  [[nodiscard]] TestClient from(const char* source) const {
    return TestClient(address(), 0, source);
  }
  // An answer that says which limit it was, by its key, and the limit's value.
  static void expect_refused(const TestResponse& response, const std::string& key,
                             const std::string& value) {
    EXPECT_EQ(response.status, 429) << response.head;
    EXPECT_EQ(response.header("Content-Type"), "application/problem+json");
    EXPECT_THAT(response.body, HasSubstr("\"limit\":\"" + key + "\",\"value\":" + value + "}"));
    EXPECT_THAT(response.body, HasSubstr("(" + key + ": " + value));
    EXPECT_GE(std::atoi(response.header("Retry-After").c_str()), 1) << response.head;
    EXPECT_EQ(response.header("Access-Control-Allow-Origin"), "*");
  }
  static std::string lines(std::size_t events) {
    std::string body;
    for (std::size_t i = 0; i < events; ++i) body += "{\"topic\":\"a\",\"data\":\"x\"}\n";
    return body;
  }
  // Publishes so many events at once: what follows has to wait for a minute.
  static TestResponse publish_many(TestClient& client, const std::string& fields = {}) {
    return client.request(
        post("", lines(600), "Content-Type: application/x-ndjson\r\n" + fields));
  }

  TestAccess rights;
};
INSTANTIATE_TEST_SUITE_P(Server, ServerLimits, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerLimits, AnAddressOpensStreamsAtARate) {
  options.open_rate_per_address = 1;
  start();
  std::deque<TestClient> streams;
  std::set<std::string> waits;
  int opened = 0;
  const auto ask = [&](const char* source) {
    streams.push_back(from(source));
    return streams.back().request(kStream + std::string("\r\n"));
  };
  ASSERT_TRUE(eventually([&] {
    const TestResponse response = ask(kHere);
    if (response.status == 200) ++opened;
    if (response.status != 429) return false;
    expect_refused(response, "open_rate_per_address", "1");
    EXPECT_EQ(streams.back().read_to_end(), "");
    waits.insert(response.header("Retry-After"));
    return waits.size() > 1;  // they do not come back together
  }));
  EXPECT_GE(opened, static_cast<int>(limits::kClientBurstS));
  EXPECT_EQ(ask(kElsewhere).status, 200);
  EXPECT_GE(rejections(Rejection::address_opens), 2U);
}

TEST_P(ServerLimits, ASubjectHasItsStreamsWhereverItIs) {
  options.max_per_subject = 2;
  const std::string key = rights.add_key("backend", {"*"}, {"*"});
  rights.anonymous = {"a"};
  access = rights.make();
  start();
  const auto token = [](const std::string& subject) {
    return bearer(token_for(R"(["a"])", "[]", R"(,"exp":99999999999,"sub":")" + subject + "\""));
  };
  std::deque<TestSubscriber> streams;
  streams.emplace_back(address(), "/events?topic=a", token("u1"), 0, kHere);
  streams.emplace_back(address(), "/events?topic=a", token("u1"), 0, kElsewhere);
  TestClient third = connect();
  const TestResponse refused = third.request(kStream + token("u1") + "\r\n");
  EXPECT_EQ(refused.status, 429);
  EXPECT_THAT(refused.body, HasSubstr(R"("limit":"max_per_subject","value":2})"));
  EXPECT_EQ(rejections(Rejection::subject_limit), 1U);
  streams.emplace_back(address(), "/events?topic=a", token("u2"));
  // Nobody in particular, and no strangers.
  for (int i = 0; i < 3; ++i) {
    streams.emplace_back(address(), "/events?topic=a");
    streams.emplace_back(address(), "/events?topic=a", bearer(key));
  }
  streams.pop_front();
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::streams_open) == 8; }));
  streams.emplace_back(address(), "/events?topic=a", token("u1"));
}

TEST_P(ServerLimits, AnAddressPublishesAtARateAndABatchIsItsEvents) {
  options.publish_rate_per_address = 10;
  start();
  TestClient client = from(kHere);
  EXPECT_EQ(publish_many(client).status, 200);
  for (int i = 0; i < 3; ++i) {
    const TestResponse refused = client.request(post("topic=a", "x"));
    expect_refused(refused, "publish_rate_per_address", "10");
    EXPECT_GT(std::atoi(refused.header("Retry-After").c_str()), 10) << "some 50 s are owed";
  }
  expect_refused(client.request("GET /publish?topic=a&msg=x HTTP/1.1\r\nHost: h\r\n\r\n"),
                 "publish_rate_per_address", "10");
  EXPECT_EQ(rejections(Rejection::address_publishes), 4U);
  EXPECT_EQ(client.request("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
  EXPECT_EQ(from(kElsewhere).request(post("topic=a", "x")).status, 204);
  EXPECT_EQ(sum(&ShardMetrics::events_published), 601U);
}

TEST_P(ServerLimits, WhatHasNotBeenSentNeedNotBe) {
  options.publish_bytes_per_address = 1000;
  start();
  TestClient client = from(kHere);
  EXPECT_EQ(client.request(post("topic=a", std::string(60'000, 'x'))).status, 204);
  for (const std::string fields : {"Content-Length: 60000\r\n", "Transfer-Encoding: chunked\r\n",
                                   "Content-Length: 5\r\nExpect: 100-continue\r\n"}) {
    TestClient other = from(kHere);
    other.send("POST /publish?topic=a HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n");
    expect_refused(other.response(), "publish_bytes_per_address", "1000");
    EXPECT_EQ(other.read_to_end(), "") << fields;
  }
  expect_refused(client.request(post("topic=a", "small")), "publish_bytes_per_address", "1000");
  EXPECT_EQ(rejections(Rejection::address_bytes), 4U);
}

TEST_P(ServerLimits, ASubjectPublishesAtARateAndAKeyAsItLikes) {
  options.publish_rate_per_subject = 10;
  options.publish_rate_per_address = 10;
  const std::string key = rights.add_key("u1", {"*"}, {"*"});
  access = rights.make();
  start();
  const std::string token =
      bearer(token_for("[]", R"(["*"])", R"(,"exp":99999999999,"sub":"u1")"));
  TestClient back_end = from(kHere);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(publish_many(back_end, bearer(key)).status, 200);
  TestClient client = from(kHere);
  EXPECT_EQ(publish_many(client, token).status, 200);
  TestClient elsewhere = from(kElsewhere);
  const TestResponse refused = elsewhere.request(post("topic=a", "x", token));
  EXPECT_EQ(refused.status, 429);
  EXPECT_THAT(refused.body, HasSubstr(R"("limit":"publish_rate_per_subject","value":10})"));
  EXPECT_EQ(publish_many(back_end, bearer(key)).status, 200);
}

TEST_P(ServerLimits, AStreamHasSoManyTopics) {
  options.max_topics_per_stream = 2;
  const std::string key = rights.add_key("backend", {"*"}, {"*"});
  rights.anonymous = {"*"};
  access = rights.make();
  start();
  TestSubscriber stream = subscribe("/events?topic=a&topic=b");
  const std::string three = "GET /events?topic=a&topic=b&topic=c HTTP/1.1\r\nHost: h\r\n";
  TestClient client = connect();
  const TestResponse refused = client.request(three + "\r\n");
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, HasSubstr(R"("limit":"max_topics_per_stream","value":2})"));
  EXPECT_EQ(refused.header("Retry-After"), "") << "it would be the same again";
  EXPECT_EQ(rejections(Rejection::stream_topics), 1U);
  EXPECT_EQ(client.request(three + bearer(key) + "\r\n").status, 200);
}

TEST_P(ServerLimits, AreSwitchedOnWhileConnectionsAreOpen) {
  start();
  TestClient client = from(kHere);
  EXPECT_EQ(publish_many(client).status, 200);
  options.publish_rate_per_address = 1;
  options.max_per_address = 1;
  server().reload(options);
  EXPECT_TRUE(eventually([&] {
    (void)publish_many(client);
    return client.request(post("topic=a", "x")).status == 429;
  }));
  options.publish_rate_per_address = 0;
  server().reload(options);
  EXPECT_TRUE(eventually([&] { return client.request(post("topic=a", "x")).status == 204; }));
}

// --- who comes back

class ServerFull : public ServerLimits {
 protected:
  // All that a stream that is told to come back gets.
  std::string told(const std::string& fields = {}, const std::string& query = {}) {
    TestClient client = connect();
    client.send("GET /events?topic=a" + query + " HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n");
    const std::string head = client.read_until("\r\n\r\n");
    EXPECT_THAT(head, HasSubstr("HTTP/1.1 200"));
    EXPECT_THAT(head, HasSubstr("Content-Type: text/event-stream"));
    EXPECT_THAT(head, HasSubstr("Access-Control-Allow-Origin: *"));
    return client.read_to_end();
  }
  static int retry_of(const std::string& body) {
    return std::atoi(body.substr(body.find("retry: ") + 7).c_str());
  }
};
INSTANTIATE_TEST_SUITE_P(Server, ServerFull, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerFull, ABrowserIsToldToComeBack) {
  options.max_connections = 1;
  options.full_retry_ms = 10'000;
  start();
  TestSubscriber stream = subscribe("/events?topic=a");
  std::set<int> times;
  for (int i = 0; i < 10; ++i) {
    const std::string body = told("Last-Event-ID: 1-1\r\n");
    EXPECT_THAT(body, testing::EndsWith("\n\r\n0\r\n\r\n"));
    EXPECT_THAT(body, testing::Not(HasSubstr("id:"))) << "it resumes where it was";
    EXPECT_THAT(body, testing::Not(HasSubstr("data:")));
    times.insert(retry_of(body));
    EXPECT_GE(*times.begin(), 5000);
    EXPECT_LE(*times.rbegin(), 15'000);
  }
  EXPECT_GT(times.size(), 1U);
  EXPECT_THAT(told("", "&framing=close"), testing::EndsWith("\n"));
  EXPECT_EQ(rejections(Rejection::connection_limit), 11U);
  EXPECT_EQ(sum(&ShardMetrics::streams_opened), 1U);
  // Only streams have that time.
  EXPECT_EQ(connect().request(post("topic=a", "x")).status, 204);
}

TEST_P(ServerFull, SoItIsBeyondTheLimitsOfItsAddress) {
  options.max_per_address = 1;
  options.full_retry_ms = 10'000;
  start();
  TestSubscriber stream = subscribe("/events?topic=a");
  EXPECT_GE(retry_of(told()), 5000);
  EXPECT_EQ(rejections(Rejection::address_limit), 1U);
}

TEST_P(ServerFull, ByDefaultItIsRefused) {
  options.max_connections = 1;
  start();
  TestSubscriber stream = subscribe("/events?topic=a");
  EXPECT_EQ(connect().request(kStream + std::string("\r\n")).status, 503);
}

// --- behind a proxy

class ServerBehindProxy : public ServerLimits {
 protected:
  ServerBehindProxy() { options.trusted_proxies = {"127.0.0.11"}; }
  static std::string forwarded(const std::string& value) {
    return "X-Forwarded-For: " + value + "\r\n";
  }
};
INSTANTIATE_TEST_SUITE_P(Server, ServerBehindProxy, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerBehindProxy, ItsClientsAreCountedByTheirOwnAddresses) {
  options.max_per_address = 1;
  start();
  std::deque<TestSubscriber> streams;
  for (const char* client : {"198.51.100.7", "198.51.100.8", "2001:db8:1::1", "2001:db8:2::1"}) {
    streams.emplace_back(address(), "/events?topic=a", forwarded(client), 0, kHere);
  }
  for (const char* client : {"198.51.100.7", "1.2.3.4, 198.51.100.8", "[2001:db8:1::2]:80"}) {
    TestClient again = from(kHere);
    expect_refused(again.request(kStream + forwarded(client) + "\r\n"), "max_per_address", "1");
  }
  // Who leaves is counted no more.
  streams.pop_front();
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::streams_open) == 3; }));
  streams.emplace_back(address(), "/events?topic=a", forwarded("198.51.100.7"), 0, kHere);
  // Who is no proxy has its own address, whatever it says.
  streams.emplace_back(address(), "/events?topic=a", forwarded("198.51.100.99"), 0, kElsewhere);
  TestClient liar = from(kElsewhere);
  expect_refused(liar.request(kStream + forwarded("198.51.100.98") + "\r\n"), "max_per_address",
                 "1");
}

TEST_P(ServerBehindProxy, EachRequestOfAConnectionHasItsOwnClient) {
  options.publish_rate_per_address = 10;
  start();
  TestClient proxy = from(kHere);
  EXPECT_EQ(publish_many(proxy, forwarded("198.51.100.7")).status, 200);
  EXPECT_EQ(proxy.request(post("topic=a", "x", forwarded("198.51.100.7"))).status, 429);
  EXPECT_EQ(proxy.request(post("topic=a", "x", forwarded("198.51.100.8"))).status, 204);
  EXPECT_EQ(proxy.request(post("topic=a", "x")).status, 204) << "the proxy itself";
}

TEST_P(ServerBehindProxy, ItsConnectionsAreNotCounted) {
  options.max_per_address = 1;
  options.request_timeout_s = 600;
  start();
  std::deque<TestClient> pool;
  for (std::uint32_t i = 0; i < limits::kMinRequestsPerAddress + 5; ++i) {
    pool.push_back(from(kHere));
  }
  EXPECT_EQ(pool.back().request("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
  EXPECT_EQ(rejections(Rejection::address_limit), 0U);
}

}  // namespace
}  // namespace tocsin::net
