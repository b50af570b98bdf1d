#include "net/client/event_source.h"

#include <cstdlib>
#include <future>
#include <stdexcept>
#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/event_source_recorder.h"
#include "tests/net/support/scripted_server.h"

namespace tocsin::net {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

using EventSourceDeathTest = EventSourceTest;

TEST_F(EventSourceTest, DeliversEventsAndStops) {
  serve({[](Connection& c) {
    c.read_request();
    c.send(kStreamHead + "data: a\n\nevent: tick\ndata: b\ndata: c\nid: 7\n\ndata: never\n\n");
    c.wait_for_close();
  }});
  client_.stop_after = 2;
  const auto result = client_.run();
  EXPECT_EQ(result.end, End::stopped);
  EXPECT_EQ(result.message, "");
  EXPECT_THAT(client_.events, ElementsAre("message:a", "tick:b\nc"));
  EXPECT_THAT(client_.opened, ElementsAre(server_->url()));
  EXPECT_TRUE(client_.reasons.empty());
}

TEST_F(EventSourceTest, StopInTheMiddleOfAChunkLeavesTheIdBehindTheLastDelivered) {
  serve({answer(kStreamHead + "id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\n\n")});
  EXPECT_EQ(client_.run().end, End::stopped);
  EXPECT_THAT(client_.events, ElementsAre("message:a"));
  EXPECT_EQ(client_.resume_at, "1");
}

TEST_F(EventSourceTest, ARefusalSaysWhatTheServerSaid) {
  const auto message = [](const std::string& type, const std::string& body,
                          const std::string& length) {
    ScriptedServer server(
        {answer("HTTP/1.1 400 No\r\nContent-Type: " + type + "\r\n" + length + "\r\n" + body)});
    EventSourceRecorder client(server.url());
    const auto result = client.run();
    EXPECT_EQ(result.end, End::refused);
    EXPECT_EQ(result.status, 400);
    return result.message;
  };
  const std::string json = "application/problem+json";
  const std::string body = R"({"detail":"is\tempty\u001b","field":"stream"})";
  const std::string said = "the server answered with status 400: stream is empty ";
  EXPECT_EQ(message(json, body, "Content-Length: " + std::to_string(body.size()) + "\r\n"), said);
  EXPECT_EQ(message(json, body, ""), said) << "to the connection's end";
  EXPECT_EQ(message(json, body, "Content-Length: 1000\r\n"), said) << "cut, and yet whole";
  const std::string only_status = "the server answered with status 400";
  EXPECT_EQ(message("text/plain", body, ""), only_status);
  EXPECT_EQ(message(json, "no JSON", ""), only_status);
  EXPECT_EQ(message(json, R"({"detail":")" + std::string(100'000, 'x') + "\"}", ""), only_status);
}

TEST_F(EventSourceTest, SendsAProperRequest) {
  std::string request;
  serve({[&](Connection& c) {
    request = c.read_request();
    c.send(kStreamHead + "data: a\n\n");
  }});
  client_.options.url = server_->url("/events?stream=a%20b#part");
  client_.options.last_event_id = "4\xc3\xa9";
  client_.options.headers = {{"Authorization", "Bearer x"}, {"user-agent", "test"}};
  client_.run();
  EXPECT_EQ(request, "GET /events?stream=a%20b HTTP/1.1\r\nHost: 127.0.0.1:" +
                         std::to_string(server_->port()) +
                         "\r\nAccept: text/event-stream\r\nAccept-Encoding: identity\r\n"
                         "Cache-Control: no-cache\r\n"
                         "Last-Event-ID: 4\xc3\xa9\r\nAuthorization: Bearer x\r\n"
                         "user-agent: test\r\n\r\n");
}

TEST_F(EventSourceTest, ReadsEveryFramingByteByByte) {
  const std::string body = "\xef\xbb\xbf: hi\r\nid: 1\r\ndata: \xc3\xa9\r\ndata: b\r\n\r\n";
  std::string chunked;
  for (const char c : body) chunked += "1\r\n" + std::string(1, c) + "\r\n";
  const std::string fields = "Content-Type: text/event-stream; charset=utf-8\r\n";
  const std::string length = "Content-Length: " + std::to_string(body.size()) + "\r\n";
  for (const std::string& response :
       {"HTTP/1.1 200 OK\r\n" + fields + "\r\n" + body,
        "HTTP/1.0 200 OK\r\n" + fields + "\r\n" + body,
        "HTTP/1.1 200 OK\r\n" + fields + length + "\r\n" + body,
        "HTTP/1.1 200 OK\r\n" + fields + "Transfer-Encoding: chunked\r\n\r\n" + chunked +
            "0\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n" + fields + "\r\n" + body}) {
    ScriptedServer server({[&](Connection& c) {
                             c.read_request();
                             c.send_by_bytes(response);
                           },
                           answer(kStreamHead + "data: next\n\n")});
    EventSourceRecorder client(server.url());
    client.stop_after = 2;
    EXPECT_EQ(client.run().end, End::stopped);
    EXPECT_THAT(client.events, ElementsAre("message:\xc3\xa9\nb", "message:next")) << response;
    EXPECT_THAT(client.reasons, ElementsAre(Reason::end_of_stream)) << response;
  }
}

