#include "core/page_list.h"

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proto/limits.h"

namespace tocsin::core {
namespace {

class PageListTest : public ::testing::Test {
 protected:
  // The newest page of a log.
  PageRef add(std::size_t capacity) {
    auto page = std::make_shared<Page>(capacity, Page::Origin{});
    list_.push(*page, log());
    return page;
  }
  // The list only hands the owner's address back.
  TopicLog& log() { return reinterpret_cast<TopicLog&>(owner_); }

  PageList list_;

 private:
  alignas(8) char owner_[8] = {};
};

TEST_F(PageListTest, KeepsOrderAndCountsBytesWhateverIsDropped) {
  // Each of the three dropped first, then each of the rest.
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 3; ++b) {
      if (a == b) continue;
      EXPECT_EQ(list_.oldest(), nullptr);
      const std::vector<PageRef> pages{add(512), add(1024), add(2048)};
      const auto page = [&](int i) { return pages[static_cast<std::size_t>(i)]; };
      EXPECT_EQ(list_.bytes(), 3584U);
      EXPECT_EQ(list_.oldest(), page(0).get());
      EXPECT_EQ(&PageList::owner(*page(2)), &log());
      list_.drop(page(a));
      EXPECT_EQ(list_.oldest(), page(a == 0 ? 1 : 0).get());
      list_.renew(*page(b));
      EXPECT_EQ(list_.oldest(), page(3 - a - b).get());
      list_.drop(page(3 - a - b));
      EXPECT_EQ(list_.oldest(), page(b).get());
      EXPECT_EQ(list_.bytes(), page(b)->capacity());
      list_.drop(page(b));
      EXPECT_EQ(list_.bytes(), 0U);
    }
  }
}

TEST_F(PageListTest, WhatIsDroppedUnpinnedIsGone) {
  PageRef page = add(512);
  const std::weak_ptr<Page> seen = page;
  list_.drop(std::move(page));
  EXPECT_TRUE(seen.expired());
  EXPECT_EQ(list_.pinned_bytes(), 0U);
}

TEST_F(PageListTest, WhatIsPinnedStaysUntilTheLastPinIsGone) {
  PageRef page = add(512);
  std::optional<Pin> first = list_.pin(page);
  std::optional<Pin> second = list_.pin(page);
  EXPECT_EQ(list_.pinned_bytes(), 0U) << "it is in the log";
  list_.drop(std::move(page));
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
TEST_F(PageListTest, WhatWasDroppedMeanwhileCanStillBePinned) {
  const PageRef page = add(512);
  list_.drop(page);
  EXPECT_EQ(list_.pinned_bytes(), 0U);
  std::optional<Pin> pin = list_.pin(page);
  EXPECT_EQ(list_.pinned_bytes(), 512U);
  pin.reset();
  list_.release_unpinned();
  EXPECT_EQ(list_.pinned_bytes(), 0U);
}

TEST_F(PageListTest, PastTheLimitTheOneThatWasDroppedFirstGoes) {
  list_.limit_pinned(1024);
  std::vector<PageRef> pages{add(512), add(512), add(512), add(2048)};
  std::vector<Pin> pins;
  for (const PageRef& page : pages) pins.push_back(list_.pin(page));
  list_.drop(std::move(pages[1]));
  list_.drop(std::move(pages[0]));
  EXPECT_EQ(list_.pinned_bytes(), 1024U);
  list_.drop(std::move(pages[2]));
  EXPECT_EQ(list_.pinned_bytes(), 1024U);
  EXPECT_TRUE(pins[1].gone());
  EXPECT_EQ(pins[1].hold(), nullptr);
  EXPECT_FALSE(pins[0].gone() || pins[2].gone());
  list_.limit_pinned(512);
  EXPECT_TRUE(pins[0].gone());
  EXPECT_FALSE(pins[2].gone());
  list_.drop(std::move(pages[3]));  // by itself more than there may be
  EXPECT_TRUE(pins[2].gone() && pins[3].gone());
  EXPECT_EQ(list_.pinned_bytes(), 0U);
}

TEST_F(PageListTest, ThoseThatNobodyClaimsGoFirst) {
  list_.limit_pinned(1024);
  PageRef first = add(512);
  const Pin claimed = list_.pin(first);
  list_.drop(std::move(first));
  for (int i = 0; i < 10; ++i) {
    PageRef page = add(512);
    const Pin passing = list_.pin(page);
    list_.drop(std::move(page));
    EXPECT_FALSE(passing.gone());
  }
  EXPECT_FALSE(claimed.gone());
  EXPECT_LE(list_.pinned_bytes(), 1024U);
}

TEST_F(PageListTest, WhoHoldsAPageReadsItThoughItIsTakenBack) {
  list_.limit_pinned(0);
  PageRef page = add(512);
  page->append("frame", "", 1, 0);
  const Pin pin = list_.pin(page);
  PageRef held = pin.hold();
  list_.drop(std::move(page));
  EXPECT_EQ(held->frame(0), "frame");
  held.reset();
  EXPECT_TRUE(pin.gone());
}

TEST_F(PageListTest, SoManyAreKeptAtMost) {
  std::vector<Pin> pins;
  for (std::size_t i = 0; i < limits::kMaxPinnedPages + 1; ++i) {
    PageRef page = add(64);
    pins.push_back(list_.pin(page));
    list_.drop(std::move(page));
  }
  EXPECT_EQ(list_.pinned_bytes(), limits::kMaxPinnedPages * 64);
  EXPECT_TRUE(pins[0].gone());
  EXPECT_FALSE(pins[1].gone());
}

}  // namespace
}  // namespace tocsin::core
