// A history in a real Redis server, for the tests of every kind of store.
#pragma once

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "net/redis/redis_store.h"
#include "tests/net/redis/redis_server.h"
#include "tests/net/store/tested_history.h"

namespace tocsin::net {

class RedisHistory final : public TestedHistory {
 public:
  [[nodiscard]] std::unique_ptr<core::Store> open() override {
    auto store = RedisStore::open(server.options());
    if (!store) throw std::runtime_error(store.error());
    open_ = store->get();
    return *std::move(store);
  }
  [[nodiscard]] bool survives() const override { return true; }
  [[nodiscard]] bool knows_keys() const override { return false; }
  // No memory is left, or there is again.
  [[nodiscard]] bool cut_off(bool off) override {
    return server.ask({"CONFIG", "SET", "maxmemory", off ? "1" : "0"}) == "OK";
  }
  // Nothing that it has under way is told of any more.
  [[nodiscard]] bool crash() override {
    open_->stop();
    return true;
  }
  // The server's newest entries go, as where it was promoted without them.
  [[nodiscard]] bool lose_newest(std::size_t events) override {
    lose(server, events);
    server.kill();
    server.start();
    return true;
  }
  static void lose(RedisServer& server, std::size_t events) {
    for (std::size_t lost = 0; lost < events;) {
      const std::string last = server.ask({"XREVRANGE", "{test}:log", "+", "-", "COUNT", "1"});
      const std::string id = last.substr(0, last.find(' '));
      const std::string field = last.substr(id.size() + 3);  // behind " n "
      lost += std::stoul(field.substr(0, field.find(' ')));
      server.ask({"XDEL", "{test}:log", id});
    }
    const std::string last = server.ask({"XREVRANGE", "{test}:log", "+", "-", "COUNT", "1"});
    const auto dash = last.find('-') + 1;
    server.ask({"HSET", "{test}:head", "s", last.substr(dash, last.find(' ') - dash)});
  }

  RedisServer server;

 private:
  RedisStore* open_ = nullptr;
};

}  // namespace tocsin::net
