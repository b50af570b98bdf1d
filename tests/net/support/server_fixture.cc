#include "tests/net/support/server_fixture.h"

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "net/io/uring.h"
#include "net/log.h"
#include "tests/net/support/socket_pair.h"

namespace tocsin::net {

std::string ServerTest::backend_name(const testing::TestParamInfo<IoChoice>& info) {
  return info.param == IoChoice::uring ? "uring" : "epoll";
}

ServerTest::ServerTest() {
  options.io = GetParam();
  options.listen = {"127.0.0.1:0"};
  options.shards = 2;
  options.pin_shards = false;
  options.private_descriptors = true;
  log::configure(LogLevel::error, LogFormat::automatic);
}

void ServerTest::SetUp() {
  if (GetParam() == IoChoice::uring && !Ring::make()) {
    GTEST_SKIP() << "no io_uring here: " << std::strerror(errno);
  }
}

void ServerTest::TearDown() {
  if (server_ == nullptr) return;
  EXPECT_EQ(io_worker_threads(), 0U) << "something was left to the kernel's worker threads";
  stop();
  EXPECT_EQ(sum(&ShardMetrics::requests_open), 0U);
  EXPECT_EQ(sum(&ShardMetrics::streams_open), 0U);
  EXPECT_EQ(sum(&ShardMetrics::streams_blocked), 0U);
  EXPECT_EQ(sum(&ShardMetrics::closing), 0U);
  EXPECT_EQ(server_->state().admission.streams(), 0U);
  const auto encoded =
      server_->state().hub.with([](const core::Hub& hub) { return hub.events_encoded(); });
  EXPECT_EQ(sum(&ShardMetrics::events_published) + server_->state().events_published + brought,
            encoded);
  const StoreMetrics& store_metrics = server_->state().hub.store_metrics();
  EXPECT_EQ(store_metrics.pending.get(), 0U);
  EXPECT_EQ(store_metrics.pending_bytes.get(), 0U);
  EXPECT_FALSE(server_->state().hub.owes_answers());
}

void ServerTest::start() {
  auto started = Server::start(options, std::move(application), std::move(store), access);
  if (!started) throw std::runtime_error(started.error());
  server_ = std::move(*started);
}

void ServerTest::stop() {
  server_->stop();
  server_->wait();
}

std::string ServerTest::publish(const std::string& query, std::string_view data) {
  const TestResponse response = connect().request(post(query, data));
  if (response.status != 204) throw std::runtime_error(response.head + response.body);
  return response.header("Event-ID");
}

TestResponse ServerTest::get(const std::string& target) const {
  return connect().request("GET " + target + " HTTP/1.1\r\nHost: hub\r\n\r\n");
}

std::map<std::string, double> ServerTest::metrics() const {
  return parse_metrics(get("/metrics").body);
}

double ServerTest::metric(const std::string& name) const {
  double total = 0;
  for (const auto& [key, value] : metrics()) {
    if (key == name || key.starts_with(name + "{")) total += value;
  }
  return total;
}

std::uint64_t ServerTest::sum(Counter ShardMetrics::* counter) {
  std::uint64_t total = 0;
  for (const auto& shard : server_->state().metrics) total += (*shard.*counter).get();
  return total;
}

std::uint64_t ServerTest::rejections(Rejection why) {
  std::uint64_t total = 0;
  for (const auto& shard : server_->state().metrics) {
    total += shard->rejections[static_cast<std::size_t>(why)].get();
  }
  return total;
}

std::uint64_t ServerTest::denials(DenialCause why) {
  std::uint64_t total = 0;
  for (const auto& shard : server_->state().metrics) {
    total += shard->denials[static_cast<std::size_t>(why)].get();
  }
  return total;
}

}  // namespace tocsin::net
