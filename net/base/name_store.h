// Short names that stay where they are, each known by a number of 32 bits. A name takes its length
// and one byte, rounded up to eight; a name that goes leaves its place to the next one of its size.
// What was taken once is kept for that.
//
// A string of its own would take 32 bytes and, from 16 characters on, an allocation besides: of a
// million names of seven characters 8 MB instead of 36.
//
// Threads: one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "proto/assert.h"

namespace tocsin::net {

class NameStore {
 public:
  static constexpr std::uint32_t kNone = 0;  // no name's number
  static constexpr std::size_t kMaxName = 256;

  // REQUIRES: 1 to kMaxName bytes.
  [[nodiscard]] std::uint32_t add(std::string_view name) {
    TOCSIN_ASSERT(!name.empty() && name.size() <= kMaxName);
    const std::uint32_t id = take(units_of(name.size()));
    char* const place = at(id);
    place[0] = static_cast<char>(name.size() - 1);
    std::memcpy(place + 1, name.data(), name.size());
    return id;
  }
  // The name that was added and not removed, until it is. REQUIRES: it was.
  [[nodiscard]] std::string_view operator[](std::uint32_t id) const {
    TOCSIN_ASSERT(id != kNone && id < end_);
    const char* const place = at(id);
    return {place + 1, std::size_t{static_cast<unsigned char>(place[0])} + 1};
  }
  // REQUIRES: it was added, and not removed.
  void remove(std::uint32_t id) { give(id, units_of((*this)[id].size())); }

  // Of memory that was ever taken.
  [[nodiscard]] std::size_t bytes() const { return blocks_.size() * sizeof(Block); }

 private:
  static constexpr std::size_t kUnit = 8;
  static constexpr std::uint32_t kBlockUnits = 8192;  // 64 KiB
  using Block = std::array<char, kBlockUnits * kUnit>;
  static constexpr std::size_t kMaxUnits = (1 + kMaxName + kUnit - 1) / kUnit;
  static constexpr std::uint32_t units_of(std::size_t name) {
    return static_cast<std::uint32_t>((1 + name + kUnit - 1) / kUnit);
  }

  [[nodiscard]] char* at(std::uint32_t id) const {
    return blocks_[id / kBlockUnits]->data() + std::size_t{id % kBlockUnits} * kUnit;
  }
  // Free places of one size are a list; the number of the next stands in each.
  void give(std::uint32_t id, std::uint32_t units) {
    TOCSIN_ASSERT(units > 0 && units <= kMaxUnits && id % kBlockUnits + units <= kBlockUnits);
    std::memcpy(at(id), &free_[units], sizeof(free_[units]));
    free_[units] = id;
  }
  [[nodiscard]] std::uint32_t take(std::uint32_t units) {
    if (const std::uint32_t id = free_[units]; id != kNone) {
      std::memcpy(&free_[units], at(id), sizeof(free_[units]));
      return id;
    }
    const auto size = static_cast<std::uint32_t>(blocks_.size()) * kBlockUnits;
    if (size - end_ < units) {  // a name is in one block
      if (end_ < size) give(end_, size - end_);
      blocks_.push_back(std::make_unique<Block>());
      end_ = size == 0 ? 1 : size;  // the first number means none
    }
    const std::uint32_t id = end_;
    end_ += units;
    return id;
  }

  std::vector<std::unique_ptr<Block>> blocks_;
  std::uint32_t end_ = 0;  // numbers below were given out
  std::array<std::uint32_t, kMaxUnits + 1> free_{};  // by size
};

}  // namespace tocsin::net
