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
  // No memory is left, or there is again.
  [[nodiscard]] bool cut_off(bool off) override {
    return server.ask({"CONFIG", "SET", "maxmemory", off ? "1" : "0"}) == "OK";
  }
  // Nothing that it has under way is told of any more.
  [[nodiscard]] bool crash() override {
    open_->stop();
    return true;
  }
  [[nodiscard]] bool lose_oldest(std::size_t events) override {
    for (std::size_t lost = 0; lost < events;) {
      const std::string first = server.ask({"XRANGE", "{test}:log", "-", "+", "COUNT", "1"});
      const std::string id = first.substr(0, first.find(' '));
      const std::string field = first.substr(id.size() + 1);  // "n ", or "open " of an epoch
      if (field.starts_with("n ")) lost += std::stoul(field.substr(2, field.find(' ', 2) - 2));
      server.ask({"XDEL", "{test}:log", id});
    }
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
    const std::string kept = last.substr(dash, last.find(' ') - dash);
    server.ask({"HSET", "{test}:head", "s", kept});
    server.ask({"EVAL", kLoseKeys, "2", "{test}:keys", "{test}:keys:at", kept});
  }

  RedisServer server;

 private:
  // Of what is gone: all of a KEY and the NUMBERs before go on.
  static constexpr const char* kLoseKeys = R"lua(
for _, one in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  local last = string.match(redis.call('HGET', KEYS[1], one), '(%d+)$')
  if tonumber(last) > tonumber(ARGV[1]) then
    local key, number = string.match(one, '^(%x+)/(%d+)$')
    redis.call('HDEL', KEYS[1], one)
    redis.call('ZREM', KEYS[2], one)
    if number ~= '0' then
      redis.call('HSET', KEYS[1], key, string.format('%.0f', number - 1))
    end
  end
end)lua";

  RedisStore* open_ = nullptr;
};

}  // namespace tocsin::net
