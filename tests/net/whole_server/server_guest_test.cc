// A hub inside a program that has other things to do: what it leaves alone, and what it does not
// let its program do wrong.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/server_fixture.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;

class ServerGuest : public ServerTest {
 protected:
  ServerGuest() { options.private_descriptors = false; }
  void route(std::string path, std::function<Answer(Server&, const RouteRequest&)> handle) {
    application.routes.push_back({.path = std::move(path), .handle = std::move(handle)});
  }
};
INSTANTIATE_TEST_SUITE_P(Server, ServerGuest, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

// The signals that a thread of this process blocks, as bits; by the thread's name.
std::vector<std::uint64_t> blocked_in_threads(const std::string& name) {
  std::vector<std::uint64_t> masks;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string comm;
    std::ifstream(task.path() / "comm") >> comm;
    if (!comm.starts_with(name)) continue;
    std::ifstream status(task.path() / "status");
    for (std::string word; status >> word;) {
      if (word != "SigBlk:") continue;
      status >> word;
      masks.push_back(std::strtoull(word.c_str(), nullptr, 16));
    }
  }
  return masks;
}

TEST_P(ServerGuest, SignalsAreTheProgramsAlone) {
  sigset_t before;
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  start();
  const auto masks = blocked_in_threads("shard-");
  // A worker that the kernel makes for a ring has its thread's name until it gets its own.
  EXPECT_GE(masks.size(), 2U);
  for (const std::uint64_t mask : masks) {
    for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGCHLD, SIGALRM, SIGUSR1, SIGRTMIN}) {
      EXPECT_TRUE(mask >> (signal - 1) & 1U) << signal;
    }
  }
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  for (int signal = 1; signal < SIGRTMAX; ++signal) {
    EXPECT_EQ(sigismember(&before, signal), sigismember(&after, signal)) << signal;
  }
}

