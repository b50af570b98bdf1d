// A real server over a store that answers when the test says so.
#pragma once

#include <poll.h>

#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/held_store.h"
#include "tests/net/support/server_fixture.h"

namespace tocsin::net {

class StoreTest : public ServerTest {
 protected:
  StoreTest() { take_store(std::make_unique<HeldStore>()); }
  void take_store(std::unique_ptr<HeldStore> held) {
    held_ = held.get();
    store = std::move(held);
  }
  // The server's, as long as that is there.
  HeldStore& held() { return *held_; }

  // Committed at once; its id.
  std::string publish_one(std::string_view data) {
    TestClient client = connect();
    client.send(post("stream=a", data));
    held().wait_held(1);
    held().commit();
    return client.response().header("Event-ID");
  }

  static std::string id(core::Sequence sequence) {
    return proto::to_string({HeldStore::kEpoch, sequence});
  }
  static constexpr const char* kJson = "Content-Type: application/json\r\n";
  std::future<PublishOutcome> publish_in_process(std::string data) {
    return std::async(std::launch::async, [this, data = std::move(data)] {
      return server().publish({.topic = "a", .data = data});
    });
  }
  // Nothing has come that could be read.
  static void expect_silent(TestClient& client) {
    pollfd one{.fd = client.fd(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&one, 1, 0), 0);
    EXPECT_TRUE(client.unread().empty());
  }
  // Of a refusal that says that nothing was published.
  static void expect_unavailable(const TestResponse& response) {
    EXPECT_EQ(response.status, 503);
    EXPECT_THAT(response.body, testing::HasSubstr("nothing was published"));
    EXPECT_THAT(response.body, testing::Not(testing::HasSubstr("outcome")));
    EXPECT_NE(response.header("Retry-After"), "");
    EXPECT_EQ(response.header("Content-Type"), "application/problem+json");
  }
  // Of an answer that says that it may have been.
  static void expect_unknown(const TestResponse& response) {
    EXPECT_EQ(response.status, 503);
    EXPECT_THAT(response.body, testing::HasSubstr("it is unknown whether this was published"));
    EXPECT_THAT(response.body, testing::HasSubstr(R"("outcome":"unknown")"));
    EXPECT_EQ(response.header("Retry-After"), "") << "a repetition may come twice";
    EXPECT_EQ(response.header("Content-Type"), "application/problem+json");
  }
  [[nodiscard]] std::uint64_t stale_batches() {
    return server().state().hub.store_metrics().stale_batches.get();
  }
  [[nodiscard]] std::uint64_t stale_answers() {
    return server().state().hub.store_metrics().stale_answers.get();
  }

 private:
  HeldStore* held_ = nullptr;
};

}  // namespace tocsin::net
