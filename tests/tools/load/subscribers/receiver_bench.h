// For the receivers' tests: the receiving half of a run, what a coordinator would hold.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "net/transport/url.h"
#include "tests/net/support/test_client.h"
#include "tools/load/subscribers/receiver.h"

namespace tocsin::load {

using net::eventually;

inline constexpr std::uint32_t kRun = 77;
inline constexpr std::size_t kBytes = 200;

struct LoadRun {
  void start(const std::string& url, std::uint32_t count) {
    const auto parsed = net::parse_url(url);
    ASSERT_TRUE(parsed) << url;
    options.subscribe.url = *parsed;
    options.subscribe.count = count;
    // As it was made where one lane is enough: a server's script may be using it.
    if (options.workload.topics > 1) {
      published = std::make_unique<PublishProgress>(options.workload.lanes(1));
    }
    audience = std::make_unique<Audience>(options.workload.topics);
    receiver = std::make_unique<Receiver>(ReceiverSetup{.options = &options,
                                                        .format = &format,
                                                        .published = published.get(),
                                                        .audience = audience.get(),
                                                        .first_index = 0,
                                                        .count = count,
                                                        .connects_per_s = connects_per_s,
                                                        .make_poller = make_poller});
    receiver->connect_up_to(count);
  }
  // The next event's data, counted as submitted.
  std::string next(std::uint32_t lane = 0, std::uint64_t due_ns = 1) {
    std::string data(kBytes, '\0');
    const std::uint64_t number = published->submitted[lane]++;
    ++published->events;
    format.write({.lane = lane, .number = number, .due_ns = due_ns}, kBytes, data.data());
    return data;
  }
  std::string frame() {
    const std::string data = next();
    return "id: " + std::to_string(published->submitted[0]) + "\ndata: " + data + "\n\n";
  }
  [[nodiscard]] const ReceiverProgress& progress() const { return receiver->progress(); }
  bool wait_connected(std::uint32_t n) {
    return eventually([&] { return progress().connected == n; });
  }
  bool wait_delivered(std::uint64_t n) {
    return eventually([&] { return progress().delivered >= n; });
  }
  // An event that is due in the future has no latency, which makes it countable among the others.
  std::string next_marked() { return next(0, ~0ULL); }
  bool wait_marked(std::uint64_t n) {
    return eventually([&] {
      std::uint64_t marked = 0;
      progress().latency.for_each([&](std::uint64_t bound_ns, std::uint64_t count) {
        if (bound_ns == 0) marked += count;
      });
      return marked == n;
    });
  }
  CheckTotals finish() {
    receiver->stop();
    return receiver->finish();
  }

  LoadOptions options;
  PayloadFormat format{kRun, kBytes};
  double connects_per_s = 0;
  PollerMaker make_poller = load::make_poller;
  std::unique_ptr<PublishProgress> published = std::make_unique<PublishProgress>(1);
  std::unique_ptr<Audience> audience;
  std::unique_ptr<Receiver> receiver;
};

inline void expect_clean(const CheckTotals& t) {
  EXPECT_EQ(t.lost, 0U);
  EXPECT_EQ(t.told, 0U);
  EXPECT_EQ(t.duplicated, 0U);
  EXPECT_EQ(t.reordered, 0U);
  EXPECT_EQ(t.corrupted, 0U) << t.sample;
}

}  // namespace tocsin::load
