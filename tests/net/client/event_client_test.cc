#include "net/client/event_client.h"

#include <dirent.h>

#include <atomic>
#include <future>
#include <set>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/event_client_log.h"
#include "tests/net/support/event_source_recorder.h"
#include "tests/net/support/fake_waiter.h"
#include "tests/net/support/scripted_server.h"
#include "tests/net/support/tls_server.h"

namespace tocsin::net {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Connection = ScriptedServer::Connection;
using Script = ScriptedServer::Script;

std::size_t entries_of(const char* directory) {
  DIR* dir = opendir(directory);
  std::size_t count = 0;
  while (readdir(dir) != nullptr) ++count;
  closedir(dir);
  return count;
}

// Serves every connection at once: answers each with a stream of one event, and keeps it open.
class Crowd {
 public:
  explicit Crowd(std::size_t count) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener_, raw, size), 0);
    EXPECT_EQ(listen(listener_, 1024), 0);
    EXPECT_EQ(getsockname(listener_, raw, &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, count] {
      for (std::size_t i = 0; i < count; ++i) {
        fds_.push_back(accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC));
        Connection connection(fds_.back());
        const std::string request = connection.read_request();
        const auto at = request.find("/") + 1;
        connection.send(kStreamHead + "data: " + request.substr(at, request.find(' ', at) - at) +
                        "\n\n");
      }
    });
  }
  ~Crowd() {
    thread_.join();
    for (const int fd : fds_) close(fd);
    close(listener_);
  }
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;
  [[nodiscard]] std::string url(std::size_t i) const {
    return "http://127.0.0.1:" + std::to_string(port_) + "/" + std::to_string(i);
  }

 private:
  int listener_ = -1;
  int port_ = 0;
  std::vector<int> fds_;
  std::thread thread_;
};

TEST(EventClient, ManyStreamsInOneThread) {
  constexpr std::size_t kStreams = 200;
  const std::size_t fds_before = entries_of("/proc/self/fd");
  {
    Crowd crowd(kStreams);
    EventLog log;
    auto client = EventClient::create().value();
    const std::size_t threads = entries_of("/proc/self/task");
    std::set<std::string> expected;
    std::vector<EventClient::Handle> handles;
    for (std::size_t i = 0; i < kStreams; ++i) {
      EventSourceCallbacks callbacks;
      callbacks.on_event = [&log](const proto::ReceivedEvent& e) { log.add(std::string(e.data)); };
      handles.push_back(client->subscribe(quick(crowd.url(i)), std::move(callbacks)).value());
      expected.insert(std::to_string(i));
    }
    const auto got = log.wait_for(kStreams);
    EXPECT_EQ(std::set<std::string>(got.begin(), got.end()), expected);
    EXPECT_EQ(client->size(), kStreams);
    EXPECT_LE(entries_of("/proc/self/task"), threads);
    for (const auto handle : handles) EXPECT_TRUE(client->unsubscribe(handle));
    EXPECT_EQ(client->size(), 0U);
  }
  EXPECT_EQ(entries_of("/proc/self/fd"), fds_before);
}

TEST(EventClient, AStreamComesBackAndEndsForGood) {
  std::string second;
  ScriptedServer server({answer(kStreamHead + "id: 1\ndata: a\n\n"),
                         [&](Connection& c) {
                           second = c.read_request();
                           c.send(kStreamHead + "data: b\n\n");
                         },
                         answer("HTTP/1.1 204 No Content\r\n\r\n")});
  EventLog log;
  auto client = EventClient::create().value();
  const auto handle = client->subscribe(quick(server.url()), logging(log)).value();
  EXPECT_THAT(log.wait_for(8),
              ElementsAre("open", "a", "lost", "open", "b", "lost", "closed", "end 204"));
  EXPECT_THAT(second, HasSubstr("\r\nLast-Event-ID: 1\r\n"));
  while (client->size() != 0) std::this_thread::yield();
  EXPECT_FALSE(client->unsubscribe(handle));
}

TEST(EventClient, AFailureThatIsFinal) {
  ScriptedServer server({answer("HTTP/1.1 404 Not Found\r\n\r\n")});
  EventLog log;
  auto client = EventClient::create().value();
  (void)client->subscribe(quick(server.url()), logging(log)).value();
  EXPECT_THAT(log.wait_for(2), ElementsAre("closed", "end 404"));
}

TEST(EventClient, SaysWhichOptionIsWrong) {
  auto client = EventClient::create().value();
  const auto handle = client->subscribe(quick("nonsense"), {});
  ASSERT_FALSE(handle);
  EXPECT_THAT(handle.error(), HasSubstr("http://"));
  EXPECT_EQ(client->size(), 0U);
  EXPECT_FALSE(client->unsubscribe(EventClient::Handle{77}));
}

TEST(EventClient, NothingIsCalledBackAfterUnsubscribe) {
  ScriptedServer server({endless("id: 1\ndata: x\n\n"), endless("id: 1\ndata: x\n\n"),
                         endless("id: 1\ndata: x\n\n"), endless("id: 1\ndata: x\n\n")});
  auto client = EventClient::create().value();
  for (int i = 0; i < 4; ++i) {
    // Not atomic: a callback that runs after unsubscribe is a data race, too.
    bool gone = false;
    std::promise<void> reached;
    int events = 0;
    EventSourceCallbacks callbacks;
    callbacks.on_event = [&](const proto::ReceivedEvent&) {
      EXPECT_FALSE(gone);
      if (++events == 100) reached.set_value();
    };
    const auto handle = client->subscribe(quick(server.url()), std::move(callbacks)).value();
    reached.get_future().wait();
    EXPECT_EQ(client->unsubscribe(handle), "1");
    gone = true;
  }
}

