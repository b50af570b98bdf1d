// Hubs, as their stores see them, on one real Redis server.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "net/redis/redis_store.h"
#include "tests/net/redis/redis_server.h"
#include "tests/net/store/store_user.h"

namespace tocsin::net {

class RedisTest : public testing::Test {
 protected:
  using Outcome = core::StoreAnswer::Outcome;

  // A hub that has all that the history had when it came.
  struct TestedHub {
    explicit TestedHub(RedisOptions options) {
      auto opened = RedisStore::open(std::move(options));
      if (!opened) throw std::runtime_error(opened.error());
      store = *std::move(opened);
      user.emplace(*store);
      user->start();
    }
    ~TestedHub() { store->stop(); }

    std::unique_ptr<RedisStore> store;
    std::optional<StoreUser> user;
  };

  void SetUp() override {
    if (RedisServer::program().empty()) GTEST_SKIP() << RedisServer::kMissing;
    server_.emplace(server_arguments());
  }
  void TearDown() override {
    hubs_.clear();
    server_.reset();
  }
  [[nodiscard]] virtual std::vector<std::string> server_arguments() const { return {}; }

  RedisServer& server() { return *server_; }
  StoreUser& hub() { return hub(server().options()); }
  StoreUser& hub(RedisOptions options) { return *hubs_.emplace_back(std::move(options)).user; }
  // The one that came last.
  void end_hub() { hubs_.pop_back(); }

  static KeptEvents events(const std::string& name, std::size_t count = 1) {
    KeptEvents all;
    for (std::size_t i = 0; i < count; ++i) {
      all.push_back({.topic = "a", .id = "", .body = body_of(name, i)});
    }
    return all;
  }
  static std::string body_of(const std::string& name, std::size_t index) {
    return "data: " + name + "/" + std::to_string(index) + "\n";
  }
  // Commits it; the place.
  static core::Place commit(StoreUser& user, const std::string& name, std::size_t count = 1) {
    const core::StoreAnswer answer = user.publish(events(name, count));
    EXPECT_EQ(answer.outcome, Outcome::committed) << name;
    return answer.place;
  }
  // Appends it until it is taken.
  static core::Ticket append(StoreUser& user, const std::string& name, std::size_t count = 1) {
    core::Ticket ticket = 0;
    const bool taken = eventually([&] {
      ticket = user.append(events(name, count));
      const auto answers = user.answers();
      const auto answer = answers.find(ticket);
      return answer == answers.end() || answer->second.outcome != Outcome::refused;
    });
    EXPECT_TRUE(taken);
    return ticket;
  }
  static void expect_same(const StoreUser& one, const StoreUser& other) {
    EXPECT_EQ(one.events(), other.events());
    EXPECT_EQ(one.epochs(), other.epochs());
  }
  std::optional<RedisServer> server_;
  std::list<TestedHub> hubs_;
};

}  // namespace tocsin::net
