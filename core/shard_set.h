// A set of shards: one bit for each, in every topic, so it stays small.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "proto/limits.h"

namespace tocsin::core {

using ShardId = std::uint32_t;  // < limits::kMaxShards

// A plain value of kMaxShards bits; not thread-safe.
class ShardSet {
 public:
  constexpr ShardSet() = default;
  constexpr ShardSet(std::initializer_list<ShardId> shards) {
    for (const ShardId shard : shards) add(shard);
  }

  constexpr void add(ShardId shard) { words_[shard / kBits] |= bit(shard); }
  constexpr void remove(ShardId shard) { words_[shard / kBits] &= ~bit(shard); }
  [[nodiscard]] constexpr bool has(ShardId shard) const {
    return (words_[shard / kBits] & bit(shard)) != 0;
  }
  [[nodiscard]] constexpr bool is_empty() const { return *this == ShardSet{}; }
  [[nodiscard]] constexpr std::size_t size() const {
    std::size_t result = 0;
    for (const std::uint64_t word : words_) result += static_cast<std::size_t>(std::popcount(word));
    return result;
  }

  constexpr ShardSet& operator|=(const ShardSet& other) {
    for (std::size_t i = 0; i < kWords; ++i) words_[i] |= other.words_[i];
    return *this;
  }
  constexpr ShardSet& operator-=(const ShardSet& other) {
    for (std::size_t i = 0; i < kWords; ++i) words_[i] &= ~other.words_[i];
    return *this;
  }
  friend constexpr ShardSet operator-(ShardSet left, const ShardSet& right) {
    return left -= right;
  }
  friend constexpr bool operator==(const ShardSet&, const ShardSet&) = default;

  // visit(ShardId) for each, lowest first.
  template <typename Visit>
  constexpr void for_each(Visit&& visit) const {
    for (std::size_t i = 0; i < kWords; ++i) {
      for (std::uint64_t rest = words_[i]; rest != 0; rest &= rest - 1) {
        visit(static_cast<ShardId>((i * kBits) + static_cast<std::size_t>(std::countr_zero(rest))));
      }
    }
  }

 private:
  static constexpr std::size_t kBits = 64;
  static constexpr std::size_t kWords = limits::kMaxShards / kBits;
  static_assert(limits::kMaxShards % kBits == 0);
  static constexpr std::uint64_t bit(ShardId shard) { return std::uint64_t{1} << (shard % kBits); }

  std::array<std::uint64_t, kWords> words_{};
};

}  // namespace tocsin::core
