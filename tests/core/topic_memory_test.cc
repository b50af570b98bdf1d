// Memory of a hub with very many topics, as the allocator counts it. The bounds are generous: they
// are there to notice a structure that grows by its nature, not by its bytes.
#include <malloc.h>

#include <gtest/gtest.h>

#include "tests/core/hub_fixture.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TOCSIN_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TOCSIN_TEST_SANITIZED 1
#endif
#endif

namespace tocsin::core {
namespace {

constexpr int kTopics = 100'000;

class TopicMemoryTest : public HubTest {
 protected:
  void SetUp() override {
#ifdef TOCSIN_TEST_SANITIZED
    GTEST_SKIP() << "a sanitizer's allocator counts otherwise";
#endif
    make_hub({});
    before_ = allocated();
  }
  static std::size_t allocated() {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
  }
  static std::string name(int i) { return "user/" + std::to_string(1'000'000 + i); }
  // Bytes per topic since SetUp.
  std::size_t report(const char* what) {
    const std::size_t each = (allocated() - before_) / kTopics;
    std::printf("%zu bytes per topic %s\n", each, what);
    RecordProperty(what, static_cast<int>(each));
    return each;
  }

 private:
  std::size_t before_ = 0;
};

TEST_F(TopicMemoryTest, ATopicWithASubscriberAndNoHistoryIsSmall) {
  for (int i = 0; i < kTopics; ++i) live({name(i)});
  EXPECT_EQ(hub().topics(), static_cast<std::size_t>(kTopics));
  EXPECT_LT(report("with a subscriber"), 400U);
}

TEST_F(TopicMemoryTest, OneEventTakesOneSmallPage) {
  for (int i = 0; i < kTopics; ++i) {
    live({name(i)});
    publish(name(i), "hello");
    if (i % 1000 == 0) sweep(0);
  }
  EXPECT_LT(report("with a subscriber and an event"), 1200U);
  sweep(0);
  for (int i = 0; i < 2 * kTopics / 1024 + 2; ++i) hub().maintain(now_ + 400'000);
  EXPECT_EQ(hub().log_bytes(), 0U);
  EXPECT_LT(report("once the event has expired"), 400U);
}

// The list of pages is compacted as its front goes.
TEST_F(TopicMemoryTest, ALogOfConstantSizeDoesNotGrow) {
  HubSettings settings;
  settings.history.count = 3;
  settings.backlog.age_ms = 0;
  make_hub(settings);
  const std::string body = body_of_size(kOwnPage);
  for (; now_ < 1'000'100; ++now_) publish_body("a", body);
  const std::size_t before = allocated();
  for (; now_ < 1'020'000; ++now_) publish_body("a", body);
  EXPECT_LT(allocated(), before + 100 * limits::kKiB);
}

TEST_F(TopicMemoryTest, ForgottenTopicsGiveTheirMemoryBack) {
  for (int i = 0; i < kTopics; ++i) publish(name(i), "hello", "own id");
  for (int i = 0; i < 2 * kTopics / 1024 + 2; ++i) hub().maintain(now_ + 400'000);
  EXPECT_EQ(hub().topics(), 0U);
  EXPECT_LT(report("after it was forgotten"), 50U);  // the table's own buckets
}

}  // namespace
}  // namespace tocsin::core
