#include "net/state/client_table.h"

#include <string_view>
#include <utility>

#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {

// `use` is given the client, with its part's lock held.
template <typename Use>
auto ClientTable::with(std::uint64_t client, std::uint64_t now_us, Use&& use) {
  TOCSIN_ASSERT(client != 0);
  const std::string_view bytes{reinterpret_cast<const char*>(&client), sizeof(client)};
  const std::uint64_t hash = core::keyed_hash(bytes, key_);
  Part& part = parts_[hash % kParts];
  const MutexLock lock(part.mutex);
  const auto place = part.clients.try_emplace(hash).first;
  auto result = std::forward<Use>(use)(place->second);
  settle(part, place, now_us);
  return result;
}

// Where it belongs after what has happened: not at all if there is nothing to remember.
void ClientTable::settle(Part& part, Clients::iterator place, std::uint64_t now_us) {
  constexpr std::size_t kMost = limits::kMaxRestingClients / kParts;
  Client& client = place->second;
  if (client.place) part.resting.erase(*std::exchange(client.place, std::nullopt));
  if (client.streams > 0 || client.connections > 0) return;
  if (client.is_new(now_us)) {
    part.clients.erase(place);
  } else {
    part.resting.push_front(place->first);
    client.place = part.resting.begin();
  }
  while (!part.resting.empty()) {
    const auto oldest = part.clients.find(part.resting.back());
    TOCSIN_ASSERT(oldest != part.clients.end() && oldest->second.place);
    if (part.resting.size() <= kMost && !oldest->second.is_new(now_us)) return;
    part.clients.erase(oldest);
    part.resting.pop_back();
  }
}

std::optional<ClientRefusal> ClientTable::open_connection(std::uint64_t client,
                                                          const ClientLimits& limits,
                                                          std::uint64_t now_us) {
  return with(client, now_us, [&](Client& one) -> std::optional<ClientRefusal> {
    if (limits.connections != 0 && one.connections >= limits.connections) {
      return ClientRefusal{ClientRefusal::Limit::connections, limits.connections, 0};
    }
    ++one.connections;
    return std::nullopt;
  });
}

void ClientTable::close_connection(std::uint64_t client, std::uint64_t now_us) {
  with(client, now_us, [](Client& one) {
    TOCSIN_ASSERT(one.connections > 0);
    return --one.connections;
  });
}

std::optional<ClientRefusal> ClientTable::open_stream(std::uint64_t client,
                                                      const ClientLimits& limits,
                                                      std::uint64_t now_us) {
  return with(client, now_us, [&](Client& one) -> std::optional<ClientRefusal> {
    if (limits.streams != 0 && one.streams >= limits.streams) {
      return ClientRefusal{ClientRefusal::Limit::streams, limits.streams, 0};
    }
    if (const std::uint64_t wait_us = one.opens.wait_us(limits.opens, now_us)) {
      return ClientRefusal{ClientRefusal::Limit::opens, limits.opens.per_s, wait_us};
    }
    one.opens.take(limits.opens, 1, now_us);
    ++one.streams;
    return std::nullopt;
  });
}

void ClientTable::close_stream(std::uint64_t client, std::uint64_t now_us) {
  with(client, now_us, [](Client& one) {
    TOCSIN_ASSERT(one.streams > 0);
    return --one.streams;
  });
}

void ClientTable::undo_stream(std::uint64_t client, const ClientLimits& limits,
                              std::uint64_t now_us) {
  with(client, now_us, [&](Client& one) {
    TOCSIN_ASSERT(one.streams > 0);
    one.opens.give_back(limits.opens, 1);
    return --one.streams;
  });
}

std::optional<ClientRefusal> ClientTable::refuse_publish(const Client& client,
                                                         const ClientLimits& limits,
                                                         std::uint64_t now_us) {
  if (const std::uint64_t wait_us = client.publishes.wait_us(limits.publishes, now_us)) {
    return ClientRefusal{ClientRefusal::Limit::publishes, limits.publishes.per_s, wait_us};
  }
  if (const std::uint64_t wait_us = client.bytes.wait_us(limits.bytes, now_us)) {
    return ClientRefusal{ClientRefusal::Limit::bytes, limits.bytes.per_s, wait_us};
  }
  return std::nullopt;
}

std::optional<ClientRefusal> ClientTable::look_at_publish(std::uint64_t client,
                                                          const ClientLimits& limits,
                                                          std::uint64_t now_us) {
  return with(client, now_us,
              [&](const Client& one) { return refuse_publish(one, limits, now_us); });
}

void ClientTable::count_publish(std::uint64_t client, const ClientLimits& limits,
                                std::uint64_t events, std::uint64_t bytes, std::uint64_t now_us) {
  with(client, now_us, [&](Client& one) {
    one.publishes.take(limits.publishes, events, now_us);
    one.bytes.take(limits.bytes, bytes, now_us);
    return true;
  });
}

std::size_t ClientTable::size() {
  std::size_t sum = 0;
  for (Part& part : parts_) {
    const MutexLock lock(part.mutex);
    sum += part.clients.size();
  }
  return sum;
}

}  // namespace tocsin::net
