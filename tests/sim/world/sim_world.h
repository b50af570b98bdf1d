// Shards, a kernel, a clock and clients in one thread, by one seed; and what must hold at every
// step of them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/auth/access.h"
#include "net/shard/shard.h"
#include "net/state/server_state.h"
#include "tests/sim/world/fake_kernel.h"
#include "tests/sim/world/model.h"
#include "tests/sim/world/sim_clients.h"
#include "tests/sim/world/sim_store.h"

namespace tocsin::sim {

struct WorldOptions {
  std::size_t shards = 1;
  bool late_store = false;  // the history is in a SimStore
  bool past = false;        // which gives what it keeps to who resumes there
  net::ServerOptions server;
  KernelOptions kernel;
  std::shared_ptr<const net::Access> access{};  // null: an open hub
};

class World {
 public:
  static constexpr proto::Epoch kEpoch = 0x5eed'0001;

  World(std::uint64_t seed, const WorldOptions& options);
  ~World();

  template <typename Kind, typename... Arguments>
  Kind& add(Arguments&&... arguments) {
    auto client = std::make_unique<Kind>(std::forward<Arguments>(arguments)...);
    Kind& result = *client;
    clients_.push_back(std::move(client));
    return result;
  }

  // --- running

  // Some clients act, some shards turn, some time passes.
  void step();
  // One turn of a shard, and everything that must hold after it.
  void turn(std::size_t shard);
  // Turns all shards until nothing is left to do now (time stands still). False: it does not end.
  bool settle(int most_turns = 400);
  // Only this much time, and what it makes due; clients do not act.
  void pass(std::uint64_t ms);
  // Something happens in the store, unless it waits for the shards; `calm`: nothing bad.
  void store_step(bool calm);
  // No more faults, publishing or leaving; everybody reads. Then `ms` go by with all acting.
  void go_quiet(std::uint64_t ms);
  // Clients say what they miss.
  void finish();
  void set_options(const net::ServerOptions& options);
  void set_access(const net::ServerOptions& options, std::shared_ptr<const net::Access> access);
  // Ends as the program does: drains, or stops at once. Everything must be closed after it.
  void end(bool drain);

  // --- checking

  void check();
  // The first failure is kept.
  void fail(const std::string& what);
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] bool failed() const { return !failure_.empty(); }
  // An event was published and dropped within a turn: the model does not know it, and the run says
  // nothing.
  bool lost_track = false;

  // --- for clients and tests

  Random random;
  FakeClock clock;
  FakeKernel kernel;
  std::optional<SimStore> store;  // of a late one
  SimStoreLink* link = nullptr;   // the hub's way to it
  net::ServerState state;
  Model model;
  bool quiet = false;
  bool ending = false;  // draining or stopping
  std::map<std::string, Intent, std::less<>> intents;
  std::vector<std::string> published_topics;  // to which anything was ever sent

  [[nodiscard]] std::uint64_t now_ms() const { return clock.now_ms(); }
  [[nodiscard]] const net::ServerOptions& options() const { return options_; }
  [[nodiscard]] net::Shard& shard(std::size_t i) { return *shards_[i]; }
  [[nodiscard]] FakeIo& io(std::size_t i) { return *ios_[i]; }
  [[nodiscard]] std::size_t shards() const { return shards_.size(); }
  [[nodiscard]] std::string new_token();
  void note_topic(const std::string& topic);
  // A limit that refuses streams may be reached.
  [[nodiscard]] bool may_refuse() const { return may_refuse_ || ending; }
  // Connections may be answered and closed before their request is read.
  [[nodiscard]] bool refuses_at_the_door() const { return refuses_at_the_door_; }
  // Streams may be ended for their age.
  [[nodiscard]] bool may_end() const { return may_end_ || ending; }
  // Publishes may be refused, or be of unknown outcome, for the store's sake.
  [[nodiscard]] bool has_late_store() const { return link != nullptr; }
  // What is gone from memory may be read from the store.
  [[nodiscard]] bool has_past() const { return model.past_floor().has_value(); }
  // Topics may have to exist already.
  [[nodiscard]] bool may_be_unknown() const { return may_be_unknown_; }
  // The hub's memory may be too small for a reader to finish its frame.
  [[nodiscard]] bool may_take_back() const { return may_take_back_; }
  // A reader that keeps up must never be told of a gap or be closed: not with limits so small that
  // a moment's delay passes them, or a socket that takes a byte per turn.
  [[nodiscard]] bool generous() const { return generous_; }
  template <typename Sum>
  [[nodiscard]] std::uint64_t sum(Sum&& of) const {
    std::uint64_t total = 0;
    for (const auto& metrics : state.metrics) total += of(*metrics);
    return total;
  }

 private:
  [[nodiscard]] std::unique_ptr<core::Store> make_store(const WorldOptions& options);
  bool serve_past();
  void adopt(const net::ServerOptions& options);
  void take_in();
  void identify(Sequence s);
  void check_gauges();
  void check_memory();
  void check_slow();
  void other_shards(std::size_t waiting);

  net::ServerOptions options_;
  std::vector<std::unique_ptr<FakeIo>> ios_;
  std::vector<std::unique_ptr<net::Shard>> shards_;
  std::vector<char> turning_;  // by shard
  std::vector<std::unique_ptr<SimClient>> clients_;
  std::string failure_;
  std::uint64_t tokens_ = 0;
  std::uint64_t turns_ = 0;
  bool generous_;
  std::uint32_t slow_seconds_ = 0;  // the largest so far
  bool may_refuse_ = false;
  bool may_end_ = false;
  bool refuses_at_the_door_ = false;
  bool may_be_unknown_ = false;
  bool may_take_back_ = false;
};

}  // namespace tocsin::sim
