// The hub's topics by name.
//
// Many tables by hash instead of a large one: a table that grows moves all that it has, and here
// that would be under the hub's lock. One table took 165 ms to grow at 700,000 topics.
//
// Threads: under the hub's lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_set>
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
  // With a million topics a part has 4,000, and takes a millisecond to grow.
  static constexpr std::size_t kParts = 256;
  static_assert((kParts & (kParts - 1)) == 0);

  struct Name {
    std::size_t hash;
    std::string_view text;
  };
  struct Entry {
    std::size_t hash;
    std::unique_ptr<Topic> topic;
    [[nodiscard]] std::string_view text() const { return topic->name; }
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const auto& named) const noexcept { return named.hash; }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Entry& a, const Entry& b) const { return a.topic == b.topic; }
    bool operator()(const Name& a, const Entry& b) const {
      return a.hash == b.hash && a.text == b.text();
    }
    bool operator()(const Entry& a, const Name& b) const { return (*this)(b, a); }
  };
  using Part = std::unordered_set<Entry, Hash, Equal>;

  [[nodiscard]] Name named(std::string_view text) const { return {hash(text), text}; }
  // By the upper bits: within a part the lower ones decide.
  [[nodiscard]] static std::size_t part_of(std::size_t hash) {
    static_assert(sizeof(hash) == sizeof(std::uint64_t));
    return hash >> 32 & (kParts - 1);
  }

  const HashKey key_;
  std::vector<Part> parts_;
};

}  // namespace tocsin::core
