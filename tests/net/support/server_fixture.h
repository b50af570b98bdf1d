// A real server in this process, on one of the backends; tests talk to it through sockets.
//
// Start the server before opening clients: a shard's descriptor table (its own here, as in `tocsin
// serve`) is a copy of what is open then, and a client that it has a copy of is not closed by
// closing it here.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "net/auth/access.h"
#include "net/server.h"
#include "net/state/server_state.h"
#include "tests/net/support/metrics_page.h"
#include "tests/net/support/test_client.h"

namespace tocsin::net {

class ServerTest : public testing::TestWithParam<IoChoice> {
 public:
  static constexpr std::array kBackends{IoChoice::uring, IoChoice::epoll};
  static std::string backend_name(const testing::TestParamInfo<IoChoice>& info);

 protected:
  // Two shards, a free port of 127.0.0.1, quiet.
  ServerTest();
  // Skips where the kernel has no io_uring for us.
  void SetUp() override;
  // What holds at the end of every test: the server ends, every gauge is back at zero, and every
  // published event was encoded once.
  void TearDown() override;

  void start();
  void stop();
  [[nodiscard]] const std::string& address() const { return server_->addresses().front(); }
  [[nodiscard]] Server& server() { return *server_; }

  [[nodiscard]] TestClient connect() const { return TestClient(address()); }
  [[nodiscard]] TestSubscriber subscribe(const std::string& target = "/events",
                                         const std::string& fields = {}) const {
    return TestSubscriber(address(), target, fields);
  }
  // Publishes text by a connection of its own; returns the event's id. `query`: see post().
  std::string publish(const std::string& query, std::string_view data);
  [[nodiscard]] TestResponse get(const std::string& target) const;

  // All samples of /metrics by name with labels.
  [[nodiscard]] std::map<std::string, double> metrics() const;
  // The sum over labels.
  [[nodiscard]] double metric(const std::string& name) const;
  // Straight from the counters, without a connection that would count too.
  [[nodiscard]] std::uint64_t sum(Counter ShardMetrics::* counter);
  [[nodiscard]] std::uint64_t rejections(Rejection why);
  [[nodiscard]] std::uint64_t denials(DenialCause why);

  ServerOptions options;
  Application application;            // start() takes it
  std::unique_ptr<core::Store> store;  // the same; null: memory
  std::shared_ptr<const Access> access;
  // Events that the store brings and that nobody has published, or was told so.
  std::uint64_t brought = 0;

 private:
  std::unique_ptr<Server> server_;
};

}  // namespace tocsin::net
