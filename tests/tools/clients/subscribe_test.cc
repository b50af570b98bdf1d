#include "tools/clients/subscribe.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cmath>
#include <functional>
#include <memory>
#include <utility>

#include <CLI/CLI.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/scripted_server.h"
#include "tests/tools/clients/memory_file.h"

namespace tocsin::tools {
namespace {

using net::ScriptedServer;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Connection = ScriptedServer::Connection;

const std::string kHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

ScriptedServer::Script answer(std::string bytes) {
  return [bytes](Connection& c) {
    c.read_request();
    c.send(bytes);
  };
}

// Runs the command with a pipe as its standard output.
struct SubscribeRun {
  SubscribeOptions options;
  MemoryFile err;
  int pipe[2] = {-1, -1};

  explicit SubscribeRun(const std::string& url) {
    options.url = url;
    options.quiet = true;
    EXPECT_EQ(pipe2(pipe, O_CLOEXEC), 0);
  }
  ~SubscribeRun() {
    for (const int fd : pipe) {
      if (fd >= 0) close(fd);
    }
  }
  SubscribeRun(const SubscribeRun&) = delete;
  SubscribeRun& operator=(const SubscribeRun&) = delete;

  int operator()() { return run_subscribe(options, {pipe[1], err.file()}); }

  // What was written, after the run. REQUIRES: less than a pipe holds.
  std::string out() {
    close(std::exchange(pipe[1], -1));
    std::string text;
    char buffer[4096];
    for (ssize_t got = 0; (got = read(pipe[0], buffer, sizeof buffer)) > 0;) {
      text.append(buffer, static_cast<std::size_t>(got));
    }
    return text;
  }
};

TEST(Subscribe, PrintsDataUntilTheCountIsReached) {
  ScriptedServer server({answer(kHead + "data: a\n\ndata: b\ndata: c\n\ndata: never\n\n")});
  SubscribeRun run(server.url(""));
  run.options.count = 2;
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(run.out(), "a\nb\nc\n");
  EXPECT_EQ(run.err.text(), "");
}

TEST(Subscribe, PrintsJson) {
  ScriptedServer server(
      {answer(kHead + "id: 1\nevent: t\"\ndata: \"a\"\ndata: b\\\n\ndata: c\n\n")});
  SubscribeRun run(server.url(""));
  run.options.json = true;
  run.options.count = 2;
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(run.out(), R"({"type":"t\"","id":"1","data":"\"a\"\nb\\"})"
                       "\n"
                       R"({"type":"message","id":"1","data":"c"})"
                       "\n");
}

TEST(Subscribe, AsksForStreamsAndResumes) {
  std::string request;
  ScriptedServer server({[&](Connection& c) {
    request = c.read_request();
    c.send(kHead + "data: a\n\n");
  }});
  SubscribeRun run(server.url("/"));
  run.options.streams = {"a&b", "c"};
  run.options.hello = true;
  run.options.heartbeat = "4s";
  run.options.last_event_id = "e-7";
  run.options.headers = {"Authorization:Bearer x "};
  run.options.count = 1;
  EXPECT_EQ(run(), 0);
  EXPECT_THAT(
      request,
      AllOf(StartsWith("GET /events?stream=a%26b&stream=c&hello=1&heartbeat=4s HTTP/1.1\r\n"),
            HasSubstr("\r\nLast-Event-ID: e-7\r\n"), HasSubstr("\r\nAuthorization: Bearer x\r\n")));
}

TEST(Subscribe, AUrlWithAPathIsTakenAsItIs) {
  std::string request;
  ScriptedServer server({[&](Connection& c) {
    request = c.read_request();
    c.send(kHead + "data: a\n\n");
  }});
  SubscribeRun run(server.url("/sse?x=1"));
  run.options.count = 1;
  EXPECT_EQ(run(), 0);
  EXPECT_THAT(request, StartsWith("GET /sse?x=1 HTTP/1.1\r\n"));
}

