// Calls to one other server: what it may do to whoever asks it.
#include "net/outbound/http_caller.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/call_server.h"
#include "tests/net/support/tls_server.h"

namespace tocsin::net {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using Connection = ScriptedServer::Connection;
using Kind = HttpError::Kind;

constexpr std::size_t kMostBody = 1024;

class HttpCallerTest : public testing::Test {
 protected:
  // A caller of `url`, and what it has been told.
  void ask_at(const std::string& url, std::size_t at_once = 1, const std::string& ca_file = {}) {
    caller.emplace(parse_remote_server(url, false, ca_file).value(),
                   HttpCaller::Limits{
                       .at_once = at_once, .max_body_bytes = kMostBody, .timeout_ms = 60'000},
                   system_waiter(),
                   [this](std::uint64_t serial, const std::string& host, std::uint16_t port) {
                     EXPECT_EQ(host, "localhost");
                     names.emplace_back(serial, port);
                   });
  }
  void start(milliseconds timeout = std::chrono::seconds(60)) {
    caller->start(SecretRequest({.method = "POST", .target = "/ask", .headers = {}, .body = "x"}),
                  system_waiter().now() + timeout,
                  [this](HttpResult result) { results.push_back(std::move(result)); });
  }
  // Until there are so many results.
  void run(std::size_t count) {
    while (results.size() < count) {
      std::vector<pollfd> fds;
      caller->poll(fds);
      ASSERT_EQ(fds.size(), caller->polled());
      system_waiter().wait(fds, caller->deadline());
      caller->handle(fds);
    }
  }
  HttpResult ask(milliseconds timeout = std::chrono::seconds(60)) {
    const std::size_t before = results.size();
    start(timeout);
    run(before + 1);
    return results.back();
  }
  std::string error(Kind kind, milliseconds timeout = std::chrono::seconds(60)) {
    const HttpResult result = ask(timeout);
    if (result) return "answered";
    EXPECT_EQ(result.error().kind, kind) << result.error().message;
    return result.error().message;
  }

  std::vector<HttpResult> results;
  std::vector<std::pair<std::uint64_t, std::uint16_t>> names;
  std::optional<HttpCaller> caller;
};

bool say_ok(Connection& connection, const std::string& request) {
  (void)request;
  return connection.send(http_answer(200, "ok"));
}
bool hang(Connection& connection, const std::string& request) {
  (void)request;
  connection.wait_for_close();
  return false;
}

TEST_F(HttpCallerTest, KeepsItsConnection) {
  CallServer server(say_ok);
  ask_at(server.url());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask().value().body, "ok");
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(HttpCallerTest, AsksOverSeveralConnectionsAtOnce) {
  std::atomic<int> waiting = 0;
  CallServer server([&](Connection& connection, const std::string& request) {
    ++waiting;
    while (waiting < 4) std::this_thread::yield();
    return say_ok(connection, request);
  });
  ask_at(server.url(), 4);
  for (int i = 0; i < 4; ++i) start();
  EXPECT_FALSE(caller->has_room());
  run(4);
  EXPECT_EQ(server.connections(), 4);
  for (int i = 0; i < 4; ++i) start();
  run(8);
  EXPECT_EQ(server.connections(), 4) << "they are kept";
}

// Whether its end was noticed before or after the next request was sent.
TEST_F(HttpCallerTest, AsksAgainWhereAKeptConnectionWasLost) {
  CallServer server([](Connection& connection, const std::string& request) {
    say_ok(connection, request);
    return false;
  });
  ask_at(server.url());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(ask().value().body, "ok");
  EXPECT_EQ(server.connections(), 20);
}

TEST_F(HttpCallerTest, OneThatHangsEndsAtTheDeadline) {
  CallServer server(hang);
  ask_at(server.url());
  EXPECT_EQ(error(Kind::timeout, milliseconds(50)), "no answer in time");
  EXPECT_TRUE(caller->has_room());
}

TEST_F(HttpCallerTest, OneThatIsSlowEndsAtTheDeadline) {
  CallServer server([](Connection& connection, const std::string& request) {
    (void)request;
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcd");
    connection.wait_for_close();
    return false;
  });
  ask_at(server.url());
  EXPECT_EQ(error(Kind::timeout, milliseconds(50)), "no answer in time");
}

TEST_F(HttpCallerTest, AnAnswerWithoutEndIsNotRead) {
  std::atomic<std::size_t> sent = 0;
  std::atomic<bool> over = false;
  const auto flood = [&](Connection& connection, const std::string& head) {
    const std::string part(65'536, 'x');
    bool goes = connection.send(head);
    while (goes && sent < 100'000'000) {
      goes = connection.send(part);
      sent += part.size();
    }
    over = true;
    return false;
  };
  for (const char* head : {"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n",
                           "HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nX: "}) {
    sent = 0;
    over = false;
    CallServer server(
        [&](Connection& connection, const std::string&) { return flood(connection, head); });
    ask_at(server.url());
    const HttpResult result = ask();
    ASSERT_FALSE(result);
    const bool is_body = std::string_view(head).ends_with("\r\n\r\n");
    EXPECT_EQ(result.error().kind, is_body ? Kind::too_large : Kind::malformed);
    while (!over) std::this_thread::yield();  // it was cut off
    EXPECT_LT(sent, 50'000'000U) << "what sockets hold";
  }
}

// Others have their turn meanwhile.
TEST_F(HttpCallerTest, WhoNeverComesToAnAnswerEndsAtTheDeadline) {
  CallServer server([](Connection& connection, const std::string&) {
    std::string interim;
    while (interim.size() < 1'000'000) interim += "HTTP/1.1 103 Early Hints\r\n\r\n";
    while (connection.send(interim)) {
    }
    return false;
  });
  ask_at(server.url());
  EXPECT_EQ(error(Kind::timeout, milliseconds(100)), "no answer in time");
}

TEST_F(HttpCallerTest, GarbageIsNoAnswer) {
  for (const char* garbage : {"220 smtp.example ESMTP\r\n", "\x16\x03\x01",
                              "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"}) {
    CallServer server([&](Connection& connection, const std::string&) {
      connection.send(garbage);
      return false;
    });
    ask_at(server.url());
    const HttpResult result = ask();
    EXPECT_FALSE(result) << garbage;
  }
  CallServer server([](Connection&, const std::string&) { return false; });
  ask_at(server.url());
  EXPECT_EQ(error(Kind::closed), "the server closed the connection without an answer");
}

TEST_F(HttpCallerTest, ARedirectIsAnAnswer) {
  CallServer other(say_ok);
  CallServer server([&](Connection& connection, const std::string&) {
    return connection.send(http_answer(302, "", "Location: " + other.url() + "\r\n"));
  });
  ask_at(server.url());
  EXPECT_EQ(ask().value().head.status, 302);
  EXPECT_EQ(other.connections(), 0);
}

TEST_F(HttpCallerTest, NobodyListens) {
  OwnPort port;
  ask_at(port.url() + "/ask");
  EXPECT_THAT(error(Kind::connect), HasSubstr("refused"));
}

TEST_F(HttpCallerTest, ANameIsLookedUpBySomebodyElse) {
  CallServer server(say_ok);
  const std::string url = server.url();
  ask_at("http://localhost" + url.substr(url.find(':', 7)));
  start();
  ASSERT_EQ(names.size(), 1U);
  caller->on_addresses(names[0].first + 1, parse_literal("127.0.0.2", names[0].second).value());
  EXPECT_EQ(server.connections(), 0) << "that was another's";
  caller->on_addresses(names[0].first, parse_literal("127.0.0.1", names[0].second).value());
  run(1);
  EXPECT_EQ(results[0].value().body, "ok");
  // One that is not found, one that is never answered, and an answer that comes too late.
  ask_at("http://localhost:1/");
  start();
  caller->on_addresses(names[1].first, std::unexpected(SocketError{SocketError::Kind::resolve,
                                                                   "no such name"}));
  run(2);
  EXPECT_EQ(results[1].error().message, "no such name");
  EXPECT_EQ(error(Kind::timeout, milliseconds(20)), "no answer in time");
  caller->on_addresses(names[2].first, parse_literal("127.0.0.1", 1).value());
  EXPECT_EQ(results.size(), 3U);
}

TEST_F(HttpCallerTest, TlsIsVerified) {
  const TestAuthority authority;
  const auto wire = [&](const std::string& whom, bool expired = false) {
    return tls_wire(authority.issue(whom, expired));
  };
  CallServer good(say_ok, wire("IP:127.0.0.1"));
  ask_at(good.url(), 1, authority.ca_file());
  EXPECT_EQ(ask().value().body, "ok");
  EXPECT_EQ(ask().value().body, "ok");
  EXPECT_EQ(good.connections(), 1);
  ask_at(good.url());
  EXPECT_THAT(error(Kind::connect), HasSubstr("certificate")) << "nobody trusts that one";
  EXPECT_EQ(good.requests(), 2);
  CallServer other(say_ok, wire("IP:127.0.0.2"));
  ask_at(other.url(), 1, authority.ca_file());
  EXPECT_NE(error(Kind::connect), "answered");
  CallServer expired(say_ok, wire("IP:127.0.0.1", true));
  ask_at(expired.url(), 1, authority.ca_file());
  EXPECT_THAT(error(Kind::connect), HasSubstr("expired"));
  CallServer plain(hang);
  std::string url = plain.url();
  ask_at(url.replace(0, 4, "https"), 1, authority.ca_file());
  EXPECT_EQ(error(Kind::timeout, milliseconds(50)).empty(), false);
}

// Whose keys are trusted is a part of what is asked: another answer may come of it.
TEST(RemoteServer, IsAnotherWhereOthersAreTrusted) {
  const TestAuthority one;
  const TestAuthority other;
  const auto server = [](const std::string& ca_file) {
    return parse_remote_server("https://id.example/", false, ca_file).value();
  };
  EXPECT_EQ(server(one.ca_file()), server(one.ca_file()));
  EXPECT_NE(server(one.ca_file()), server(other.ca_file()));
  EXPECT_NE(server(one.ca_file()), server(""));
}

// What an idle server sends is no answer to anything.
TEST_F(HttpCallerTest, WhoSpeaksUnaskedIsLeft) {
  CallServer server([](Connection& connection, const std::string&) {
    return connection.send(http_answer(200, "ok") + http_answer(200, "more"));
  });
  ask_at(server.url());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(ask().value().body, "ok");
}

TEST_F(HttpCallerTest, WhoSpeaksUnaskedLaterIsLeftToo) {
  std::atomic<bool> idle = false;
  CallServer server([&](Connection& connection, const std::string& request) {
    say_ok(connection, request);
    while (!idle) std::this_thread::yield();
    return connection.send(http_answer(200, "more"));
  });
  ask_at(server.url());
  EXPECT_EQ(ask().value().body, "ok");
  EXPECT_EQ(caller->polled(), 1U);
  idle = true;
  std::vector<pollfd> fds;
  caller->poll(fds);
  system_waiter().wait(fds, system_waiter().now() + std::chrono::seconds(60));
  caller->handle(fds);
  EXPECT_EQ(caller->polled(), 0U);
  EXPECT_EQ(ask().value().body, "ok");
  EXPECT_EQ(server.connections(), 2);
}

}  // namespace
}  // namespace tocsin::net
