// Hubs, as their stores see them, on one real Redis server.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
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
  // Publishes it until it is committed: it may be on its way to a server that is lost, so that
  // nothing is known of it. The place.
  static core::Place commit_in_the_end(StoreUser& user, const std::string& name) {
    core::StoreAnswer answer;
    EXPECT_TRUE(eventually([&] {
      answer = user.publish(events(name));
      return answer.outcome == Outcome::committed;
    }));
    return answer.place;
  }
  // Publishes it until it is not refused: what was taken is, too, if its connection was lost.
  static void publish_until_taken(StoreUser& user, const std::string& name) {
    EXPECT_TRUE(
        eventually([&] { return user.publish(events(name)).outcome != Outcome::refused; }));
  }
  static void wait_replica(const RedisServer& master, const RedisServer& replica) {
    const auto says = [](const RedisServer& server, std::string_view what) {
      try {
        return server.ask({"INFO", "replication"}).contains(what);
      } catch (const std::runtime_error&) {
        return false;  // Sentinels cut a server's connections when they make it a replica
      }
    };
    EXPECT_TRUE(eventually([&] {
      return says(replica, "master_link_status:up") && says(master, "state=online");
    }));
  }
  static void expect_same(const StoreUser& one, const StoreUser& other) {
    EXPECT_EQ(one.events(), other.events());
    EXPECT_EQ(one.epochs(), other.epochs());
  }

  // Publishes from a thread for each until `disturb` returns; then what was answered must hold.
  void publish_while(const std::vector<StoreUser*>& users, const std::function<void()>& disturb) {
    std::atomic<bool> over = false;
    std::vector<std::map<std::string, core::Ticket>> given(users.size());
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < users.size(); ++i) {
        threads.emplace_back([&, i] {
          for (int n = 0; !over.load(); ++n) {
            const std::string name = std::to_string(i) + "." + std::to_string(n);
            const core::Ticket ticket = users[i]->append(events(name, 2));
            given[i].emplace(name, ticket);
            if (n % 8 == 0) (void)users[i]->wait_answer(ticket);
            // Who is refused comes again a little later.
            if (!users[i]->is_refused(ticket)) continue;
            (void)eventually([&] { return over.load() || !users[i]->link().away; });
          }
        });
      }
      struct AtEnd {  // also where `disturb` throws
        std::atomic<bool>& flag;
        ~AtEnd() { flag = true; }
      };
      const AtEnd end{over};
      disturb();
    }
    const core::Place last = commit_in_the_end(*users.front(), "last");
    std::map<std::string, std::size_t> bodies;
    for (std::size_t i = 0; i < users.size(); ++i) {
      StoreUser& user = *users[i];
      user.wait_told(last.last);
      if (i == 0) {
        for (const KeptEvent& event : user.events()) ++bodies[event.body];
      }
      expect_same(user, *users.front());
      for (const auto& [name, ticket] : given[i]) {
        const core::StoreAnswer answer = user.wait_answer(ticket);
        const std::size_t there = bodies[body_of(name, 0)];
        EXPECT_EQ(there, bodies[body_of(name, 1)]) << "in part";
        EXPECT_LE(there, 1U) << "twice: " << name;
        if (answer.outcome == Outcome::committed) {
          ASSERT_EQ(there, 1U) << "acknowledged, and not there: " << name;
          EXPECT_EQ(user.events_at(answer.place), events(name, 2));
        }
        if (answer.outcome == Outcome::refused) {
          EXPECT_EQ(there, 0U) << "refused: " << name;
        }
        ++outcomes_[answer.outcome];
      }
    }
    EXPECT_GT(outcomes_[Outcome::committed], 0U);
  }
  std::size_t outcomes(Outcome outcome) { return outcomes_[outcome]; }

 private:
  std::optional<RedisServer> server_;
  std::list<TestedHub> hubs_;
  std::map<Outcome, std::size_t> outcomes_;
};

}  // namespace tocsin::net
