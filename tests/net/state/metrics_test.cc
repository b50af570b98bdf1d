#include "net/state/metrics.h"

#include <map>
#include <set>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/http/metrics_page.h"
#include "net/state/server_state.h"
#include "tests/net/support/metrics_page.h"

namespace tocsin::net {
namespace {

TEST(Histogram, CountsByPowersOfTwo) {
  Histogram<5> histogram;
  for (const std::uint64_t value : {0U, 1U, 2U, 3U, 4U, 5U, 8U, 9U, 1000U}) histogram.record(value);
  EXPECT_EQ(histogram.bucket(0), 2U);  // 0, 1
  EXPECT_EQ(histogram.bucket(1), 1U);  // 2
  EXPECT_EQ(histogram.bucket(2), 2U);  // 3, 4
  EXPECT_EQ(histogram.bucket(3), 2U);  // 5, 8
  EXPECT_EQ(histogram.bucket(4), 2U);  // more
  EXPECT_EQ(histogram.sum(), 1032U);
}

TEST(MetricsPage, EveryFamilyHasHelpAndTypeAndEverySampleAFamily) {
  ServerState state(1, 2, ServerOptions{});
  check_metrics_page(render_metrics(state));
}

TEST(MetricsPage, HistogramsAreCumulativeAndInSeconds) {
  ServerState state(1, 2, ServerOptions{});
  state.metrics[0]->turn_us.record(1);
  state.metrics[1]->turn_us.record(1000);
  state.metrics[1]->turn_us.record(1ULL << 40);  // beyond every bound
  const auto samples = parse_metrics(render_metrics(state));
  EXPECT_EQ(samples.at("tocsin_turn_seconds_count"), 3);
  EXPECT_EQ(samples.at("tocsin_turn_seconds_bucket{le=\"+Inf\"}"), 3);
  EXPECT_NEAR(samples.at("tocsin_turn_seconds_sum"), 1099511.628777, 1);
  double before = 0;
  int bounds = 0;
  for (unsigned i = 0; i < 23; ++i) {
    std::ostringstream name;
    name << "tocsin_turn_seconds_bucket{le=\"" << std::defaultfloat
         << static_cast<double>(1ULL << i) * 1e-6 << "\"}";
    const auto found = samples.find(name.str());
    if (found == samples.end()) continue;  // written with more digits
    ++bounds;
    EXPECT_GE(found->second, before);
    before = found->second;
  }
  EXPECT_GT(bounds, 5);
  EXPECT_EQ(before, 2);
}

TEST(MetricsPage, CountsPerShardAndByReason) {
  ServerState state(1, 2, ServerOptions{});
  state.metrics[0]->accepted.add(3);
  state.metrics[1]->accepted.add(4);
  state.metrics[0]->rejections[static_cast<std::size_t>(Rejection::timeout)].add();
  state.metrics[1]->rejections[static_cast<std::size_t>(Rejection::timeout)].add();
  const auto samples = parse_metrics(render_metrics(state));
  EXPECT_EQ(samples.at("tocsin_accepted_total{shard=\"0\"}"), 3);
  EXPECT_EQ(samples.at("tocsin_accepted_total{shard=\"1\"}"), 4);
  EXPECT_EQ(samples.at("tocsin_rejections_total{reason=\"timeout\"}"), 2);
}

// Every value of the enum has a name of its own: a shifted table would blame the wrong thing.
TEST(MetricsPage, ReasonsAreNamedAsTheyAreMeant) {
  ServerState state(1, 1, ServerOptions{});
  for (std::size_t i = 0; i < kRejections; ++i) state.metrics[0]->rejections[i].add(i + 1);
  const auto samples = parse_metrics(render_metrics(state));
  const auto count = [&](const std::string& reason) {
    return samples.at("tocsin_rejections_total{reason=\"" + reason + "\"}");
  };
  const auto index = [](Rejection why) { return static_cast<double>(why) + 1; };
  EXPECT_EQ(count("malformed"), index(Rejection::malformed));
  EXPECT_EQ(count("head_too_large"), index(Rejection::head_too_large));
  EXPECT_EQ(count("body_too_large"), index(Rejection::body_too_large));
  EXPECT_EQ(count("timeout"), index(Rejection::timeout));
  EXPECT_EQ(count("version"), index(Rejection::version));
  EXPECT_EQ(count("not_found"), index(Rejection::not_found));
  EXPECT_EQ(count("method"), index(Rejection::method));
  EXPECT_EQ(count("invalid"), index(Rejection::invalid));
  EXPECT_EQ(count("forbidden"), index(Rejection::forbidden));
  EXPECT_EQ(count("connection_limit"), index(Rejection::connection_limit));
  EXPECT_EQ(count("address_limit"), index(Rejection::address_limit));
  EXPECT_EQ(count("accept_rate"), index(Rejection::accept_rate));
  EXPECT_EQ(count("conflict"), index(Rejection::conflict));
  EXPECT_EQ(count("draining"), index(Rejection::draining));
  EXPECT_EQ(count("exhausted"), index(Rejection::exhausted));
  EXPECT_EQ(count("failed"), index(Rejection::failed));
  EXPECT_EQ(count("address_opens"), index(Rejection::address_opens));
  EXPECT_EQ(count("address_publishes"), index(Rejection::address_publishes));
  EXPECT_EQ(count("address_bytes"), index(Rejection::address_bytes));
  EXPECT_EQ(count("subject_limit"), index(Rejection::subject_limit));
  EXPECT_EQ(count("subject_opens"), index(Rejection::subject_opens));
  EXPECT_EQ(count("subject_publishes"), index(Rejection::subject_publishes));
  EXPECT_EQ(count("subject_bytes"), index(Rejection::subject_bytes));
  EXPECT_EQ(count("stream_topics"), index(Rejection::stream_topics));
  EXPECT_EQ(count("behind"), index(Rejection::behind));
}

}  // namespace
}  // namespace tocsin::net