TEST_F(EventSourceTest, FollowsRedirectsWithoutCarryingCredentialsAway) {
  std::string at_home;
  std::string abroad;
  ScriptedServer other({[&](Connection& c) {
    abroad = c.read_request();
    c.send(kStreamHead + "data: a\n\n");
  }});
  serve({answer("HTTP/1.1 302 Found\r\nLocation: b?x=1\r\nContent-Length: 5\r\n\r\nhello"),
         [&](Connection& c) {
           at_home = c.read_request();
           c.send("HTTP/1.1 307 Moved\r\nLocation: " + other.url("/c") + "\r\n\r\n");
         }});
  client_.options.url = server_->url("/a/");
  client_.options.last_event_id = "9";
  client_.options.headers = {{"Authorization", "Bearer x"}};
  EXPECT_EQ(client_.run().end, End::stopped);
  EXPECT_THAT(at_home, HasSubstr("GET /a/b?x=1 HTTP/1.1\r\n"));
  EXPECT_THAT(at_home, HasSubstr("Authorization: Bearer x"));
  EXPECT_THAT(abroad, HasSubstr("GET /c HTTP/1.1\r\n"));
  EXPECT_THAT(abroad, Not(HasSubstr("Authorization")));
  EXPECT_THAT(abroad, HasSubstr("Last-Event-ID: 9\r\n"));
  EXPECT_THAT(client_.opened, ElementsAre(other.url("/c")));
  EXPECT_TRUE(client_.reasons.empty());
}

TEST_F(EventSourceTest, RedirectsThatCannotBeFollowedAreFinal) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "no location"},
      {"Location: ftp://example.org/\r\n", "ftp is not supported"},
      {"Location: http://user@example.org/\r\n", "user name"}};
  for (const auto& [field, why] : cases) {
    ScriptedServer server({answer("HTTP/1.1 301 Moved\r\n" + std::string(field) + "\r\n")});
    EventSourceRecorder client(server.url());
    const auto result = client.run();
    EXPECT_EQ(result.end, End::refused);
    EXPECT_THAT(result.message, HasSubstr(why));
  }
}

TEST_F(EventSourceTest, RedirectLoopsEnd) {
  std::vector<Script> scripts(6, answer("HTTP/1.1 308 Moved\r\nLocation: /again\r\n\r\n"));
  serve(scripts);
  const auto result = client_.run();
  EXPECT_EQ(result.end, End::refused);
  EXPECT_THAT(result.message, HasSubstr("too many redirects"));
  EXPECT_EQ(server_->connections(), 6);  // max_redirects = 5
}

TEST_F(EventSourceTest, StopBeforeRunIsNotLost) {
  EventSourceRecorder client("http://127.0.0.1:1");
  client.create();
  client.source->stop();
  EXPECT_EQ(client.source->run().end, End::stopped);
}

TEST_F(EventSourceTest, StopFromAnotherThreadWakesEveryWait) {
  // In the wait for the head, for events, and between two attempts.
  for (const std::string& bytes : {std::string(), kStreamHead, std::string("close")}) {
    std::promise<void> reached;
    ScriptedServer server({[&](Connection& c) {
      c.read_request();
      if (bytes == "close") return;
      c.send(bytes);
      reached.set_value();
      c.wait_for_close();
    }});
    EventSourceOptions options;
    options.url = server.url();
    options.reconnect_policy.initial_min_ms = options.reconnect_policy.initial_max_ms = 3'600'000;
    EventSourceCallbacks callbacks;
    callbacks.on_disconnect = [&](const StreamClosed&) { reached.set_value(); };
    auto source = EventSource::create(options, std::move(callbacks)).value();
    auto result = std::async(std::launch::async, [&] { return source->run(); });
    reached.get_future().wait();
    source->stop();
    EXPECT_EQ(result.get().end, End::stopped);
  }
}

