// What a hub is to its store: asks for its beginning, gives it batches under a lock, follows what
// it is told, and notes it for the test. What no hub may be told fails the test at once.
//
// Threads: any.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/store.h"
#include "tests/net/support/test_client.h"

namespace tocsin::net {

// An event that is given to a store, or comes from there.
struct KeptEvent {
  std::string topic;
  std::string id;
  std::string body;

  friend bool operator==(const KeptEvent&, const KeptEvent&) = default;
};
using KeptEvents = std::vector<KeptEvent>;

class StoreUser final : private core::Store::Client {
 public:
  using Outcome = core::StoreAnswer::Outcome;
  using Answers = std::map<core::Ticket, core::StoreAnswer>;

  static constexpr core::ReceiptUs kReceived = 0x12345678;

  explicit StoreUser(core::Store& store)
      : store_(store), beginning_(store.beginning()), journal_(beginning_) {}

  // Returns how many events it was told of meanwhile.
  std::size_t start() {
    starting_ = std::this_thread::get_id();
    store_.start(*this);
    starting_.reset();
    const std::scoped_lock lock(mutex_);
    return events_.size();
  }

  core::Ticket append(const KeptEvents& events,
                      const std::optional<core::PublishKey>& key = std::nullopt) {
    std::vector<core::NewEvent> batch;
    for (const KeptEvent& event : events) {
      batch.push_back({.topic = event.topic,
                       .id = event.id,
                       .body = event.body,
                       .received = kReceived});
    }
    const std::scoped_lock lock(mutex_);
    const core::Ticket ticket = ++tickets_;
    const core::StoreAnswer answer = store_.append(batch, ticket, key ? &*key : nullptr);
    EXPECT_NE(answer.outcome, Outcome::unknown) << "who answers at once knows";
    if (answer.outcome == Outcome::committed) follow(answer.place, batch);
    if (answer.outcome != Outcome::pending) answers_[ticket] = answer;
    return ticket;
  }
  // What became of the append.
  core::StoreAnswer wait_answer(core::Ticket ticket) {
    if (!eventually([&] { return answer_to(ticket).has_value(); })) {
      throw std::runtime_error("no answer");
    }
    return *answer_to(ticket);
  }
  core::StoreAnswer publish(const KeptEvents& events,
                            const std::optional<core::PublishKey>& key = std::nullopt) {
    return wait_answer(append(events, key));
  }
  // Until it has been told of all events up to this.
  void wait_told(core::Sequence last) {
    if (!eventually([&] { return told() >= last; })) throw std::runtime_error("not told");
  }

  [[nodiscard]] Answers answers() const {
    const std::scoped_lock lock(mutex_);
    return answers_;
  }
  [[nodiscard]] std::optional<core::StoreAnswer> answer_to(core::Ticket ticket) const {
    const std::scoped_lock lock(mutex_);
    const auto answer = answers_.find(ticket);
    return answer == answers_.end() ? std::nullopt : std::optional(answer->second);
  }
  [[nodiscard]] bool is_refused(core::Ticket ticket) const {
    const auto answer = answer_to(ticket);
    return answer && answer->outcome == Outcome::refused;
  }
  [[nodiscard]] core::Sequence told() const {
    const std::scoped_lock lock(mutex_);
    return journal_.last();
  }
  // Above its beginning.
  [[nodiscard]] KeptEvents events() const {
    const std::scoped_lock lock(mutex_);
    return events_;
  }
  // Of each of them, when it was received.
  [[nodiscard]] std::vector<core::ReceiptUs> received() const {
    const std::scoped_lock lock(mutex_);
    return received_;
  }
  [[nodiscard]] KeptEvents events_at(const core::Place& place) const {
    const std::scoped_lock lock(mutex_);
    const auto first = events_.begin() +
                       static_cast<std::ptrdiff_t>(place.first - beginning_.last() - 1);
    return {first, first + static_cast<std::ptrdiff_t>(place.events())};
  }
  [[nodiscard]] const core::Journal& beginning() const { return beginning_; }
  [[nodiscard]] core::Epochs epochs() const {
    const std::scoped_lock lock(mutex_);
    return journal_.epochs();
  }
  // How the store stands to its server.
  [[nodiscard]] core::LinkFigures link() const {
    const std::scoped_lock lock(mutex_);
    return link_;
  }
  // Why the history is not this one any more; empty: it is.
  [[nodiscard]] std::string why_lost() const {
    const std::scoped_lock lock(mutex_);
    return lost_;
  }

 private:
  void committed(const core::Place& place, std::span<const core::NewEvent> events,
                 core::TimeMs) override {
    EXPECT_TRUE(!starting_ || *starting_ == std::this_thread::get_id()) << "another thread";
    const std::scoped_lock lock(mutex_);
    follow(place, events);
  }
  void answered(core::Ticket ticket, const core::StoreAnswer& answer) override {
    const std::scoped_lock lock(mutex_);
    EXPECT_NE(answer.outcome, Outcome::pending);
    EXPECT_GE(tickets_, ticket) << "never given";
    const bool news = answers_.emplace(ticket, answer).second;
    EXPECT_TRUE(news || answers_[ticket].outcome == answer.outcome) << "another answer";
  }
  void linked(const core::LinkFigures& figures) override {
    const std::scoped_lock lock(mutex_);
    link_ = figures;
  }
  void forked(proto::Epoch epoch) override {
    const std::scoped_lock lock(mutex_);
    ASSERT_TRUE(lost_.empty());
    ASSERT_FALSE(journal_.epochs().has(epoch));
    journal_.fork(epoch, journal_.last());
  }
  void lost(std::string_view why) override {
    const std::scoped_lock lock(mutex_);
    ASSERT_TRUE(lost_.empty()) << "once";
    ASSERT_FALSE(why.empty());
    lost_ = why;
  }
  // I13.
  void follow(const core::Place& place, std::span<const core::NewEvent> events) {
    ASSERT_TRUE(lost_.empty()) << "nothing follows";
    ASSERT_EQ(place.events(), events.size());
    const core::Fit fit = journal_.fit(place);
    if (fit == core::Fit::known) return;
    ASSERT_EQ(fit, core::Fit::next) << place.first << ".." << place.last;
    journal_.follow(place);
    for (const core::NewEvent& event : events) {
      events_.push_back({std::string{event.topic}, std::string{event.id}, std::string{event.body}});
      received_.push_back(event.received);
    }
  }

  core::Store& store_;
  const core::Journal beginning_;
  std::optional<std::thread::id> starting_;
  mutable std::mutex mutex_;
  core::Journal journal_;
  KeptEvents events_;
  std::vector<core::ReceiptUs> received_;
  Answers answers_;
  core::LinkFigures link_{};
  std::string lost_;
  core::Ticket tickets_ = 0;
};

}  // namespace tocsin::net
