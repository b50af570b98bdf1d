// Methods and bodies, and what redirects make of them (Fetch standard, HTTP-redirect fetch).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/client/event_source.h"
#include "tests/net/support/event_source_recorder.h"
#include "tests/net/support/scripted_server.h"

namespace tocsin::net {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Connection = ScriptedServer::Connection;
using End = EventSourceResult::End;
using Script = ScriptedServer::Script;

// Answers with `bytes` and keeps what was asked.
Script record(std::vector<std::string>& requests, std::string bytes) {
  return [&requests, bytes](Connection& c) {
    requests.push_back(c.read_request());
    c.send(bytes);
  };
}

void make_post(EventSourceOptions& options) {
  options.method = "POST";
  options.headers = {{"Content-Type", "application/json"}, {"Authorization", "Bearer x"}};
  options.body = R"({"prompt":"hello"})";
}

TEST(EventSourceRequest, TheBodyIsSentAgainWithEveryAttempt) {
  std::vector<std::string> requests;
  ScriptedServer server({record(requests, kStreamHead + "id: 1\ndata: a\n\n"),
                         record(requests, "HTTP/1.1 503 Busy\r\n\r\n"),
                         record(requests, kStreamHead + "data: b\n\n")});
  EventSourceRecorder client(server.url());
  make_post(client.options);
  client.stop_after = 2;
  EXPECT_EQ(client.run().end, End::stopped);
  const std::string host = "127.0.0.1:" + std::to_string(server.port());
  const std::string fields =
      "Content-Type: application/json\r\nAuthorization: Bearer x\r\nContent-Length: 18\r\n\r\n"
      R"({"prompt":"hello"})";
  const std::string head = "POST /events HTTP/1.1\r\nHost: " + host +
                           "\r\nAccept: text/event-stream\r\nAccept-Encoding: identity\r\n"
                           "Cache-Control: no-cache\r\nUser-Agent: tocsin\r\n";
  EXPECT_THAT(requests, ElementsAre(head + fields, head + "Last-Event-ID: 1\r\n" + fields,
                                    head + "Last-Event-ID: 1\r\n" + fields));
}

TEST(EventSourceRequest, AMethodWithoutBody) {
  std::vector<std::string> requests;
  ScriptedServer server({record(requests, kStreamHead + "data: a\n\n")});
  EventSourceRecorder client(server.url());
  client.options.method = "REPORT";
  EXPECT_EQ(client.run().end, End::stopped);
  EXPECT_THAT(requests, ElementsAre(AllOf(StartsWith("REPORT /events HTTP/1.1\r\n"),
                                          HasSubstr("\r\nContent-Length: 0\r\n"))));
}

TEST(EventSourceRequest, RedirectsKeepOrDropTheBody) {
  struct Case {
    const char* method;
    int status;
    bool kept;
  };
  for (const auto& [method, status, kept] :
       {Case{"POST", 301, false}, Case{"POST", 302, false}, Case{"POST", 303, false},
        Case{"POST", 307, true}, Case{"POST", 308, true}, Case{"PUT", 301, true},
        Case{"PUT", 302, true}, Case{"PUT", 303, false}}) {
    std::vector<std::string> requests;
    const std::string moved =
        "HTTP/1.1 " + std::to_string(status) + " Moved\r\nLocation: /there\r\n\r\n";
    ScriptedServer server({record(requests, moved), record(requests, kStreamHead + "data: a\n\n"),
                           record(requests, kStreamHead + "data: b\n\n")});
    EventSourceRecorder client(server.url());
    make_post(client.options);
    client.options.method = method;
    client.stop_after = 2;
    EXPECT_EQ(client.run().end, End::stopped);
    ASSERT_EQ(requests.size(), 3U);
    if (kept) {
      EXPECT_THAT(requests[1], AllOf(StartsWith(std::string(method) + " /there HTTP/1.1\r\n"),
                                     HasSubstr("Content-Type: application/json\r\n"),
                                     EndsWith("\r\n\r\n" + client.options.body)));
    } else {
      EXPECT_THAT(requests[1],
                  AllOf(StartsWith("GET /there HTTP/1.1\r\n"), Not(HasSubstr("Content-")),
                        HasSubstr("Authorization: Bearer x\r\n"), EndsWith("\r\n\r\n")));
    }
    // The next attempt begins from the start.
    EXPECT_EQ(requests[2], requests[0]) << method << ' ' << status;
  }
}

TEST(EventSourceRequest, ABodyThatGoesElsewhereTakesItsTypeAndNoCredentials) {
  std::vector<std::string> requests;
  ScriptedServer other({record(requests, kStreamHead + "data: a\n\n")});
  ScriptedServer server(
      {answer("HTTP/1.1 307 Moved\r\nLocation: " + other.url("/c") + "\r\n\r\n")});
  EventSourceRecorder client(server.url());
  make_post(client.options);
  EXPECT_EQ(client.run().end, End::stopped);
  EXPECT_THAT(requests,
              ElementsAre(AllOf(StartsWith("POST /c HTTP/1.1\r\n"),
                                HasSubstr("\r\nContent-Type: application/json\r\n"),
                                Not(HasSubstr("Authorization")), EndsWith(client.options.body))));
}

TEST(EventSourceRequest, CredentialsDoNotComeBackFromAnotherOrigin) {
  std::vector<std::string> requests;
  std::string home;
  ScriptedServer other({[&](Connection& c) {
    requests.push_back(c.read_request());
    c.send("HTTP/1.1 307 Moved\r\nLocation: " + home + "\r\n\r\n");
  }});
  ScriptedServer server(
      {record(requests, "HTTP/1.1 307 Moved\r\nLocation: " + other.url("/c") + "\r\n\r\n"),
       record(requests, kStreamHead + "data: a\n\n"),
       record(requests, kStreamHead + "data: b\n\n")});
  home = server.url("/chosen-elsewhere");
  EventSourceRecorder client(server.url());
  make_post(client.options);
  client.stop_after = 2;
  EXPECT_EQ(client.run().end, End::stopped);
  const auto theirs = AllOf(HasSubstr("Content-Type"), Not(HasSubstr("Authorization")));
  EXPECT_THAT(requests, ElementsAre(HasSubstr("Authorization"), theirs,
                                    AllOf(StartsWith("POST /chosen-elsewhere "), theirs),
                                    HasSubstr("Authorization")));
}

TEST(EventSourceRequest, ALargeBodyArrivesWhole) {
  std::vector<std::string> requests;
  ScriptedServer server({record(requests, kStreamHead + "data: a\n\n")});
  EventSourceRecorder client(server.url());
  make_post(client.options);
  client.options.body = std::string(8'000'000, 'x');
  EXPECT_EQ(client.run().end, End::stopped);
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_TRUE(requests[0].ends_with("\r\n\r\n" + client.options.body));
}

TEST(EventSourceRequest, AnAnswerBeforeTheBodyWasReadCounts) {
  ScriptedServer server({[](Connection& c) {
    c.wait_for_bytes();
    c.send("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    c.wait_for_close();
  }});
  EventSourceRecorder client(server.url());
  make_post(client.options);
  client.options.body = std::string(8'000'000, 'x');
  const auto result = client.run();
  EXPECT_EQ(result.end, End::refused);
  EXPECT_EQ(result.status, 413);
}

TEST(EventSourceRequest, StreamsOfAHubAreNamedInTheQuery) {
  std::vector<std::string> requests;
  ScriptedServer server({record(requests, kStreamHead + "data: a\n\n")});
  EventSourceRecorder client(server.url("/events?token=t"));
  client.options.streams = {"prices", "a&b"};
  EXPECT_EQ(client.run().end, End::stopped);
  EXPECT_THAT(requests,
              ElementsAre(StartsWith("GET /events?token=t&stream=prices&stream=a%26b HTTP/1.1")));
}

}  // namespace
}  // namespace tocsin::net