TEST_F(EventSourceTest, AnEndlessStreamCanBeStopped) {
  ScriptedServer server({[](Connection& c) {
    c.read_request();
    c.send(kStreamHead);
    const std::string bytes(64 * 1024, '\n');
    for (int i = 0; i < 100'000; ++i) c.send(bytes);  // returns at once when the client is gone
  }});
  EventSourceOptions options;
  options.url = server.url();
  std::promise<void> opened;
  EventSourceCallbacks callbacks;
  callbacks.on_open = [&](const StreamOpened&) { opened.set_value(); };
  auto source = EventSource::create(options, std::move(callbacks)).value();
  auto result = std::async(std::launch::async, [&] { return source->run(); });
  opened.get_future().wait();
  source->stop();
  EXPECT_EQ(result.get().end, End::stopped);
}

TEST_F(EventSourceTest, SeveralClientsInOneProcess) {
  std::vector<std::unique_ptr<ScriptedServer>> servers;
  std::vector<std::future<std::string>> clients;
  for (int i = 0; i < 8; ++i) {
    servers.push_back(std::make_unique<ScriptedServer>(
        std::vector<Script>{answer(kStreamHead + "data: " + std::to_string(i) + "\n\n")}));
    clients.push_back(std::async(std::launch::async, [url = servers.back()->url()] {
      EventSourceRecorder client(url);
      client.run();
      return client.events.at(0);
    }));
  }
  for (std::size_t i = 0; i < clients.size(); ++i) {
    EXPECT_EQ(clients[i].get(), "message:" + std::to_string(i));
  }
}

TEST_F(EventSourceTest, ConnectsOverIpv6) {
  const int probe = socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const bool usable =
      probe >= 0 && bind(probe, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  if (probe >= 0) close(probe);
  if (!usable) GTEST_SKIP() << "no IPv6 loopback here";
  serve({answer(kStreamHead + "data: a\n\n")}, AF_INET6);
  EXPECT_EQ(client_.run().end, End::stopped);
}

TEST_F(EventSourceDeathTest, RunsOnce) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EventSourceOptions options;
  options.url = "http://127.0.0.1:1";
  const auto source = EventSource::create(options, {});
  ASSERT_TRUE(source.has_value());
  (*source)->stop();
  EXPECT_EQ((*source)->run().end, End::stopped);
  EXPECT_DEATH(std::ignore = (*source)->run(), "was_run_");
}

TEST_F(EventSourceDeathTest, AnExceptionInACallbackEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        ScriptedServer server({answer(kStreamHead + "data: a\n\n")});
        EventSourceOptions options;
        options.url = server.url();
        const auto source = EventSource::create(
            options, {.on_event = [](const auto&) { throw std::runtime_error("thrown"); }});
        try {
          std::ignore = (*source)->run();
        } catch (const std::runtime_error&) {
          std::exit(0);
        }
      },
      "thrown");
}

TEST_F(EventSourceTest, SaysWhichOptionIsWrong) {
  const auto fault = [](const std::function<void(EventSourceOptions&)>& change) {
    EventSourceOptions options;
    options.url = "http://h/";
    change(options);
    const auto created = EventSource::create(options, {});
    return created ? "none" : created.error();
  };
  EXPECT_EQ(fault([](auto&) {}), "none");
  EXPECT_THAT(fault([](auto& o) { o.url = "h"; }), HasSubstr("http://"));
  EXPECT_THAT(fault([](auto& o) { o.last_event_id = "a\nb"; }), HasSubstr("last event id"));
  EXPECT_THAT(fault([](auto& o) { o.headers = {{"a b", ""}}; }), HasSubstr("a b"));
  EXPECT_THAT(fault([](auto& o) { o.headers = {{"X", "a\r\nY: b"}}; }), HasSubstr("X"));
  EXPECT_THAT(fault([](auto& o) { o.headers = {{"HOST", "h"}}; }), HasSubstr("cannot be set"));
  EXPECT_THAT(fault([](auto& o) { o.method = "PO ST"; }), HasSubstr("not a method"));
  EXPECT_THAT(fault([](auto& o) { o.method = ""; }), HasSubstr("not a method"));
  EXPECT_THAT(fault([](auto& o) { o.method = "HEAD"; }), HasSubstr("no stream"));
  EXPECT_THAT(fault([](auto& o) { o.method = "post"; }), HasSubstr("capitals: post"));
  EXPECT_EQ(fault([](auto& o) { o.method = "report"; }), "none");
  EXPECT_THAT(fault([](auto& o) { o.url = "http://u:p@h/"; }), HasSubstr("Authorization"));
  EXPECT_THAT(fault([](auto& o) { o.body = "x"; }), HasSubstr("POST"));
  EXPECT_THAT(fault([](auto& o) { o.reconnect_policy.initial_min_ms = 9999; }), HasSubstr("range"));
}

}  // namespace
}  // namespace tocsin::net