TEST(EventClient, UnsubscribeWaitsForTheCallbackThatRuns) {
  ScriptedServer server({endless("data: x\n\n")});
  auto client = EventClient::create().value();
  std::promise<void> entered;
  std::promise<void> leave;
  std::atomic<bool> left = false;
  EventSourceCallbacks callbacks;
  callbacks.on_event = [&](const proto::ReceivedEvent&) {
    entered.set_value();
    leave.get_future().wait();
    left = true;
  };
  const auto handle = client->subscribe(quick(server.url()), std::move(callbacks)).value();
  entered.get_future().wait();
  auto gone = std::async(std::launch::async, [&] {
    EXPECT_TRUE(client->unsubscribe(handle));
    EXPECT_TRUE(left);
  });
  while (client->size() != 0) std::this_thread::yield();  // it is in there
  leave.set_value();
  gone.get();
}

TEST(EventClient, ACallbackUnsubscribesItselfAndOthers) {
  ScriptedServer first({endless("id: 7\ndata: x\n\n")});
  ScriptedServer second({endless("data: y\n\n")});
  auto client = EventClient::create().value();
  std::promise<void> done;
  std::promise<void> other_runs;
  bool over = false;
  EventClient::Handle own{};
  EventSourceCallbacks others;
  others.on_event = [&, told = false](const proto::ReceivedEvent&) mutable {
    EXPECT_FALSE(over);
    if (!std::exchange(told, true)) other_runs.set_value();
  };
  const auto other = client->subscribe(quick(second.url()), std::move(others)).value();
  other_runs.get_future().wait();

  std::promise<void> known;
  EventSourceCallbacks callbacks;
  callbacks.on_open = [&](const StreamOpened&) { known.get_future().wait(); };
  callbacks.on_event = [&](const proto::ReceivedEvent&) {
    EXPECT_FALSE(over);
    over = true;
    EXPECT_EQ(client->unsubscribe(other), "");
    EXPECT_EQ(client->unsubscribe(own), "7");
    EXPECT_FALSE(client->unsubscribe(own));
    done.set_value();
  };
  callbacks.on_disconnect = [](const StreamClosed&) { ADD_FAILURE(); };
  callbacks.on_end = [](const EventSourceResult&) { ADD_FAILURE(); };
  own = client->subscribe(quick(first.url()), std::move(callbacks)).value();
  known.set_value();
  done.get_future().wait();
  EXPECT_EQ(client->size(), 0U);
}

TEST(EventClient, GoesAtAnyMoment) {
  for (int i = 0; i < 20; ++i) {
    ScriptedServer server({endless("data: x\n\n")});
    auto client = EventClient::create().value();
    std::atomic<int> events = 0;
    EventSourceCallbacks callbacks;
    callbacks.on_event = [&](const proto::ReceivedEvent&) { ++events; };
    (void)client->subscribe(quick(server.url()), std::move(callbacks)).value();
    while (events < i) std::this_thread::yield();
  }
}

TEST(EventClient, SilenceEndsAConnectionAndAnEventDoesNot) {
  FakeWaiter waiter(FakeWaiter::Sleeps::stand);
  const TimePoint begin = waiter.now();
  ScriptedServer server({[&](Connection& c) {
                           c.read_request();
                           c.send(kStreamHead);
                           waiter.await_deadline(begin + seconds(5));
                           waiter.advance(seconds(3));
                           c.send("data: a\n\n");
                           c.wait_for_close();
                         },
                         answer(kStreamHead)});
  EventLog log;
  auto client = EventClient::create({.waiter = &waiter}).value();
  auto options = quick(server.url());
  options.idle_timeout_ms = 5'000;
  (void)client->subscribe(std::move(options), logging(log)).value();
  log.wait_for(2);
  waiter.advance(seconds(2));  // 5 s since the head, 2 s since the event
  waiter.await_deadline_after(begin + seconds(5));
  EXPECT_THAT(log.wait_for(2), ElementsAre("open", "a"));
  waiter.advance(seconds(5));
  EXPECT_THAT(log.wait_for(3), ElementsAre("open", "a", "lost"));
}

TEST(EventClient, StreamsOverTls) {
  const TestAuthority authority;
  EventLog log;
  std::vector<std::unique_ptr<ScriptedServer>> servers;
  auto client = EventClient::create().value();
  const auto tls = TlsContext::create({.ca_file = authority.ca_file()}).value();
  for (int i = 0; i < 8; ++i) {
    servers.push_back(std::make_unique<ScriptedServer>(
        std::vector<Script>{answer(kStreamHead + "data: a\n\n"),
                            answer("HTTP/1.1 204 No Content\r\n\r\n")},
        AF_INET, tls_wire(authority.issue("IP:127.0.0.1"))));
    auto options = quick(servers.back()->url());
    options.tls = tls;
    EventSourceCallbacks callbacks;
    callbacks.on_event = [&log](const proto::ReceivedEvent&) { log.add("event"); };
    callbacks.on_end = [&log](const EventSourceResult& r) { log.add(std::to_string(r.status)); };
    (void)client->subscribe(std::move(options), std::move(callbacks)).value();
  }
  auto lines = log.wait_for(16);
  EXPECT_EQ(std::ranges::count(lines, "event"), 8);
  EXPECT_EQ(std::ranges::count(lines, "204"), 8);
}

}  // namespace
}  // namespace tocsin::net
