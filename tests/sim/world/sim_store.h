// A store that orders a history for several hubs, as badly as one may: it answers late, never,
// twice, in any order or with an error, brings batches late, again, or before their turn, loses its
// newest part and goes on in a new epoch. What it holds is kept here as naively as can be: it is
// what the hubs are judged by.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/store.h"
#include "tests/sim/world/random.h"

namespace tocsin::sim {

using core::Sequence;

// An event as it was submitted, and where it was put.
struct StoredEvent {
  std::string topic;
  std::string id;  // as on the wire
  std::string given_id;
  std::string body;
  core::ReceiptUs received = 0;
  core::Place batch;

  friend bool operator==(const StoredEvent&, const StoredEvent&) = default;
};

class SimStore {
 public:
  explicit SimStore(Random& random, proto::Epoch epoch = 1)
      : random_(random), journal_(core::Epochs(epoch)) {}

  using History = std::vector<StoredEvent>;  // by sequence - 1

  [[nodiscard]] const core::Journal& journal() const { return journal_; }
  [[nodiscard]] const History& history() const { return history_; }
  // What an epoch's history was when its last event was lost, or is.
  [[nodiscard]] const History& history_of(proto::Epoch epoch) const;

  // Commits the batch, in a copy, unless its key is known.
  core::StoreAnswer commit(std::span<const core::NewEvent> events,
                           const std::optional<core::PublishKey>& key);
  // Loses some of its newest batches, or none of them, and goes on in a new epoch.
  void fork();
  // The batch that has the event, or ends with it.
  [[nodiscard]] const core::Place& batch_of(Sequence sequence) const {
    return history_[sequence - 1].batch;
  }
  [[nodiscard]] std::vector<core::NewEvent> events_of(const core::Place& place) const;

 private:
  Random& random_;
  core::Journal journal_;
  History history_;
  std::map<proto::Epoch, History> lost_;  // of earlier epochs
  struct Published {
    core::PublishKey key;
    core::Place place;
  };
  std::vector<Published> published_;  // with keys
};

// One hub's way to it.
class SimStoreLink final : public core::Store {
 public:
  // `keeps`: of how many of the newest events at most the hub is told at its beginning.
  SimStoreLink(SimStore& store, Random& random, std::size_t keeps);

  void start(Client& client) override;
  void stop() override { client_ = nullptr; }
  [[nodiscard]] core::Journal beginning() const override { return beginning_; }
  [[nodiscard]] core::StoreAnswer append(std::span<const core::NewEvent> events,
                                         core::Ticket ticket,
                                         const core::PublishKey* key) override;

  // The store has forked behind what the hub was told, or will be by this. The hub goes on.
  void follow_fork(Sequence told);

  // Something happens to what is on its way. `told`: up to where the hub says that it was told.
  void step(Sequence told);
  // The same without mischief; false: nothing is on its way.
  bool calm_step(Sequence told);
  // From now on what the history has can be read, though not at each try.
  void keep_past() { floor_ = 0; }
  void be_calm(bool calm) { calm_ = calm; }
  // A part of that goes.
  void drop_oldest();
  [[nodiscard]] Sequence floor() const override { return floor_; }
  [[nodiscard]] std::optional<Sequence> read(Sequence after, Sequence until,
                                             const TakeEvent& take) override;
  // No more mischief: all that is on its way arrives.
  void finish(Sequence told);

 private:
  struct Append {
    core::Batch batch;
    core::Ticket ticket;
    std::optional<core::PublishKey> key;
  };
  struct Reply {
    core::Ticket ticket;
    core::StoreAnswer answer;
    int times;
  };
  void order_one();
  void commit_one();
  void answer_one();
  void bring(Sequence told);
  void tell(const core::Place& place);

  SimStore& store_;
  Random& random_;
  core::Journal beginning_;
  Client* client_ = nullptr;
  std::deque<Append> appends_;
  std::deque<Reply> replies_;
  Sequence floor_ = kNoPast;
  bool calm_ = false;
};

}  // namespace tocsin::sim
