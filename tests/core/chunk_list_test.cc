#include "core/chunk_list.h"

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proto/limits.h"

namespace tocsin::core {
namespace {

class ChunkListTest : public ::testing::Test {
 protected:
  // The newest chunk of a log.
  ChunkRef add(std::size_t capacity) {
    auto chunk = std::make_shared<Chunk>(capacity, Chunk::Origin{});
    list_.push(*chunk, log());
    return chunk;
  }
  // The list only hands the owner's address back.
  TopicLog& log() { return reinterpret_cast<TopicLog&>(owner_); }

  ChunkList list_;

 private:
  alignas(8) char owner_[8] = {};
};

TEST_F(ChunkListTest, KeepsOrderAndCountsBytesWhateverIsDropped) {
  // Each of the three dropped first, then each of the rest.
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 3; ++b) {
      if (a == b) continue;
      EXPECT_EQ(list_.oldest(), nullptr);
      const std::vector<ChunkRef> chunks{add(512), add(1024), add(2048)};
      const auto chunk = [&](int i) { return chunks[static_cast<std::size_t>(i)]; };
      EXPECT_EQ(list_.bytes(), 3584U);
      EXPECT_EQ(list_.oldest(), chunk(0).get());
      EXPECT_EQ(&ChunkList::owner(*chunk(2)), &log());
      list_.drop(chunk(a));
      EXPECT_EQ(list_.oldest(), chunk(a == 0 ? 1 : 0).get());
      list_.renew(*chunk(b));
      EXPECT_EQ(list_.oldest(), chunk(3 - a - b).get());
      list_.drop(chunk(3 - a - b));
      EXPECT_EQ(list_.oldest(), chunk(b).get());
      EXPECT_EQ(list_.bytes(), chunk(b)->capacity());
      list_.drop(chunk(b));
      EXPECT_EQ(list_.bytes(), 0U);
    }
  }
}

TEST_F(ChunkListTest, WhatIsDroppedUnpinnedIsGone) {
  ChunkRef chunk = add(512);
  const std::weak_ptr<Chunk> seen = chunk;
  list_.drop(std::move(chunk));
  EXPECT_TRUE(seen.expired());
  EXPECT_EQ(list_.pinned_bytes(), 0U);
}

TEST_F(ChunkListTest, WhatIsPinnedStaysUntilTheLastPinIsGone) {
  ChunkRef chunk = add(512);
  std::optional<Pin> first = list_.pin(chunk);
  std::optional<Pin> second = list_.pin(chunk);
  EXPECT_EQ(list_.pinned_bytes(), 0U) << "it is in the log";
  list_.drop(std::move(chunk));
  EXPECT_EQ(list_.bytes(), 0U);
  EXPECT_EQ(list_.pinned_bytes(), 512U) << "once, not once for each";
  ASSERT_NE(second->hold(), nullptr);
  first.reset();
  list_.release_unpinned();
  EXPECT_EQ(list_.pinned_bytes(), 512U);
  EXPECT_FALSE(second->gone());
  const Pin moved = *std::exchange(second, std::nullopt);
  list_.release_unpinned();
  EXPECT_EQ(list_.pinned_bytes(), 512U);
  second = list_.pin(moved.hold());
  EXPECT_EQ(list_.pinned_bytes(), 512U);
}

// Between reading a piece and being cut in it, its reader has not the lock.
TEST_F(ChunkListTest, WhatWasDroppedMeanwhileCanStillBePinned) {
  const ChunkRef chunk = add(512);
  list_.drop(chunk);
  EXPECT_EQ(list_.pinned_bytes(), 0U);
  std::optional<Pin> pin = list_.pin(chunk);
  EXPECT_EQ(list_.pinned_bytes(), 512U);
  pin.reset();
  list_.release_unpinned();
  EXPECT_EQ(list_.pinned_bytes(), 0U);
}

TEST_F(ChunkListTest, PastTheLimitTheOneThatWasDroppedFirstGoes) {
  list_.limit_pinned(1024);
  std::vector<ChunkRef> chunks{add(512), add(512), add(512), add(2048)};
  std::vector<Pin> pins;
  for (const ChunkRef& chunk : chunks) pins.push_back(list_.pin(chunk));
  list_.drop(std::move(chunks[1]));
  list_.drop(std::move(chunks[0]));
  EXPECT_EQ(list_.pinned_bytes(), 1024U);
  list_.drop(std::move(chunks[2]));
  EXPECT_EQ(list_.pinned_bytes(), 1024U);
  EXPECT_TRUE(pins[1].gone());
  EXPECT_EQ(pins[1].hold(), nullptr);
  EXPECT_FALSE(pins[0].gone() || pins[2].gone());
  list_.limit_pinned(512);
  EXPECT_TRUE(pins[0].gone());
  EXPECT_FALSE(pins[2].gone());
  list_.drop(std::move(chunks[3]));  // by itself more than there may be
  EXPECT_TRUE(pins[2].gone() && pins[3].gone());
  EXPECT_EQ(list_.pinned_bytes(), 0U);
}

TEST_F(ChunkListTest, WhoHoldsAChunkReadsItThoughItIsTakenBack) {
  list_.limit_pinned(0);
  ChunkRef chunk = add(512);
  chunk->append("frame", "", 1, 0);
  const Pin pin = list_.pin(chunk);
  ChunkRef held = pin.hold();
  list_.drop(std::move(chunk));
  EXPECT_EQ(held->frame(0), "frame");
  held.reset();
  EXPECT_TRUE(pin.gone());
}

TEST_F(ChunkListTest, SoManyAreKeptAtMost) {
  std::vector<Pin> pins;
  for (std::size_t i = 0; i < limits::kMaxPinnedChunks + 1; ++i) {
    ChunkRef chunk = add(64);
    pins.push_back(list_.pin(chunk));
    list_.drop(std::move(chunk));
  }
  EXPECT_EQ(list_.pinned_bytes(), limits::kMaxPinnedChunks * 64);
  EXPECT_TRUE(pins[0].gone());
  EXPECT_FALSE(pins[1].gone());
}

}  // namespace
}  // namespace tocsin::core
