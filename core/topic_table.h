// The hub's topics by name.
//
// Many tables by hash instead of a large one: a table that grows moves all that it has, and here
// that would be under the hub's lock. One table took 165 ms to grow at 700,000 topics.
//
// Each is open addressing with linear probing: with many topics every look at memory is a cache
// miss, and a name is found with two, its place and its topic. (Chained nodes take four.)
//
// Threads: under the hub's lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/keyed_hash.h"
#include "core/topic.h"

namespace tocsin::core {

class TopicTable {
 public:
  explicit TopicTable(const HashKey& key) : key_(key), parts_(kParts) {}

  [[nodiscard]] std::size_t hash(std::string_view name) const { return keyed_hash(name, key_); }
  // Null: it is not there.
  [[nodiscard]] Topic* find(std::string_view name) const;
  // REQUIRES: no topic of this name is there.
  Topic& insert(std::unique_ptr<Topic> topic);
  // Takes it out. REQUIRES: it is there.
  [[nodiscard]] std::unique_ptr<Topic> extract(const Topic& topic);

  // Topics of the largest table: what one insert() may have to move.
  [[nodiscard]] std::size_t largest_part() const;

 private:
  // With a million topics a part has 4,000, and takes some ten microseconds to grow.
  static constexpr std::size_t kParts = 256;
  static_assert((kParts & (kParts - 1)) == 0);

  struct Place {
    std::size_t hash = 0;
    std::unique_ptr<Topic> topic;  // null: it is free
  };
  class Part {
   public:
    // Index of its place, or of the free one where the search ends. REQUIRES: there are places.
    [[nodiscard]] std::size_t find(std::size_t hash, std::string_view name) const;
    Topic& insert(std::size_t hash, std::unique_ptr<Topic> topic);
    [[nodiscard]] std::unique_ptr<Topic> extract(std::size_t at);
    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] Topic* at(std::size_t index) const { return places_[index].topic.get(); }

   private:
    [[nodiscard]] std::size_t mask() const { return places_.size() - 1; }
    void place(Place&& moved);
    void grow();

    std::vector<Place> places_;  // a power of two, or none; at most three quarters are taken
    std::size_t size_ = 0;
  };

  // By the upper bits: within a part the lower ones decide.
  [[nodiscard]] static std::size_t part_of(std::size_t hash) {
    static_assert(sizeof(hash) == sizeof(std::uint64_t));
    return hash >> 32 & (kParts - 1);
  }

  const HashKey key_;
  std::vector<Part> parts_;
};

}  // namespace tocsin::core
