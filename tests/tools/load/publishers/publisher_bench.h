// For the publisher's tests: its run against a scripted server that keeps what it has read, and its
// plan without any server.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "net/base/mutex.h"
#include "tests/net/support/scripted_server.h"
#include "tools/load/publishers/publish_plan.h"
#include "tools/load/publishers/publisher.h"

namespace tocsin::load {

using net::ScriptedServer;

inline constexpr std::uint32_t kRun = 0xfeedbeef;
inline constexpr std::string_view kDone = "HTTP/1.1 204 No Content\r\n\r\n";

// What the scripts of a test's server have read; `delivered` follows it if somebody subscribes.
class ReceivedRequests {
 public:
  void add(std::string request) {
    const net::MutexLock lock(mutex_);
    requests_.push_back(std::move(request));
  }
  [[nodiscard]] std::vector<std::string> all() const {
    const net::MutexLock lock(mutex_);
    return requests_;
  }
  [[nodiscard]] std::uint64_t count() const {
    const net::MutexLock lock(mutex_);
    return requests_.size();
  }
  // Answers `most` requests with `answer`, or all until the client closes.
  ScriptedServer::Script script(std::string answer = std::string(kDone), int most = 1 << 30) {
    return [this, answer = std::move(answer), most](ScriptedServer::Connection& connection) {
      for (int i = 0; i < most; ++i) {
        std::string request = connection.read_request();
        if (request.empty()) return;
        add(std::move(request));
        connection.send(answer);
      }
    };
  }

 private:
  mutable net::Mutex mutex_;
  std::vector<std::string> requests_ TOCSIN_LOCKS(guarded_by(mutex_));
};

struct Sent {
  std::string topic;  // of the item, or of the request's path
  Stamp stamp;
};

// One publisher's run against a scripted server.
struct Bench {
  explicit Bench(const ScriptedServer& server) : Bench(server.port()) {}
  explicit Bench(int port) {
    options.publish.request.url = {.host = "127.0.0.1",
                                   .port = static_cast<std::uint16_t>(port),
                                   .target = "/publish/{topic}"};
    options.publish.mode = PublishMode::full;
    options.publish.events = 100;
    options.workload.seed = 7;
    setup.delivered = [] { return std::uint64_t{0}; };
    setup.subscribers_of = [](std::uint32_t) { return std::uint64_t{0}; };
  }

  PublishFigures run(bool history = false) {
    format = std::make_unique<PayloadFormat>(kRun, options.workload.sizes.largest());
    progress =
        std::make_unique<PublishProgress>(options.workload.lanes(options.publish.connections));
    setup.options = &options;
    setup.format = format.get();
    setup.progress = progress.get();
    return history ? publish_history(setup) : publish(setup);
  }
  // The events in a request's path and body. Bodies: payloads with one separator in between.
  [[nodiscard]] std::vector<Sent> events_of(const std::string& request) const {
    std::vector<Sent> events;
    const std::string topic = request.substr(14, request.find(' ', 14) - 14);
    const std::string marker = "feedbeef.";
    for (auto at = request.find(marker); at != std::string::npos;
         at = request.find(marker, at + 9)) {
      Stamp stamp;
      EXPECT_EQ(format->read(std::string_view(request).substr(at), stamp), Verdict::good);
      const auto line = request.rfind('\n', at) + 1;
      const auto equals = request.find('=', line);
      events.push_back({equals < at ? request.substr(line, equals - line) : topic, stamp});
    }
    return events;
  }
  [[nodiscard]] std::map<std::uint32_t, std::vector<std::uint64_t>> numbers_of(
      const ReceivedRequests& requests) const {
    std::map<std::uint32_t, std::vector<std::uint64_t>> numbers;
    for (const std::string& request : requests.all()) {
      for (const Sent& sent : events_of(request)) {
        numbers[sent.stamp.lane].push_back(sent.stamp.number);
        EXPECT_EQ(sent.topic,
                  options.workload.topic_name(sent.stamp.lane % options.workload.topics));
      }
    }
    return numbers;
  }
  // Every lane's numbers are 0, 1, 2 ... in this order, as many as were told.
  void expect_all_in_order(const ReceivedRequests& requests) const {
    const auto numbers = numbers_of(requests);
    std::uint64_t sum = 0;
    for (const auto& [lane, found] : numbers) {
      for (std::size_t i = 0; i < found.size(); ++i) ASSERT_EQ(found[i], i) << "lane " << lane;
      EXPECT_EQ(found.size(), progress->submitted[lane]) << lane;
      sum += found.size();
    }
    EXPECT_EQ(sum, progress->events);
  }

  LoadOptions options;
  std::unique_ptr<PayloadFormat> format;
  std::unique_ptr<PublishProgress> progress;
  PublisherSetup setup;
};

// A plan at times of the test's own.
struct Planned {
  Planned() {
    options.publish.mode = PublishMode::rate;
    setup.options = &options;
    setup.delivered = [this] { return delivered; };
    setup.subscribers_of = [](std::uint32_t) { return std::uint64_t{2}; };
  }
  void start(bool mixes = false) { plan.emplace(setup, false, mixes, kStart); }
  std::size_t next(std::uint64_t at_ns, std::uint32_t connection = 0) {
    const auto events = plan->next(connection, kStart + at_ns, answers, wake_ns);
    last.assign(events.begin(), events.end());
    return events.size();
  }

  static constexpr std::uint64_t kStart = 5'000'000'000;
  static constexpr std::uint64_t kMs = 1'000'000;
  LoadOptions options;
  PublisherSetup setup;
  PublishPlan::Answers answers;
  std::uint64_t delivered = 0;
  std::uint64_t wake_ns = 0;
  std::vector<PlannedEvent> last;
  std::optional<PublishPlan> plan;
};

}  // namespace tocsin::load
