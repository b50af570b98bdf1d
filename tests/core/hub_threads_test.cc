// What the headers promise across threads: the hub under a lock, a Piece's bytes without it. Says
// most under ThreadSanitizer.
#include <mutex>
#include <thread>

#include "tests/core/hub_fixture.h"

namespace tocsin::core {
namespace {

constexpr Sequence kEvents = 10'000;
constexpr ShardId kReaders = 2;

class HubThreadsTest : public HubTest {
 protected:
  void publish_all() {
    Sequence next = 1;
    while (next <= kEvents) {
      const std::string body = body_of(std::string(next % 100, 'x') + std::to_string(next));
      const NewEvent event{.topic = "a", .id = {}, .body = body};
      const std::scoped_lock lock(mutex_);
      if (hub().publish({&event, 1}, now_)) ++next;
      hub().maintain(++now_);
    }
  }

  // A shard with one subscriber whose socket always takes everything.
  void read_all_events(ShardId shard, Subscription at, std::string& got) {
    Collected collected;
    std::vector<Piece> pieces;
    while (at.cursor < kEvents) {
      {
        const std::scoped_lock lock(mutex_);
        hub().collect(shard, collected);
        const ReadStatus status = hub().read(at.topics, at.cursor, kNoLimit, kManyPieces, pieces);
        if (status == ReadStatus::gap) return;  // then the bytes are too few
      }
      for (const Piece& piece : pieces) {
        got += piece.bytes();
        at.cursor = piece.last_sequence();
      }
      if (pieces.empty()) std::this_thread::yield();
      pieces.clear();
      const std::scoped_lock lock(mutex_);
      hub().swept(shard);
    }
  }

  std::mutex mutex_;
};

TEST_F(HubThreadsTest, PiecesAreReadWithoutTheLockWhileTheLogGrowsAndLetsGo) {
  HubSettings settings;
  settings.history = {.count = 0, .age_ms = 0, .bytes = 0};
  settings.backlog = {.bytes = kNoLimit, .age_ms = 0};
  make_hub(settings, kReaders);
  std::string got[kReaders];
  std::vector<std::thread> threads;
  for (ShardId shard = 0; shard < kReaders; ++shard) {
    threads.emplace_back(
        [this, shard, at = live({"a"}, shard), &got] { read_all_events(shard, at, got[shard]); });
  }
  publish_all();
  for (std::thread& thread : threads) thread.join();
  std::string expected;
  for (Sequence n = 1; n <= kEvents; ++n) {
    expected += frame_of(own_id(n), std::string(n % 100, 'x') + std::to_string(n));
  }
  for (const std::string& each : got) EXPECT_TRUE(each == expected);
}

}  // namespace
}  // namespace tocsin::core