TEST(Subscribe, FiltersByType) {
  ScriptedServer server({answer(
      kHead + "data: no\n\nevent: tick\ndata: a\n\nevent: x\ndata: no\n\nevent: y\ndata: b\n\n")});
  SubscribeRun run(server.url());
  run.options.types = {"tick", "y"};
  run.options.count = 2;
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(run.out(), "a\nb\n");
}

TEST(Subscribe, ReconnectsAndSaysSoUnlessQuiet) {
  std::string second;
  const auto script = [&](Connection& c) {
    second = c.read_request();
    c.send(kHead + "data: b\n\n");
  };
  ScriptedServer server({answer(kHead + "retry: 0\nid: 4\ndata: a\n\n"), script});
  SubscribeRun run(server.url());
  run.options.quiet = false;
  run.options.count = 2;
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(run.out(), "a\nb\n");
  EXPECT_THAT(second, HasSubstr("Last-Event-ID: 4\r\n"));
  const std::string connected = "tocsin subscribe: connected to " + server.url() + "\n";
  EXPECT_EQ(run.err.text(), connected +
                                "tocsin subscribe: the server ended the stream; reconnecting in "
                                "0.1 s\n" +
                                connected);
}

TEST(Subscribe, WithoutReconnectTheStreamsEndIsTheEnd) {
  ScriptedServer server({answer(kHead + "data: a\n\n"), answer(kHead + "data: a\n\n")});
  SubscribeRun run(server.url());
  run.options.reconnect = false;
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(run.out(), "a\n");
  EXPECT_EQ(run.err.text(), "");
  SubscribeRun counted(server.url());
  counted.options.reconnect = false;
  counted.options.count = 2;
  EXPECT_EQ(counted(), 1);
  EXPECT_THAT(counted.err.text(), HasSubstr("the server ended the stream after 1 of 2 events"));
}

TEST(Subscribe, WithoutReconnectNoConnectionIsAFailure) {
  auto gone = std::make_unique<ScriptedServer>(std::vector<ScriptedServer::Script>{});
  SubscribeRun run(gone->url());
  gone.reset();
  run.options.reconnect = false;
  EXPECT_EQ(run(), 1);
  EXPECT_THAT(run.err.text(), HasSubstr("cannot connect to"));
}

TEST(Subscribe, FinalAnswersEndIt) {
  ScriptedServer server(
      {answer("HTTP/1.1 404 Not Found\r\n\r\n"), answer("HTTP/1.1 204 No Content\r\n\r\n")});
  SubscribeRun refused(server.url());
  EXPECT_EQ(refused(), 1);
  EXPECT_EQ(refused.err.text(), "tocsin subscribe: the server answered with status 404\n");
  SubscribeRun no_content(server.url());
  EXPECT_EQ(no_content(), 0);
  EXPECT_EQ(no_content.err.text(), "");
}

TEST(Subscribe, TheTimeoutEndsIt) {
  const auto hang = [](Connection& c) {
    c.read_request();
    c.send(kHead);
    c.wait_for_close();
  };
  ScriptedServer server({hang, hang});
  SubscribeRun run(server.url());
  run.options.timeout_s = 0.01;
  EXPECT_EQ(run(), 0);
  run.options.count = 1;
  EXPECT_EQ(run(), 1);
  EXPECT_THAT(run.err.text(), HasSubstr("the time is up after 0 of 1 events"));
}

// SIGTERM must be blocked in every other thread of this process: the test blocks it before they
// start.
class SubscribeSignal : public ::testing::Test {
 protected:
  void SetUp() override {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, &old_);
  }
  void TearDown() override { pthread_sigmask(SIG_SETMASK, &old_, nullptr); }
  sigset_t old_{};
};

TEST_F(SubscribeSignal, EndsAnIdleStream) {
  ScriptedServer server({[](Connection& c) {
    c.read_request();
    c.send(kHead);
    kill(getpid(), SIGTERM);
    c.wait_for_close();
  }});
  SubscribeRun run(server.url());
  run.options.count = 5;
  EXPECT_EQ(run(), 0);
}

