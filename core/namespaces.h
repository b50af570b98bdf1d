// Settings of topics by their names. A topic has those of the first namespace whose pattern its
// name matches; topics that match none are in the last namespace, `other`, which has no settings.
//
// A topic finds its namespace once, when it is made, and remembers it as a number. After replace()
// topics find theirs anew, one after the other, as there may be a million of them. Until
// forget_old() the numbers from before mean what they meant.
//
// Threads: under the hub's lock.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/settings.h"
#include "proto/assert.h"

namespace tocsin::core {

// Which of the two lists, and the place in it.
using NamespaceId = std::uint16_t;

// What happened in the topics of a namespace.
struct NamespaceCounts {
  std::uint64_t events = 0;
  std::uint64_t bytes = 0;          // of these, on the wire
  std::uint64_t subscriptions = 0;  // a stream of several topics counts in each
  std::uint64_t refusals = 0;       // publishes for one of their events, streams for a topic
  std::uint64_t readers = 0;        // a gauge: streams that read one of its topics now

  NamespaceCounts& operator+=(const NamespaceCounts& other);
};

class NamespaceTable {
 public:
  // The name under which all other topics are counted.
  static constexpr std::string_view kOther = "other";

  // REQUIRES: at most limits::kMaxNamespaces, here and below.
  explicit NamespaceTable(std::span<const Namespace> namespaces) { fill(namespaces); }

  [[nodiscard]] NamespaceId find(std::string_view topic) const;
  [[nodiscard]] NamespaceId other() const { return id_of(lists_[current_].size() - 1); }
  [[nodiscard]] const TopicSettings& settings(NamespaceId id) const { return at(id).settings; }
  [[nodiscard]] const std::string& name(NamespaceId id) const { return at(id).name; }
  [[nodiscard]] NamespaceCounts& counts(NamespaceId id) { return at(id).counts; }

  // What find() and other() say from now on. REQUIRES: !has_old().
  void replace(std::span<const Namespace> namespaces);
  [[nodiscard]] bool has_old() const { return !lists_[1 - current_].empty(); }
  // A topic of so many readers has another number now.
  void move_readers(NamespaceId from, NamespaceId to, std::uint32_t readers) {
    TOCSIN_ASSERT(counts(from).readers >= readers);
    counts(from).readers -= readers;
    counts(to).readers += readers;
  }
  // Counts go on in the new namespaces of the same names. REQUIRES: has_old(), and nobody has a
  // number that was given before replace().
  void forget_old();

  // All that is counted, under which name; a name may be there more than once.
  struct Named {
    std::string name;
    NamespaceCounts counts;
  };
  [[nodiscard]] std::vector<Named> all_counts() const;

 private:
  struct Entry {
    std::string name;
    std::string match;
    TopicSettings settings;
    NamespaceCounts counts;
  };
  static constexpr unsigned kListBit = 15;

  void fill(std::span<const Namespace> namespaces);
  [[nodiscard]] NamespaceId id_of(std::size_t place) const {
    return static_cast<NamespaceId>(current_ << kListBit | place);
  }
  [[nodiscard]] static std::size_t list_of(NamespaceId id) { return id >> kListBit; }
  [[nodiscard]] std::size_t place_of(NamespaceId id) const {
    const std::size_t place = id & ((1U << kListBit) - 1);
    TOCSIN_DEBUG_ASSERT(place < lists_[list_of(id)].size());
    return place;
  }
  [[nodiscard]] const Entry& at(NamespaceId id) const { return lists_[list_of(id)][place_of(id)]; }
  [[nodiscard]] Entry& at(NamespaceId id) { return lists_[list_of(id)][place_of(id)]; }

  std::array<std::vector<Entry>, 2> lists_;  // the last entry of each is `other`
  std::size_t current_ = 0;
};

}  // namespace tocsin::core
