// The histories that need no disk and no server: memory, and the fake by which everything can go
// wrong (tests/net/support/held_store.h), which here commits what it is given in a thread of its
// own, in any order; those with keys in the one in which they came.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "core/memory_store.h"
#include "tests/net/store/tested_history.h"
#include "tests/net/support/held_store.h"

namespace tocsin::net {

class MemoryHistory final : public TestedHistory {
 public:
  [[nodiscard]] std::unique_ptr<core::Store> open() override {
    return std::make_unique<core::MemoryStore>(++epoch_);
  }

 private:
  proto::Epoch epoch_ = 0;
};

class HeldHistory final : public TestedHistory {
 public:
  [[nodiscard]] std::unique_ptr<core::Store> open() override {
    auto held = std::make_unique<HeldStore>(epochs_);
    held->keep_above(0);
    for (const core::Batch& batch : batches_) held->order(core::Batch(batch.events()));
    for (const auto& [key, place] : keys_) held->keep(key, place);
    held->refuse_appends(cut_off_);
    auto store = std::make_unique<Driven>(*this, std::move(held));
    open_ = store.get();
    return store;
  }
  [[nodiscard]] bool survives() const override { return true; }
  [[nodiscard]] bool cut_off(bool off) override {
    cut_off_ = off;
    open_->held->refuse_appends(off);
    return true;
  }
  [[nodiscard]] bool crash() override {
    open_->stop();
    return true;
  }
  [[nodiscard]] bool lose_oldest(std::size_t events) override {
    open_->held->keep_above(open_->held->floor() + events);
    return true;
  }
  [[nodiscard]] bool lose_newest(std::size_t events) override {
    for (std::size_t lost = 0; lost < events && !batches_.empty(); batches_.pop_back()) {
      lost += batches_.back().events().size();
      last_ -= batches_.back().events().size();
    }
    std::erase_if(keys_, [this](const auto& known) { return known.second.last > last_; });
    epochs_.fork(epochs_.current() + 1, last_);
    return true;
  }

 private:
  // The fake, and the thread by which it does something.
  struct Driven final : core::Store {
    Driven(HeldHistory& history, std::unique_ptr<HeldStore> store)
        : owner(history), held(std::move(store)) {}
    ~Driven() override { stop(); }

    [[nodiscard]] core::Journal beginning() const override { return held->beginning(); }
    void start(Client& client) override {
      held->start(client);
      thread = std::jthread([this](const std::stop_token& stopped) { run(stopped); });
    }
    void stop() override {
      thread = {};
      held->stop();
    }
    [[nodiscard]] core::StoreAnswer append(std::span<const core::NewEvent> events,
                                           core::Ticket ticket,
                                           const core::PublishKey* key) override {
      return held->append(events, ticket, key);
    }
    [[nodiscard]] core::Sequence floor() const override { return held->floor(); }
    [[nodiscard]] std::optional<core::Sequence> read(core::Sequence after, core::Sequence until,
                                                     const TakeEvent& take) override {
      return held->read(after, until, take);
    }
    void run(const std::stop_token& stopped) {
      std::minstd_rand random(7);
      while (!stopped.stop_requested()) {
        if (held->held() == 0) {
          std::this_thread::yield();
          continue;
        }
        HeldStore::Append append = held->take(held->holds_key() ? 0 : random() % held->held());
        if (const auto answered = held->known(append)) {
          held->answer(append.ticket, *answered);
          continue;
        }
        const HeldStore::Stored& stored = held->order(std::move(append.batch));
        if (append.key) {
          held->keep(*append.key, stored.place);
          owner.keys_.emplace_back(*append.key, stored.place);
        }
        owner.batches_.emplace_back(stored.batch.events());
        owner.last_ = stored.place.last;
        const core::StoreAnswer answer{.outcome = HeldStore::Outcome::committed,
                                       .place = stored.place};
        const bool early = random() % 2 == 0;
        if (early) held->answer(append.ticket, answer);
        held->tell(stored);
        if (!early) held->answer(append.ticket, answer);
      }
    }

    HeldHistory& owner;
    std::unique_ptr<HeldStore> held;
    std::jthread thread;
  };

  // Of the open store's thread, or of nobody's.
  core::Epochs epochs_{HeldStore::kEpoch};
  std::vector<core::Batch> batches_;
  std::vector<std::pair<core::PublishKey, core::Place>> keys_;
  core::Sequence last_ = 0;

  Driven* open_ = nullptr;
  bool cut_off_ = false;
};

}  // namespace tocsin::net
