// What the shards, the programs and /metrics share.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/application.h"
#include "net/base/mutex.h"
#include "net/server_options.h"
#include "net/state/admission.h"
#include "net/state/mailbox.h"
#include "net/state/metrics.h"
#include "net/state/past/past_reader.h"
#include "net/state/presence.h"
#include "net/state/request_memory.h"
#include "net/state/revocations.h"
#include "net/state/shared_hub.h"

namespace tocsin::net {

struct Access;

enum class Phase : std::uint8_t {
  starting,
  running,
  draining,  // who connects waits in the listeners; streams are ended over drain_timeout_s
  stopping,  // everything is closed now
};

// Seconds of an option; 0 is no limit.
[[nodiscard]] core::TimeMs age_limit_ms(std::uint32_t seconds);
[[nodiscard]] core::TopicSettings topic_settings(const TopicOptions& options);
// The part of the options that the hub needs.
[[nodiscard]] core::HubSettings hub_settings(const ServerOptions& options);

// Threads: any, by atomics and the locks inside.
struct ServerState : std::enable_shared_from_this<ServerState> {
  // Over the history of `store`.
  ServerState(std::unique_ptr<core::Store> store, std::size_t shards, const ServerOptions& initial,
              const core::HashKey& key = {}, Application app = {},
              std::shared_ptr<const Access> initial_access = nullptr);
  // Over a history that begins and ends with it.
  ServerState(proto::Epoch epoch, std::size_t shards, const ServerOptions& initial,
              const core::HashKey& key = {}, Application app = {},
              std::shared_ptr<const Access> initial_access = nullptr);

  [[nodiscard]] std::shared_ptr<const ServerOptions> options() const {
    const MutexLock lock(options_mutex_);
    return current_options_;
  }
  // Null: the hub is open.
  [[nodiscard]] std::shared_ptr<const Access> access() const {
    const MutexLock lock(options_mutex_);
    return current_access_;
  }
  // Shards take the new ones over at their next turn; the hub at once.
  void set_options(const ServerOptions& options, std::shared_ptr<const Access> access);
  void set_access(std::shared_ptr<const Access> access);

  // To the shard of its ticket, which is woken. Nobody waits for one that has ended: its streams
  // have, too.
  void post(Letter&& letter);

  const Application application;
  Server* server = nullptr;  // for the application's functions, which run on its shards
  Admission admission;
  RequestMemory request_memory;
  Revocations revocations;
  Presence presence;
  std::atomic<std::uint32_t> inquiries{0};  // that have yet to be answered
  PastReader past{*this};  // in front of the mailboxes, which may have turns of it
  std::vector<std::unique_ptr<Mailbox>> mailboxes;  // one per shard; never resized
  SharedHub hub;  // behind what it uses to tell what became of a publish
  std::atomic<Phase> phase{Phase::starting};
  std::atomic<std::uint32_t> accepting{0};  // shards that have yet to stop for a drain
  std::atomic<std::uint32_t> options_version{0};  // of both
  std::vector<std::unique_ptr<ShardMetrics>> metrics;  // one per shard; never resized
  // Events that the program itself published, those of presence as well; those of requests are
  // counted by the shards.
  std::atomic<std::uint64_t> events_published{0};

 private:
  mutable Mutex options_mutex_;
  std::shared_ptr<const ServerOptions> current_options_ TOCSIN_LOCKS(guarded_by(options_mutex_));
  std::shared_ptr<const Access> current_access_ TOCSIN_LOCKS(guarded_by(options_mutex_));
};

// What a Later needs of the request that it answers.
struct Deferral {
  ServerState& state;
  RequestTicket ticket;
};

}  // namespace tocsin::net
