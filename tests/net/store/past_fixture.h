// A real server whose memory has next to nothing of its history, and the oracle of what a stream is
// to get: everything that was published, in its order.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/store.h"
#include "tests/net/support/server_fixture.h"

namespace tocsin::net {

class PastTest : public ServerTest {
 protected:
  struct Published {
    std::string topic;
    std::string id;  // on the wire
    std::string data;
  };
  using Topics = std::set<std::string>;

  PastTest() {
    options.history_bytes = 1;
    options.history_total_bytes = 64ULL * 1024;  // some hundred events
  }

  // Publishes so many events to t0, t1, …, of any size, some with ids of their own. One thread at a
  // time.
  void publish_events(int count, std::size_t most_bytes = 300) {
    TestClient publisher = connect();
    constexpr int kPipelined = 50;
    for (int done = 0; done < count; done += kPipelined) {
      const int part = std::min(kPipelined, count - done);
      std::vector<Published> events;
      std::string requests;
      for (int i = 0; i < part; ++i) {
        Published event{
            .topic = "t" + std::to_string(publishing_() % kTopics), .id = {}, .data = {}};
        event.data = std::to_string(++number_) + '.';
        event.data.resize(event.data.size() + publishing_() % most_bytes, '.');
        const std::string own = publishing_() % 5 == 0 ? "&id=own-" + std::to_string(number_) : "";
        requests += post("topic=" + event.topic + own, event.data, credential);
        events.push_back(std::move(event));
      }
      publisher.send(requests);
      for (Published& event : events) {
        const TestResponse response = publisher.response();
        ASSERT_EQ(response.status, 204) << response.body;
        event.id = response.header("Event-ID");
        const std::scoped_lock lock(mutex_);
        all_.push_back(std::move(event));
      }
    }
  }
  [[nodiscard]] std::vector<Published> published() const {
    const std::scoped_lock lock(mutex_);
    return all_;
  }
  // Behind the first `events` of all.
  [[nodiscard]] std::string position(core::Sequence events) {
    const proto::Epoch epoch = server().state().hub.epoch();
    return proto::to_string({epoch, events});
  }
  [[nodiscard]] static std::string resume_at(const std::string& position) {
    return "Last-Event-ID: " + position + "\r\n";
  }
  // Some of all topics, one at least.
  template <typename Random>
  [[nodiscard]] static Topics some_topics(Random& random) {
    Topics topics{"t" + std::to_string(random() % kTopics)};
    for (int i = 0; i < kTopics; ++i) {
      if (random() % 3 == 0) topics.insert("t" + std::to_string(i));
    }
    return topics;
  }
  [[nodiscard]] static std::string target_of(const Topics& topics) {
    std::string target = "/events?";
    for (const std::string& topic : topics) target += "topic=" + topic + "&";
    target.pop_back();
    return target;
  }

  // Reads until the newest event of the topics has come, and holds what came against the oracle:
  // all of it, once, in order, but for what gaps tell of. Returns the last event that a gap took
  // away; 0: there was none.
  core::Sequence read_all(TestSubscriber& reader, const Topics& topics, core::Sequence from,
                          const std::vector<Published>& all) {
    const auto is_its = [&](const Published& event) { return topics.contains(event.topic); };
    const auto newest = std::find_if(all.rbegin(), all.rend(), is_its);
    if (newest == all.rend()) return 0;
    const std::string last_id = newest->id;
    if (newest.base() - all.begin() <= static_cast<std::ptrdiff_t>(from)) return 0;
    std::size_t seen = 0;
    core::Sequence at = from;  // so many of all have come, are other topics', or are gone
    core::Sequence gone = 0;
    reader.wait_until([&] {
      for (; seen < reader.events().size(); ++seen) {
        const TestEvent& event = reader.events()[seen];
        if (event.type == "gap") {
          gone = proto::parse_event_id(event.id).value().sequence;
          EXPECT_GE(gone, at) << "a gap behind what came";
          const core::Sequence floor = server().state().hub.store().floor();
          for (; at < gone && at < all.size(); ++at) {
            EXPECT_TRUE(!is_its(all[at]) || at < floor) << at << " is kept";
          }
          continue;
        }
        while (at < all.size() && !is_its(all[at])) ++at;
        if (at == all.size()) return true;  // of what was published since
        EXPECT_EQ(event.id, all[at].id) << "at " << at;
        EXPECT_EQ(event.data, all[at].data);
        if (testing::Test::HasFailure()) return true;
        if (all[at++].id == last_id) return true;
      }
      return false;
    });
    return gone;
  }

  static constexpr int kTopics = 5;
  std::string credential;  // header lines of who publishes
  std::mt19937_64 random_{test_seed()};    // the test's own thread's
  std::mt19937_64 publishing_{random_()};  // of publish_events(), in whatever thread

 private:
  mutable std::mutex mutex_;
  std::vector<Published> all_;
  int number_ = 0;
};

}  // namespace tocsin::net