TEST_P(ServerGuest, DescriptorsAreTheProgramsToo) {
  std::array<int, 2> early{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, early.data()), 0);
  std::atomic<int> out = -1;
  route("/write", [&](Server&, const RouteRequest&) -> Answer {
    return Response{.status = write(out, "x", 1) == 1 ? 204 : 503};
  });
  start();
  // One that was opened after the start can be used in a route.
  std::array<int, 2> late{};
  ASSERT_EQ(pipe2(late.data(), O_CLOEXEC | O_NONBLOCK), 0);
  out = late[1];
  EXPECT_EQ(get("/write").status, 204);
  char byte = 0;
  EXPECT_EQ(read(late[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'x');
  // One that was open before is closed when the program closes it.
  close(early[1]);
  EXPECT_EQ(recv(early[0], &byte, 1, MSG_DONTWAIT), 0);
  for (const int fd : {early[0], late[0], late[1]}) close(fd);
}

std::size_t open_descriptors() {
  const auto all = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

TEST_P(ServerGuest, ItLeavesNoDescriptorBehind) {
  options.shards = 1;
  options.max_connections = 10;
  const std::size_t before = open_descriptors();
  {
    const auto server = Server::start(options);
    ASSERT_TRUE(server) << server.error();
    const std::string& address = (*server)->addresses().front();
    TestSubscriber stream(address, "/events");
    TestClient idle(address);
    EXPECT_EQ(idle.request("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
    TestClient half(address);
    half.send("GET /heal");
    EXPECT_TRUE((*server)->publish({.data = "x"}));
    stream.wait_data(1);
  }
  EXPECT_EQ(open_descriptors(), before);
  // Nor when it does not start.
  ServerOptions bad = options;
  bad.listen = {"127.0.0.1:0", "192.0.2.1:0"};  // no address of this machine
  EXPECT_FALSE(Server::start(bad));
  EXPECT_EQ(open_descriptors(), before);
}

TEST_P(ServerGuest, StartSaysWhatCannotBe) {
  const Route good{.path = "/x", .handle = [](Server&, const RouteRequest&) { return Declined{}; }};
  const auto fault = [&](const std::function<void(ServerOptions&, Application&)>& change) {
    ServerOptions changed = options;
    Application changed_application{.routes = {good}};
    change(changed, changed_application);
    const auto started = Server::start(changed, changed_application);
    return started ? "none" : started.error();
  };
  EXPECT_EQ(fault([](auto&, auto&) {}), "none");
  EXPECT_THAT(fault([](auto& o, auto&) { o.listen.clear(); }), HasSubstr("address"));
  EXPECT_THAT(fault([](auto& o, auto&) { o.shards = 129; }), HasSubstr("at most 128"));
  EXPECT_THAT(fault([](auto& o, auto&) { o.topics = {"a", "b\nc"}; }), HasSubstr("topic"));
  for (const char* path : {"", "x", "/a b", "/a?b", "/a#b", "/a\n"}) {
    EXPECT_THAT(fault([&](auto&, auto& a) { a.routes[0].path = path; }), HasSubstr("not a path"));
  }
  using proto::Method;
  EXPECT_THAT(fault([](auto&, auto& a) { a.routes[0].method = Method::head; }), HasSubstr("get"));
  EXPECT_THAT(fault([](auto&, auto& a) { a.routes[0].handle = {}; }), HasSubstr("no function"));
  EXPECT_THAT(fault([&](auto&, auto& a) { a.routes.push_back(good); }), HasSubstr("twice"));
  EXPECT_EQ(fault([&](auto&, auto& a) {
              a.routes.push_back(good);
              a.routes.back().method = Method::post;
            }),
            "none");
  EXPECT_EQ(fault([&](auto&, auto& a) {
              a.routes.push_back(good);
              a.routes.back().prefix = true;
            }),
            "none");
  EXPECT_THAT(fault([](auto&, auto& a) { a.routes[0].max_body_bytes = 4'194'305; }),
              HasSubstr("at most 4194304"));
  EXPECT_THAT(fault([](auto&, auto& a) { a.stream_headers = "A: b"; }), HasSubstr("whole lines"));
}

// A head that is not one would be read as another answer.
TEST_P(ServerGuest, AnAnswerThatCannotBeSentIsA500) {
  const std::vector<Answer> answers{
      Response{.status = 101},
      Response{.status = 0},
      Response{.status = 600},
      Response{.body = "of no type"},
      Response{.content_type = "text/plain\r\nX: y", .body = "x"},
      Response{.headers = "X: y"},
      Response{.headers = "Content-Length: 1\r\n"},
      StreamResponse{.headers = "X: y\r\n\r\n"},
      StreamResponse{.topics = std::vector<std::string>(limits::kMaxTopicsPerSubscriber + 1, "a")},
  };
  route("/bad", [answers](Server&, const RouteRequest& request) -> Answer {
    return answers.at(std::stoul(std::string(request.query.first("n").value())));
  });
  route("/throws", [](Server&, const RouteRequest&) -> Answer { throw 42; });
  start();
  for (std::size_t i = 0; i < answers.size(); ++i) {
    EXPECT_EQ(get("/bad?n=" + std::to_string(i)).status, 500) << i;
  }
  EXPECT_EQ(get("/bad?n=" + std::to_string(answers.size())).status, 500);  // at() throws
  EXPECT_EQ(get("/throws").status, 500);
  EXPECT_EQ(rejections(Rejection::failed), answers.size() + 2);
}

TEST_P(ServerGuest, ARouteMayStopTheHub) {
  route("/stop", [](Server& server, const RouteRequest&) -> Answer {
    server.stop();
    return Response{.status = 204};
  });
  start();
  TestClient client = connect();
  client.send("GET /stop HTTP/1.1\r\nHost: h\r\n\r\n");
  server().wait();
  EXPECT_TRUE(server().ended());
}

using ServerGuestDeathTest = ServerGuest;
INSTANTIATE_TEST_SUITE_P(Server, ServerGuestDeathTest, testing::Values(IoChoice::epoll),
                         ServerTest::backend_name);

TEST_P(ServerGuestDeathTest, ARouteThatWaitsForTheHubIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        route("/wait", [](Server& server, const RouteRequest&) -> Answer {
          server.wait();
          return Declined{};
        });
        start();
        std::ignore = get("/wait");
      },
      "runs_here");
}

}  // namespace
}  // namespace tocsin::net
