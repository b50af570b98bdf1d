// The fixture of what core/store.h demands of every kind of store. A new kind is a line here.
#pragma once

#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "proto/sse/sse_encode.h"
#include "tests/net/redis/redis_history.h"
#include "tests/net/store/held_history.h"
#include "tests/net/store/sqlite_history.h"
#include "tests/net/store/store_user.h"
#include "tests/net/store/tested_history.h"

namespace tocsin::net {

inline constexpr HistoryKind kHistoryKinds[] = {
    {"Memory", [] -> std::unique_ptr<TestedHistory> { return std::make_unique<MemoryHistory>(); }},
    {"Held", [] -> std::unique_ptr<TestedHistory> { return std::make_unique<HeldHistory>(); }},
    {"Sqlite", [] -> std::unique_ptr<TestedHistory> { return std::make_unique<SqliteHistory>(); }},
    {"Redis", [] -> std::unique_ptr<TestedHistory> {
       if (RedisServer::program().empty()) return nullptr;
       return std::make_unique<RedisHistory>();
     }},
};

class StoreConformance : public testing::TestWithParam<HistoryKind> {
 protected:
  using Outcome = core::StoreAnswer::Outcome;

  void SetUp() override {
    if (history_ == nullptr) GTEST_SKIP() << RedisServer::kMissing;
  }
  ~StoreConformance() override { close(); }

  // The history's store, and its user; of the history that was there before, if it is opened again.
  StoreUser& open() {
    close();
    store_ = history_->open();
    user_ = std::make_unique<StoreUser>(*store_);
    runs_ = true;
    told_at_start_ = user_->start();
    return *user_;
  }
  void close() {
    stop();
    store_.reset();
  }
  void stop() {
    if (std::exchange(runs_, false)) store_->stop();
  }
  void crash() {
    ASSERT_TRUE(history_->crash());
    runs_ = false;
  }
  [[nodiscard]] std::size_t told_at_start() const { return told_at_start_; }
  TestedHistory& history() { return *history_; }
  core::Store& store() { return *store_; }

  // What the store gives of (after, until], taken in pieces of so many at most. `floor`: up to
  // where it has told that events are gone; null: none may be.
  KeptEvents read(core::Sequence after, core::Sequence until, std::size_t most,
                  const StoreUser& user, core::Sequence* floor = nullptr) {
    KeptEvents found;
    const core::Epochs epochs = user.epochs();  // the store may have its lock while it gives events
    core::Sequence at = after;
    while (at < until) {
      std::size_t taken = 0;
      const auto above = store_->read(
          at, until, [&](proto::EventId id, const core::NewEvent& event) {
            if (taken == most) return false;
            if (taken++ == 0) first_ = id.sequence;
            EXPECT_EQ(id.sequence, first_ + taken - 1) << "a hole";
            EXPECT_EQ(id.epoch, epochs.of(id.sequence));
            found.push_back({std::string{event.topic}, std::string{event.id},
                             std::string{event.body}});
            return true;
          });
      if (!above) throw std::runtime_error("cannot be read");
      EXPECT_GE(*above, at);
      EXPECT_LE(*above, until);
      if (*above > at && floor != nullptr) *floor = *above;
      EXPECT_TRUE(*above == at || floor != nullptr) << "nothing is gone";
      EXPECT_TRUE(taken == 0 || first_ == *above + 1);
      at = *above + taken;
    }
    return found;
  }

  KeptEvents random_batch(std::size_t most = 20) {
    KeptEvents events(1 + random_() % most);
    for (KeptEvent& event : events) event = random_event();
    return events;
  }
  KeptEvent random_event() {
    const std::size_t size = random_() % 10 == 0 ? random_() % 20'000 : random_() % 300;
    return {.topic = "topic/" + std::to_string(random_() % 3),
            .id = random_() % 4 == 0 ? "own-" + std::to_string(random_()) : "",
            .body = body_of(size)};
  }
  // A frame's body, of data of so many bytes: a store may ask what nobody could have published.
  std::string body_of(std::size_t size) {
    std::string data(size, '\0');
    for (char& c : data) c = static_cast<char>(random_() % 128);
    std::string body;
    proto::encode_frame_body({.type = random_() % 2 == 0 ? "" : "tick", .data = data}, body);
    return body;
  }
  // Batches that are committed, one after the other; all of their events.
  KeptEvents publish_some(StoreUser& user, int batches = 20) {
    KeptEvents all;
    for (int i = 0; i < batches; ++i) {
      const KeptEvents batch = random_batch();
      EXPECT_EQ(user.publish(batch).outcome, Outcome::committed);
      all.insert(all.end(), batch.begin(), batch.end());
    }
    user.wait_told(user.beginning().last() + told_at_start_ + all.size());
    return all;
  }

  std::mt19937_64 random_{test_seed()};

 private:
  core::Sequence first_ = 0;
  std::unique_ptr<TestedHistory> history_ = GetParam().make();
  std::unique_ptr<StoreUser> user_;  // outlives the store, which tells it things until it ends
  std::unique_ptr<core::Store> store_;
  std::size_t told_at_start_ = 0;
  bool runs_ = false;
};

}  // namespace tocsin::net