TEST_F(SubscribeSignal, EndsAWriteThatNobodyReads) {
  ScriptedServer server({[](Connection& c) {
    c.read_request();
    // Far more than all buffers on the way hold: when the client has taken so much, it is writing.
    c.send(kHead);
    const std::string event = "data: " + std::string(100'000, 'x') + "\n\n";
    for (int i = 0; i < 10; ++i) c.send(event);
    kill(getpid(), SIGTERM);
    c.wait_for_close();
  }});
  SubscribeRun run(server.url());
  EXPECT_EQ(run(), 0);
}

TEST(Subscribe, AClosedOutputEndsItQuietly) {
  SubscribeRun idle("");
  ScriptedServer server({[&](Connection& c) {
                           c.read_request();
                           c.send(kHead);
                           close(std::exchange(idle.pipe[0], -1));  // and nothing more is sent
                           c.wait_for_close();
                         },
                         [&](Connection& c) {
                           c.read_request();
                           c.send(kHead);
                           for (int i = 0; i < 1000; ++i) c.send("data: x\n\n");
                           c.wait_for_close();
                         }});
  idle.options.url = server.url();
  EXPECT_EQ(idle(), 0);
  SubscribeRun busy(server.url());
  close(std::exchange(busy.pipe[0], -1));
  EXPECT_EQ(busy(), 0);
  EXPECT_EQ(idle.err.text() + busy.err.text(), "");
}

TEST(Subscribe, AFullDiskIsAFailure) {
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  if (full < 0) GTEST_SKIP() << "no /dev/full here";
  ScriptedServer server({answer(kHead + "data: a\n\n")});
  SubscribeRun run(server.url());
  EXPECT_EQ(run_subscribe(run.options, {full, run.err.file()}), 1);
  EXPECT_THAT(run.err.text(), HasSubstr("cannot write: No space left"));
  close(full);
}

TEST(Subscribe, WrongOptionsConnectNowhere) {
  const auto fault = [](const std::function<void(SubscribeOptions&)>& change) {
    SubscribeRun run("http://127.0.0.1:1");
    change(run.options);
    EXPECT_EQ(run(), 2);
    return run.err.text();
  };
  EXPECT_THAT(fault([](auto& o) { o.url = "h"; }), HasSubstr("http://"));
  EXPECT_THAT(fault([](auto& o) { o.url = "ftp://h"; }), HasSubstr("ftp is not supported"));
  EXPECT_THAT(fault([](auto& o) { o.last_event_id = "a\nb"; }), HasSubstr("last event id"));
  EXPECT_THAT(fault([](auto& o) { o.headers = {"a"}; }), HasSubstr("--header"));
  EXPECT_THAT(fault([](auto& o) { o.headers = {"Host: h"}; }), HasSubstr("cannot be set"));
  EXPECT_THAT(fault([](auto& o) { o.timeout_s = 0; }), HasSubstr("--timeout"));
  EXPECT_THAT(fault([](auto& o) { o.timeout_s = std::nan(""); }), HasSubstr("--timeout"));
}

TEST(Subscribe, CommandLine) {
  std::string request;
  ScriptedServer server({[&](Connection& c) {
    request = c.read_request();
    c.send("HTTP/1.1 204 No Content\r\n\r\n");
  }});
  CLI::App app;
  int code = -1;
  add_subscribe_command(app, code);
  std::vector<std::string> arguments{
      "b",     "--stream", "a", "--stream", "-q", "--no-reconnect", server.url(""),
      "--url", "subscribe"};  // reversed
  app.parse(arguments);
  EXPECT_EQ(code, 0);
  EXPECT_THAT(request, StartsWith("GET /events?stream=a&stream=b HTTP/1.1\r\n"));
  std::vector<std::string> wrong{"many", "--count", "subscribe"};
  EXPECT_THROW(app.parse(wrong), CLI::ParseError);
}

}  // namespace
}  // namespace tocsin::tools
