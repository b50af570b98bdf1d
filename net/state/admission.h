// Who may connect, open a stream, and publish. At a limit the newcomer is refused; existing streams
// are never evicted.
//
// Threads: any; short locks, taken only where a limit needs them: for the rate of the hub's streams
// one, for those of a client one of its table's.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/keyed_hash.h"
#include "net/base/mutex.h"
#include "net/server_options.h"
#include "net/state/client_table.h"
#include "net/state/metrics.h"
#include "net/state/token_bucket.h"
#include "proto/assert.h"

namespace tocsin::net {

// Whom limits on one client hold for. 0: nobody in particular, so none does.
struct ClientKeys {
  std::uint64_t address = 0;  // IpAddress::client_key()
  std::uint64_t subject = 0;  // Admission::subject_key()

  [[nodiscard]] bool operator==(const ClientKeys&) const = default;
};

struct AdmissionRefusal {
  Rejection why;
  std::uint64_t limit = 0;    // of a client's: its value
  std::uint64_t wait_us = 0;  // until when it holds; 0: until others leave

  [[nodiscard]] bool operator==(const AdmissionRefusal&) const = default;
};

// Whether any limit on one client is set that a request has to be looked at for.
[[nodiscard]] bool limits_clients(const ServerOptions& options);

class Admission {
 public:
  // `key`: with a known hash whoever has many networks could choose those that make lookups slow.
  explicit Admission(const core::HashKey& key = {})
      : key_(key), addresses_(key), subjects_(key) {}

  // Of a Principal's subject; an empty one is nobody.
  [[nodiscard]] std::uint64_t subject_key(std::string_view subject) const;

  // Counts a stream in, or says why not. Every stream that was admitted leaves with the keys that
  // it came with.
  [[nodiscard]] std::optional<AdmissionRefusal> admit_stream(const ServerOptions& options,
                                                             const ClientKeys& client,
                                                             std::uint64_t now_us);
  void leave_stream(const ClientKeys& client, std::uint64_t now_us);
  // It was admitted just now, and is not opened after all: none of what all may open in a second.
  void take_back_stream(const ServerOptions& options, const ClientKeys& client,
                        std::uint64_t now_us);

  // The same for a connection that is no stream, or not yet; counted by address alone.
  [[nodiscard]] std::optional<AdmissionRefusal> admit_request(const ServerOptions& options,
                                                              std::uint64_t address,
                                                              std::uint64_t now_us);
  void leave_request(std::uint64_t address, std::uint64_t now_us) {
    if (address != 0) addresses_.close_connection(address, now_us);
  }

  // Why the client may not publish now. Nothing is counted.
  [[nodiscard]] std::optional<AdmissionRefusal> refuse_publish(const ServerOptions& options,
                                                               const ClientKeys& client,
                                                               std::uint64_t now_us);
  // It publishes, or tries to.
  void count_publish(const ServerOptions& options, const ClientKeys& client, std::uint64_t events,
                     std::uint64_t bytes, std::uint64_t now_us);

  [[nodiscard]] std::uint32_t streams() const { return streams_.load(std::memory_order_relaxed); }

 private:
  [[nodiscard]] std::optional<AdmissionRefusal> admit_client(const ServerOptions& options,
                                                             const ClientKeys& client,
                                                             std::uint64_t now_us);
  [[nodiscard]] bool fits_rate(const ServerOptions& options, std::uint64_t now_us);

  const core::HashKey key_;
  std::atomic<std::uint32_t> streams_{0};
  ClientTable addresses_;
  ClientTable subjects_;
  Mutex mutex_;
  TokenBucket opens_ TOCSIN_LOCKS(guarded_by(mutex_));  // of the hub
};

}  // namespace tocsin::net
