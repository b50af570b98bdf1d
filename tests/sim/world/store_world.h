// Hubs over a simulated store, with publishers that wait and readers that come back: what must hold
// of a batch on its way (I12 to I14), at every step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/hub.h"
#include "tests/sim/world/random.h"
#include "tests/sim/world/sim_store.h"

namespace tocsin::sim {

class StoreWorld {
 public:
  explicit StoreWorld(std::uint64_t seed);
  ~StoreWorld();

  void step();
  // Everything arrives, and everybody has everything.
  void finish();
  [[nodiscard]] const std::string& failure() const { return failure_; }

  // How often each happened: a world in which nothing does proves nothing.
  enum class Event : std::uint8_t {
    applied,  // the first four as core::Fit
    known,
    hole,
    other,
    committed,
    refused,
    unknown,
    stale,
    given_up,
    restart,
    fork,
    went_on,  // a hub behind one
    exact_in_older_epoch,
    publishers_id,
    gap,
    kCount
  };
  [[nodiscard]] std::uint64_t count(Event event) const {
    return counts_[static_cast<std::size_t>(event)];
  }

 private:
  struct Node;
  struct Reader {
    core::ShardId shard = 0;
    std::vector<std::string> topics;
    bool away = false;  // its connection broke, and it has not come back yet
    core::Subscription at;
    Sequence position = 0;  // everything of its topics up to here has come
    std::string last_id;    // that it was sent
  };

  void publish(Node& node);
  void give_up(Node& node);
  void check_answer(const core::StoreAnswer& answer, const std::vector<std::string>& bodies);
  void subscribe(Node& node);
  void begin(Node& node, Reader& reader, const core::Resume& resume);
  void leave(Node& node, Reader& reader);
  void go_or_come_back(Node& node, Reader& reader);
  void come_back(Node& node, Reader& reader);
  void sweep(Node& node, core::ShardId shard);
  void read(Node& node, Reader& reader);
  void deliver(Reader& reader, Sequence s, std::string_view frame);
  // The hub ends with its streams, and a new one goes on; its readers come back to it.
  void restart(Node& node);
  void fork();
  void check();
  [[nodiscard]] std::optional<Sequence> expected_position(const Node& node,
                                                          const Reader& reader) const;
  [[nodiscard]] Sequence next_for(const Reader& reader, Sequence after) const;
  void require(bool holds, std::string_view what);
  void happened(Event event) { ++counts_[static_cast<std::size_t>(event)]; }

  Random random_;
  SimStore store_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::set<std::string> refused_;  // bodies of events
  std::uint64_t tokens_ = 0;
  core::TimeMs now_ = 1000;
  std::uint64_t counts_[static_cast<std::size_t>(Event::kCount)] = {};
  std::string failure_;
};

}  // namespace tocsin::sim
