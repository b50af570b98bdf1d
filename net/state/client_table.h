// What clients of one kind, addresses or subjects, have open, and how fast they went on lately.
//
// A client is in the table while it has something open, and until its buckets are full again. Those
// that have nothing open are bounded (limits::kMaxRestingClients): past that the one that was here
// the longest ago is forgotten, which gives it full buckets. Who has so many addresses is not held
// up by limits on one.
//
// Threads: any. Parts with a lock each, chosen by a keyed hash of the client, which nobody can aim.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>

#include "core/keyed_hash.h"
#include "net/base/mutex.h"
#include "net/state/token_bucket.h"

namespace tocsin::net {

// Of one client. 0: no limit.
struct ClientLimits {
  std::uint32_t connections = 0;  // that are no streams
  std::uint32_t streams = 0;
  TokenRate opens{};  // of streams
  TokenRate publishes{};
  TokenRate bytes{};  // of publishes
};

// Why it has to wait.
struct ClientRefusal {
  enum class Limit : std::uint8_t { connections, streams, opens, publishes, bytes };
  Limit limit;
  std::uint64_t value;    // of that limit
  std::uint64_t wait_us;  // until when it holds; 0: until one of its own leaves
};

// A client is a number that is not 0, the same for what comes and what goes.
class ClientTable {
 public:
  explicit ClientTable(const core::HashKey& key) : key_(key) {}

  // Counts it in, or says why not. What is counted leaves, whatever the limits are by then.
  [[nodiscard]] std::optional<ClientRefusal> open_connection(std::uint64_t client,
                                                             const ClientLimits& limits,
                                                             std::uint64_t now_us);
  void close_connection(std::uint64_t client, std::uint64_t now_us);
  [[nodiscard]] std::optional<ClientRefusal> open_stream(std::uint64_t client,
                                                         const ClientLimits& limits,
                                                         std::uint64_t now_us);
  void close_stream(std::uint64_t client, std::uint64_t now_us);
  // One that was counted in and does not open, for other reasons: gives its token back.
  void undo_stream(std::uint64_t client, const ClientLimits& limits, std::uint64_t now_us);

  // Whether it may publish now, without counting.
  [[nodiscard]] std::optional<ClientRefusal> look_at_publish(std::uint64_t client,
                                                             const ClientLimits& limits,
                                                             std::uint64_t now_us);
  // A publish of so many events and bytes, whether or not it may now.
  void count_publish(std::uint64_t client, const ClientLimits& limits, std::uint64_t events,
                     std::uint64_t bytes, std::uint64_t now_us);

  // Those in the table, for tests.
  [[nodiscard]] std::size_t size();

 private:
  static constexpr std::size_t kParts = 16;
  using Resting = std::list<std::uint64_t>;  // keyed hashes

  struct Client {
    std::uint32_t connections = 0;
    std::uint32_t streams = 0;
    TokenBucket opens;
    TokenBucket publishes;
    TokenBucket bytes;
    std::optional<Resting::iterator> place;  // among those that have nothing open

    [[nodiscard]] bool is_new(std::uint64_t now_us) const {
      return opens.is_full(now_us) && publishes.is_full(now_us) && bytes.is_full(now_us);
    }
  };
  using Clients = std::unordered_map<std::uint64_t, Client>;  // by keyed hash
  struct alignas(64) Part {
    Mutex mutex;
    Clients clients TOCSIN_LOCKS(guarded_by(mutex));
    Resting resting TOCSIN_LOCKS(guarded_by(mutex));  // who was here last is first
  };

  template <typename Use>
  auto with(std::uint64_t client, std::uint64_t now_us, Use&& use);
  static void settle(Part& part, Clients::iterator place, std::uint64_t now_us)
      TOCSIN_LOCKS(requires_capability(part.mutex));
  static std::optional<ClientRefusal> refuse_publish(const Client& client,
                                                     const ClientLimits& limits,
                                                     std::uint64_t now_us);

  const core::HashKey key_;
  std::array<Part, kParts> parts_{};
};

}  // namespace tocsin::net
