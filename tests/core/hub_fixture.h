// What the tests of the hub share: short ways to publish, to subscribe, and to read all there is.
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/hub.h"
#include "proto/http/framing.h"

namespace tocsin::core {

inline constexpr proto::Epoch kEpoch = 0x9f3c21ab;
inline constexpr std::size_t kNoLimit = std::size_t{1} << 40;
inline constexpr std::size_t kManyPieces = std::size_t{1} << 20;

// An event with a body of this size does not share its page with another one.
inline constexpr std::size_t kOwnPage = limits::kMaxPage;

inline std::string own_id(Sequence sequence, proto::Epoch epoch = kEpoch) {
  return proto::to_string({epoch, sequence});
}

inline std::string body_of(std::string_view data) {
  return "data: " + std::string{data} + "\n";
}

// A frame as it stands in the log.
inline std::string chunked(std::string_view frame) {
  std::string result;
  proto::append_framed(result, proto::Framing::chunked, frame);
  return result;
}

// The whole frame as it is on the wire of a chunked stream.
inline std::string frame_of(std::string_view id, std::string_view data) {
  return chunked(body_of(data) + "id: " + std::string{id} + "\n\n");
}

inline std::string body_of_size(std::size_t size, char fill = 'x') {
  return body_of(std::string(size - body_of("").size(), fill));
}

// Prints the seed of a random test; TOCSIN_SEED repeats it.
inline std::uint64_t test_seed() {
  std::uint64_t seed = std::random_device{}();
  if (const char* text = std::getenv("TOCSIN_SEED")) {
    const std::string_view view{text};
    std::from_chars(view.data(), view.data() + view.size(), seed);
  }
  ::testing::Test::RecordProperty("seed", std::to_string(seed));
  std::printf("TOCSIN_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

// What a reader got in one or more calls of read().
struct ReadEvents {
  ReadStatus status = ReadStatus::end;  // of the last call
  std::vector<Piece> pieces;

  [[nodiscard]] std::vector<Sequence> sequences() const {
    std::vector<Sequence> result;
    for (const Piece& piece : pieces) {
      for (std::uint32_t i = piece.first; i < piece.last; ++i) {
        result.push_back(piece.page->sequence_of(i));
      }
    }
    return result;
  }
  [[nodiscard]] std::string bytes() const {
    std::string result;
    for (const Piece& piece : pieces) result += piece.bytes();
    return result;
  }
};

// Orders at once by the test's journal, in which the test may put batches of its own. The hub is
// told of what is above `before`.
class JournalStore final : public Store {
 public:
  explicit JournalStore(Journal& journal, Sequence before = 0)
      : journal_(journal), before_(before) {}

  [[nodiscard]] Journal beginning() const override { return Journal(journal_.epochs(), before_); }
  [[nodiscard]] StoreAnswer append(std::span<const NewEvent> events, Ticket,
                                   const PublishKey*) override {
    const Place place = journal_.next(events.size());
    journal_.follow(place);
    return {.outcome = StoreAnswer::Outcome::committed, .place = place};
  }

 private:
  Journal& journal_;
  const Sequence before_;
};

class HubTest : public ::testing::Test {
 protected:
  using Topics = std::initializer_list<std::string_view>;

  // Replaces the hub; the default one has three shards and the default settings.
  void make_hub(const HubSettings& settings, std::size_t shards = 3) {
    hub_ = std::make_unique<Hub>(kEpoch, shards, settings);
  }
  // A hub over a store of the test's own.
  void make_hub_over(std::unique_ptr<Store> store, const HubSettings& settings = {}) {
    hub_ = std::make_unique<Hub>(std::move(store), 3, settings);
  }
  Hub& hub() { return *hub_; }

  // One event; its sequence.
  Sequence publish(std::string_view topic, std::string_view data, std::string_view id = {}) {
    return publish_body(topic, body_of(data), id);
  }
  Sequence publish_body(std::string_view topic, std::string_view body, std::string_view id = {}) {
    const NewEvent event{.topic = topic, .id = id, .body = body};
    const auto result = hub().publish({&event, 1}, now_);
    EXPECT_TRUE(result.has_value());
    return result ? result->last : 0;
  }

  std::optional<Subscription> try_subscribe(Topics topics, const Resume& resume,
                                            ShardId shard = 0) {
    return hub().subscribe({topics.begin(), topics.size()}, resume, shard, now_);
  }
  // The one stream of the shard that reads it ends.
  void leave(const TopicCursor& at, ShardId shard) {
    hub().drop_reader({&at, 1});
    hub().leave(*at.topic, shard, now_);
  }
  Subscription live(Topics topics, ShardId shard = 0) {
    return try_subscribe(topics, {.kind = Resume::Kind::live}, shard).value();
  }
  Subscription earliest(Topics topics, ShardId shard = 0) {
    return try_subscribe(topics, {.kind = Resume::Kind::earliest}, shard).value();
  }
  Subscription after(Topics topics, std::string_view id, ShardId shard = 0) {
    return after_any(topics, {id}, shard);
  }
  Subscription after_any(Topics topics, std::initializer_list<std::string_view> ids,
                         ShardId shard = 0) {
    const Resume resume{.kind = Resume::Kind::after_id, .ids = {ids.begin(), ids.size()}};
    return try_subscribe(topics, resume, shard).value();
  }

  // All that is above the subscription's cursor, which it moves.
  ReadEvents read_all(Subscription& at, std::size_t max_bytes = kNoLimit,
                      std::size_t max_pieces = kManyPieces) {
    ReadEvents got;
    do {
      const std::size_t before = got.pieces.size();
      got.status = hub().read(at.topics, at.cursor, max_bytes, max_pieces, got.pieces);
      if (got.pieces.size() == before) break;
      at.cursor = got.pieces.back().last_sequence();
    } while (got.status == ReadStatus::more);
    return got;
  }

  void collect(ShardId shard) { hub().collect(shard, collected_[shard]); }
  void sweep(ShardId shard) {
    collect(shard);
    hub().swept(shard);
  }

  TimeMs now_ = 1'000'000;
  std::array<Collected, limits::kMaxShards> collected_;

 private:
  std::unique_ptr<Hub> hub_ = std::make_unique<Hub>(kEpoch, 3, HubSettings{});
};

}  // namespace tocsin::core
