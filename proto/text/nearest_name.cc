#include "proto/text/nearest_name.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "proto/assert.h"
#include "proto/text/ascii.h"

namespace tocsin::proto {
namespace {

[[nodiscard]] char folded(char c) {
  return c == '-' ? '_' : to_lower(c);
}

// The distance of Damerau and Levenshtein in its restricted form (no letter is touched twice), row
// by row.
[[nodiscard]] std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> two_up(b.size() + 1);
  std::vector<std::size_t> up(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(two_up, up);
    std::swap(up, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = folded(a[i - 1]) == folded(b[j - 1]);
      row[j] = std::min({up[j] + 1, row[j - 1] + 1, up[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) &&
          folded(a[i - 2]) == folded(b[j - 1])) {
        row[j] = std::min(row[j], two_up[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

// More changes than this, and it is another word.
[[nodiscard]] std::size_t slips(std::string_view name) {
  return std::max<std::size_t>(name.size() / 3, 1);
}

}  // namespace

std::string_view nearest_name(std::string_view word, std::span<const std::string_view> known) {
  std::string_view best;
  std::size_t least = 0;
  for (const std::string_view name : known) {
    // Every letter too many is a change: words that are far too long cost nothing.
    if (word.size() > name.size() + slips(name) || word.size() + slips(name) < name.size()) {
      continue;
    }
    const std::size_t changes = distance(word, name);
    // As many changes as letters leave nothing of the name.
    TOCSIN_ASSERT(changes <= std::max(word.size(), name.size()));
    if (changes > slips(name) || changes >= name.size()) continue;
    if (best.empty() || changes < least) {
      best = name;
      least = changes;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> known) {
  std::string words;
  if (const std::string_view nearest = nearest_name(word, known); !nearest.empty()) {
    return words.append("did you mean ").append(nearest).append("?");
  }
  for (const std::string_view name : known)
    words.append(words.empty() ? "known are " : ", ") += name;
  return words;
}

}  // namespace tocsin::proto
