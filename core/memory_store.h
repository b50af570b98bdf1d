// The history is what the hub has in memory: ordered at once, and gone with the process.
//
// Threads: as core/store.h.
#pragma once

#include <span>

#include "core/store.h"

namespace tocsin::core {

class MemoryStore final : public Store {
 public:
  // `epoch`: random, different at each start.
  explicit MemoryStore(proto::Epoch epoch) : journal_(Epochs(epoch)) {}

  [[nodiscard]] Journal beginning() const override { return journal_; }
  [[nodiscard]] bool orders_at_once() const override { return true; }

  [[nodiscard]] StoreAnswer append(std::span<const NewEvent> events, Ticket,
                                   const PublishKey* key) override {
    const Place place = journal_.next(events.size());
    if (key != nullptr) {
      keys_.drop_old(key->time_ms);
      const KeyFinding finding = keys_.find(*key);
      if (finding.kind != KeyFinding::Kind::fresh) return answer_of(finding);
      keys_.add(*key, place);
    }
    journal_.follow(place);
    return {.outcome = StoreAnswer::Outcome::committed, .place = place};
  }

 private:
  Journal journal_;
  PublishedKeys keys_;
};

}  // namespace tocsin::core
