// A store that holds what it is given until the test says what becomes of it: committed in any
// order, refused, lost, told twice or never.
//
// Threads: whoever tells its client, one at a time; everything else any.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "core/store.h"
#include "tests/net/support/test_client.h"

namespace tocsin::net {

class HeldStore final : public core::Store {
 public:
  using Outcome = core::StoreAnswer::Outcome;

  static constexpr proto::Epoch kEpoch = 0x5707'e001;

  struct Append {
    core::Batch batch;
    core::Ticket ticket;
    std::optional<core::PublishKey> key{};
  };
  // Of its history.
  struct Stored {
    core::Place place;
    core::Batch batch;
  };

  // `epochs` and `last`: of a history whose events are not here.
  explicit HeldStore(core::Epochs epochs = core::Epochs(kEpoch), core::Sequence last = 0)
      : beginning_(epochs, last), journal_(beginning_) {}

  [[nodiscard]] core::Journal beginning() const override { return beginning_; }
  [[nodiscard]] bool is_shared() const override { return shared_; }
  void start(core::Store::Client& client) override {
    client_ = &client;
    for (const Stored& stored : history_) tell(stored);
    if (lost_) client.lost("the test says so");
  }
  void stop() override {
    const std::scoped_lock lock(telling_);
    client_ = nullptr;
  }
  [[nodiscard]] core::StoreAnswer append(std::span<const core::NewEvent> events,
                                         core::Ticket ticket,
                                         const core::PublishKey* key) override {
    const std::scoped_lock lock(mutex_);
    if (refuses_) return {.outcome = Outcome::refused};
    held_.push_back({.batch = core::Batch(events),
                     .ticket = ticket,
                     .key = key == nullptr ? std::nullopt : std::optional(*key)});
    return {};
  }
  [[nodiscard]] core::Sequence floor() const override { return floor_.load(); }
  [[nodiscard]] std::optional<core::Sequence> read(core::Sequence after, core::Sequence until,
                                                   const TakeEvent& take) override {
    const std::scoped_lock lock(mutex_);
    if (unreadable_ || after == unreadable_behind_) return std::nullopt;
    const core::Sequence begins = std::max(after, floor_.load());
    for (const Stored& stored : history_) {
      for (core::Sequence at = stored.place.first; at <= stored.place.last; ++at) {
        if (at <= begins) continue;
        const auto& event = stored.batch.events()[at - stored.place.first];
        if (at > until || !take({.epoch = stored.place.epoch, .sequence = at}, event)) {
          return std::min(begins, until);
        }
      }
    }
    return std::min(begins, until);
  }

  // --- for tests

  // Before it is started: others have the history, too.
  void share() { shared_ = true; }
  // Before it is started: its history cannot be read to its end.
  void be_lost() { lost_ = true; }
  // From now on.
  void refuse_appends(bool refuses) {
    const std::scoped_lock lock(mutex_);
    refuses_ = refuses;
  }
  // Of its history it keeps what is above this, for who reads it. At first before it is started.
  void keep_above(core::Sequence floor) { floor_ = floor; }
  // From now on it cannot be read.
  void be_unreadable(bool unreadable) {
    const std::scoped_lock lock(mutex_);
    unreadable_ = unreadable;
  }
  // Before it is started: what is wanted behind this event cannot.
  void be_unreadable_behind(core::Sequence after) { unreadable_behind_ = after; }
  [[nodiscard]] std::size_t held() const {
    const std::scoped_lock lock(mutex_);
    return held_.size();
  }
  [[nodiscard]] bool holds_key() const {
    const std::scoped_lock lock(mutex_);
    return std::ranges::any_of(held_, [](const Append& append) { return append.key.has_value(); });
  }
  // Until it holds so many.
  void wait_held(std::size_t count) const {
    if (!eventually([&] { return held() >= count; })) throw std::runtime_error("nothing came");
  }
  // Of those that it holds, from 0.
  [[nodiscard]] Append take(std::size_t index = 0) {
    wait_held(index + 1);
    const std::scoped_lock lock(mutex_);
    Append append = std::move(held_[index]);
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(index));
    return append;
  }
  // Puts a batch into the history, and tells nobody.
  Stored& order(core::Batch batch) {
    const std::scoped_lock lock(mutex_);
    const core::Place place = journal_.next(batch.events().size());
    journal_.follow(place);
    return history_.emplace_back(Stored{.place = place, .batch = std::move(batch)});
  }
  // False: it was stopped.
  bool tell(const Stored& stored, core::TimeMs age_ms = 0) {
    const std::scoped_lock lock(telling_);
    if (client_ != nullptr) client_->committed(stored.place, stored.batch.events(), age_ms);
    return client_ != nullptr;
  }
  bool answer(core::Ticket ticket, const core::StoreAnswer& answer) {
    const std::scoped_lock lock(telling_);
    if (client_ != nullptr) client_->answered(ticket, answer);
    return client_ != nullptr;
  }
  // Behind its newest event, of which the hub was told.
  bool fork(proto::Epoch epoch) {
    const std::scoped_lock lock(telling_);
    journal_.fork(epoch, journal_.last());
    if (client_ != nullptr) client_->forked(epoch);
    return client_ != nullptr;
  }
  // How it stands to a server that it does not have.
  void link(const core::LinkFigures& figures) {
    const std::scoped_lock lock(telling_);
    if (client_ != nullptr) client_->linked(figures);
  }
  // From now on the hub's history is none that there is.
  void lose_history() {
    refuse_appends(true);
    const std::scoped_lock lock(telling_);
    if (client_ != nullptr) client_->lost("the test says so");
  }
  // What is known of the append's key; nothing: it is to be ordered.
  std::optional<core::StoreAnswer> known(const Append& append) const {
    if (!append.key) return std::nullopt;
    const core::KeyFinding finding = keys_.find(*append.key);
    if (finding.kind == core::KeyFinding::Kind::fresh) return std::nullopt;
    return core::answer_of(finding);
  }
  void keep(const core::PublishKey& key, const core::Place& place) { keys_.add(key, place); }
  // As a store does by which all goes well.
  core::Place commit(std::size_t index = 0) {
    Append append = take(index);
    if (const auto answered = known(append)) {
      answer(append.ticket, *answered);
      return answered->place;
    }
    const Stored& stored = order(std::move(append.batch));
    const core::Place place = stored.place;
    if (append.key) keep(*append.key, place);
    tell(stored);
    answer(append.ticket, {.outcome = Outcome::committed, .place = place});
    return place;
  }
  void refuse(std::size_t index = 0) { answer(take(index).ticket, {.outcome = Outcome::refused}); }
  // What would say what became of it is lost.
  void lose(std::size_t index = 0) { answer(take(index).ticket, {.outcome = Outcome::unknown}); }

 private:
  const core::Journal beginning_;
  core::Journal journal_;
  std::deque<Stored> history_;
  core::PublishedKeys keys_;
  std::mutex telling_;
  core::Store::Client* client_ = nullptr;
  mutable std::mutex mutex_;
  std::vector<Append> held_;
  bool refuses_ = false;
  bool shared_ = false;
  bool lost_ = false;
  bool unreadable_ = false;
  std::optional<core::Sequence> unreadable_behind_{};
  std::atomic<core::Sequence> floor_{kNoPast};
};

}  // namespace tocsin::net
