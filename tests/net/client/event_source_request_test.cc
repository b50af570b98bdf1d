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

class EventSourceRequest : public EventSourceTest {
 protected:
  static void make_post(EventSourceOptions& options) {
    options.method = "POST";
    options.headers = {{"Content-Type", "application/json"}, {"Authorization", "Bearer x"}};
    options.body = R"({"prompt":"hello"})";
  }
};

TEST_F(EventSourceRequest, TheBodyIsSentAgainWithEveryAttempt) {
  serve({record(kStreamHead + "id: 1\ndata: a\n\n"), record("HTTP/1.1 503 Busy\r\n\r\n"),
         record(kStreamHead + "data: b\n\n")});
  make_post(client_.options);
  client_.stop_after = 2;
  EXPECT_EQ(client_.run().end, End::stopped);
  const std::string host = "127.0.0.1:" + std::to_string(server_->port());
  const std::string fields =
      "Content-Type: application/json\r\nAuthorization: Bearer x\r\nContent-Length: 18\r\n\r\n"
      R"({"prompt":"hello"})";
  const std::string head = "POST /events HTTP/1.1\r\nHost: " + host +
                           "\r\nAccept: text/event-stream\r\nAccept-Encoding: identity\r\n"
                           "Cache-Control: no-cache\r\nUser-Agent: tocsin\r\n";
  EXPECT_THAT(requests_, ElementsAre(head + fields, head + "Last-Event-ID: 1\r\n" + fields,
                                     head + "Last-Event-ID: 1\r\n" + fields));
}

TEST_F(EventSourceRequest, AMethodWithoutBody) {
  serve({record(kStreamHead + "data: a\n\n")});
  client_.options.method = "REPORT";
  EXPECT_EQ(client_.run().end, End::stopped);
  EXPECT_THAT(requests_, ElementsAre(AllOf(StartsWith("REPORT /events HTTP/1.1\r\n"),
                                           HasSubstr("\r\nContent-Length: 0\r\n"))));
}

TEST_F(EventSourceRequest, RedirectsKeepOrDropTheBody) {
  struct Case {
    const char* method;
    int status;
    bool kept;
  };
  for (const auto& [method, status, kept] :
       {Case{"POST", 301, false}, Case{"POST", 302, false}, Case{"POST", 303, false},
        Case{"POST", 307, true}, Case{"POST", 308, true}, Case{"PUT", 301, true},
        Case{"PUT", 302, true}, Case{"PUT", 303, false}}) {
    requests_.clear();
    const std::string moved =
        "HTTP/1.1 " + std::to_string(status) + " Moved\r\nLocation: /there\r\n\r\n";
    ScriptedServer server(
        {record(moved), record(kStreamHead + "data: a\n\n"), record(kStreamHead + "data: b\n\n")});
    EventSourceRecorder client(server.url());
    make_post(client.options);
    client.options.method = method;
    client.stop_after = 2;
    EXPECT_EQ(client.run().end, End::stopped);
    ASSERT_EQ(requests_.size(), 3U);
    if (kept) {
      EXPECT_THAT(requests_[1], AllOf(StartsWith(std::string(method) + " /there HTTP/1.1\r\n"),
                                      HasSubstr("Content-Type: application/json\r\n"),
                                      EndsWith("\r\n\r\n" + client.options.body)));
    } else {
      EXPECT_THAT(requests_[1],
                  AllOf(StartsWith("GET /there HTTP/1.1\r\n"), Not(HasSubstr("Content-")),
                        HasSubstr("Authorization: Bearer x\r\n"), EndsWith("\r\n\r\n")));
    }
    // The next attempt begins from the start.
    EXPECT_EQ(requests_[2], requests_[0]) << method << ' ' << status;
  }
}

TEST_F(EventSourceRequest, ABodyThatGoesElsewhereTakesItsTypeAndNoCredentials) {
  ScriptedServer other({record(kStreamHead + "data: a\n\n")});
  serve({answer("HTTP/1.1 307 Moved\r\nLocation: " + other.url("/c") + "\r\n\r\n")});
  make_post(client_.options);
  EXPECT_EQ(client_.run().end, End::stopped);
  EXPECT_THAT(requests_,
              ElementsAre(AllOf(StartsWith("POST /c HTTP/1.1\r\n"),
                                HasSubstr("\r\nContent-Type: application/json\r\n"),
                                Not(HasSubstr("Authorization")), EndsWith(client_.options.body))));
}

TEST_F(EventSourceRequest, CredentialsDoNotComeBackFromAnotherOrigin) {
  std::string home;
  ScriptedServer other({[&](Connection& c) {
    requests_.push_back(c.read_request());
    c.send("HTTP/1.1 307 Moved\r\nLocation: " + home + "\r\n\r\n");
  }});
  serve({record("HTTP/1.1 307 Moved\r\nLocation: " + other.url("/c") + "\r\n\r\n"),
         record(kStreamHead + "data: a\n\n"), record(kStreamHead + "data: b\n\n")});
  home = server_->url("/chosen-elsewhere");
  make_post(client_.options);
  client_.stop_after = 2;
  EXPECT_EQ(client_.run().end, End::stopped);
  const auto theirs = AllOf(HasSubstr("Content-Type"), Not(HasSubstr("Authorization")));
  EXPECT_THAT(requests_, ElementsAre(HasSubstr("Authorization"), theirs,
                                     AllOf(StartsWith("POST /chosen-elsewhere "), theirs),
                                     HasSubstr("Authorization")));
}

TEST_F(EventSourceRequest, ALargeBodyArrivesWhole) {
  serve({record(kStreamHead + "data: a\n\n")});
  make_post(client_.options);
  client_.options.body = std::string(8'000'000, 'x');
  EXPECT_EQ(client_.run().end, End::stopped);
  ASSERT_EQ(requests_.size(), 1U);
  EXPECT_TRUE(requests_[0].ends_with("\r\n\r\n" + client_.options.body));
}

TEST_F(EventSourceRequest, AnAnswerBeforeTheBodyWasReadCounts) {
  serve({[](Connection& c) {
    c.wait_for_bytes();
    c.send("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    c.wait_for_close();
  }});
  make_post(client_.options);
  client_.options.body = std::string(8'000'000, 'x');
  const auto result = client_.run();
  EXPECT_EQ(result.end, End::refused);
  EXPECT_EQ(result.status, 413);
}

TEST_F(EventSourceRequest, StreamsOfAHubAreNamedInTheQuery) {
  serve({record(kStreamHead + "data: a\n\n")});
  client_.options.url = server_->url("/events?token=t");
  client_.options.streams = {"prices", "a&b"};
  EXPECT_EQ(client_.run().end, End::stopped);
  EXPECT_THAT(requests_,
              ElementsAre(StartsWith("GET /events?token=t&stream=prices&stream=a%26b HTTP/1.1")));
}

}  // namespace
}  // namespace tocsin::net
