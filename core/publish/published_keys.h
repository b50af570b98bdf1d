// What was published under a key, so that who publishes it again, not knowing whether it was, gets
// the first answer again and nothing is published twice.
//
// A key is a name, or a name and a number. Names that stand alone have nothing to do with each
// other. The numbers of one name rise by one, from 1: what does not follow is refused, so that what
// is published under them stays in order. Of a name the last limits::kKeptNumbers answers are kept,
// as many as a publisher may have under way. Names are digests in which stands who publishes
// (net/http/publish/publish_key.h): nobody can name what is another's.
//
// A key is kept for kPublishKeyMs, and less long where there are more than
// limits::kMaxPublishKeys of them: then the oldest goes. Who repeats one that has gone publishes
// anew if its name stands alone; a number is refused then, as 1 is expected.
//
// Whoever gives a history its order asks here, so that of two that come at once one is the first.
// Not thread-safe.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <vector>

#include "core/batch.h"
#include "proto/limits.h"

namespace tocsin::core {

struct PublishKey {
  using Name = std::array<unsigned char, 16>;

  Name name{};                // a digest of who publishes, and of the name that it has given
  std::uint64_t number = 0;   // 0: the name stands alone
  std::uint64_t content = 0;  // a digest of what is published
  std::uint64_t time_ms = 0;  // Unix time

  friend bool operator==(const PublishKey&, const PublishKey&) = default;
};

// Milliseconds that a key is kept: longer than anybody tries to publish something again.
inline constexpr std::uint64_t kPublishKeyMs = 24ULL * 60 * 60 * 1000;

// How what comes stands to what is known.
struct KeyFinding {
  enum class Kind : std::uint8_t {
    fresh,      // it may be published
    repeated,   // it was, at `place`
    differs,    // something else was published under this key
    hole,       // the number does not follow the last one of its name: `expected` does
    forgotten,  // the number was published, and where is no longer known; `expected` is the next
  };
  Kind kind = Kind::fresh;
  Place place{};
  std::uint64_t expected = 0;
};

class PublishedKeys {
 public:
  // Sequences of the last events of what was published under keys that are no longer known.
  using Gone = std::vector<Sequence>;

  explicit PublishedKeys(std::size_t most = limits::kMaxPublishKeys / limits::kPublishKey)
      : most_(most) {}
  PublishedKeys(const PublishedKeys&) = delete;  // what it has refers to one another
  PublishedKeys& operator=(const PublishedKeys&) = delete;

  // Drops what is too old, but not more than a part of it at once. Call before find().
  void drop_old(std::uint64_t now_ms, Gone* gone = nullptr);
  [[nodiscard]] KeyFinding find(const PublishKey& key) const;
  // It is published there. The oldest may go for it. REQUIRES: find() says fresh; its place is
  // behind all others.
  void add(const PublishKey& key, const Place& place, Gone* gone = nullptr);
  // The same of one that was added before, and kept elsewhere, whatever find() says: the history's
  // oldest first.
  void restore(const PublishKey& key, const Place& place, Gone* gone = nullptr);
  // What was added has not happened.
  void remove(const PublishKey& key);

  [[nodiscard]] std::size_t size() const { return known_.size(); }

 private:
  struct Id {
    PublishKey::Name name;
    std::uint64_t number;
    friend auto operator<=>(const Id&, const Id&) = default;
  };
  using Order = std::list<Id>;
  struct Known {
    Place place;
    std::uint64_t content;
    std::uint64_t time_ms;
    Order::iterator at;
  };
  // Ordered: publishers choose the names, and a tree has no bucket to aim at.
  using Table = std::map<Id, Known>;
  // What malloc takes for a node of each, with four and two pointers before the value.
  static_assert(sizeof(Table::value_type) + 4 * sizeof(void*) + sizeof(Id) + 3 * sizeof(void*) <=
                limits::kPublishKey);

  static Id id_of(const PublishKey& key) { return {.name = key.name, .number = key.number}; }
  void forget(Table::iterator known, Gone* gone);

  std::size_t most_;
  Table known_;
  Order order_;  // oldest first
};

}  // namespace tocsin::core
