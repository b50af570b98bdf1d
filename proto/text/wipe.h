// Bytes that nobody else may see are overwritten before their memory is let go, whatever an
// allocator or a core dump does with it then.
#pragma once

#include <string.h>  // explicit_bzero: one that no compiler leaves out

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace tocsin::proto {

inline void wipe(std::span<char> bytes) {
  if (!bytes.empty()) explicit_bzero(bytes.data(), bytes.size());
}

// All that it has room for; it is empty then. A moved-from string keeps short bytes in place, so
// this is for it, too.
inline void wipe(std::string& text) {
  text.resize(text.capacity());
  wipe(std::span<char>(text));
  text.clear();
}

// As `to += more`, and leaves nothing behind where it has to grow.
inline void append_wiping(std::string& to, std::string_view more) {
  const std::size_t size = to.size() + more.size();
  if (size > to.capacity()) {
    std::string larger;
    larger.reserve(std::max(size, 2 * to.capacity()));
    larger += to;
    to.swap(larger);
    wipe(larger);
  }
  to += more;
}

}  // namespace tocsin::proto
