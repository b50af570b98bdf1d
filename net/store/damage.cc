#include "net/store/damage.h"

#include <sqlite3.h>

#include <algorithm>
#include <optional>

#include "proto/assert.h"

namespace tocsin::net {
namespace {

bool is_damage(const SqlError& error) {
  const int code = error.primary();
  return code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_TOOBIG ||
         code == SQLITE_IOERR;
}

// The keys alone: a row's bytes may be on other pages.
class Keys {
 public:
  explicit Keys(Statement next) : next_(std::move(next)) {}

  // Whether the tree can be searched for what is above `position`; its key, if there is one.
  struct Found {
    bool readable = false;
    std::optional<std::int64_t> key{};
  };
  [[nodiscard]] Sql<Found> above(std::int64_t position) {
    const auto there = next_.bind(1, position + 1).step();
    if (!there && !is_damage(there.error())) return std::unexpected(there.error());
    if (!there) return Found{};
    if (!*there) return Found{.readable = true};
    const std::int64_t key = next_.number_at(0);
    next_.reset();
    if (key <= position) return Found{};  // a page with the keys of another place
    return Found{.readable = true, .key = key};
  }

 private:
  Statement next_;
};

// So far above `position`. Positions may be negative in a file that is damaged.
std::int64_t far_above(std::int64_t position, std::uint64_t distance) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(position) + distance);
}
std::uint64_t distance_of(std::int64_t low, std::int64_t high) {
  return static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
}

// Above `low` nothing can be read: the lowest position where it can, as far as leaps that become
// longer find it; `until`: none below that.
Sql<std::int64_t> find_readable(Keys& keys, std::int64_t low, std::int64_t until) {
  TOCSIN_ASSERT(low < until);
  std::int64_t high = until;
  const std::int64_t begin = low;
  while (high == until && distance_of(low, until) > 1) {
    const std::uint64_t gone = distance_of(begin, low);
    const std::uint64_t leap = std::max<std::uint64_t>(1, gone / 16);
    const std::int64_t at = far_above(low, std::min(leap, distance_of(low, until) - 1));
    const auto found = keys.above(at);
    if (!found) return std::unexpected(found.error());
    (found->readable ? high : low) = at;
  }
  TOCSIN_ASSERT(begin <= low && low < high && high <= until);
  if (high == until) return until;
  while (distance_of(low, high) > 1) {
    const std::int64_t middle = far_above(low, distance_of(low, high) / 2);
    const auto found = keys.above(middle);
    if (!found) return std::unexpected(found.error());
    (found->readable ? high : low) = middle;
  }
  return high;
}

}  // namespace

bool is_unreadable(const SqlError& error) {
  return error.primary() == SQLITE_CORRUPT || error.code == SQLITE_IOERR_READ ||
         error.code == SQLITE_IOERR_SHORT_READ;
}

Sql<Damage> find_damage(Database& database, const SqlError& why, std::int64_t after,
                        std::int64_t until) {
  TOCSIN_ASSERT(after < until);
  if (!is_damage(why)) return std::unexpected(why);
  auto next = database.prepare("SELECT last FROM batch WHERE last >= ? ORDER BY last LIMIT 1");
  if (!next) return std::unexpected(why);
  Keys keys(*std::move(next));
  auto found = keys.above(after);
  if (!found) return std::unexpected(found.error());
  if (found->key) return Damage{.end = std::min(*found->key, until), .is_row = true};
  if (found->readable) return Damage{.end = until};
  std::int64_t low = after;
  if (after < 0 && until > 0) {  // events count from 1: from there on leaps are short
    found = keys.above(low = 0);
    if (!found) return std::unexpected(found.error());
    if (found->readable) return Damage{.end = 0};
  }
  const auto end = find_readable(keys, low, until);
  if (!end) return std::unexpected(end.error());
  if (*end == until && why.primary() == SQLITE_IOERR) return std::unexpected(why);
  return Damage{.end = *end};
}

}  // namespace tocsin::net
