#include "proto/http/head_bytes.h"

#include <algorithm>

#include "proto/assert.h"
#include "proto/text/ascii.h"
#include "proto/text/wipe.h"

namespace tocsin::proto {

void trim_end(std::string& text) {
  while (!text.empty() && is_blank(text.back())) text.pop_back();
}

void clear_keeping(std::string& text, std::size_t max_capacity) {
  if (text.capacity() > max_capacity) {
    std::string().swap(text);  // assigning an empty one would keep the memory
  } else {
    text.clear();
  }
}

std::size_t take_line(std::string_view bytes, std::uint64_t& budget, std::string& line) {
  const auto end = bytes.find('\n');
  const std::size_t size =
      std::min<std::size_t>(end == std::string_view::npos ? bytes.size() : end + 1, budget);
  TOCSIN_ASSERT(size <= budget);
  append_wiping(line, bytes.substr(0, size));
  budget -= size;
  return size;
}

std::optional<std::string_view> target_of_line(std::string_view line) {
  const auto blank = line.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  if (!is_token(line.substr(0, blank))) return std::nullopt;
  line.remove_prefix(blank + 1);
  for (const std::string_view end : {" HTTP/1.1\r\n", " HTTP/1.0\r\n"}) {
    if (!line.ends_with(end)) continue;
    line.remove_suffix(end.size());
    const bool visible = std::ranges::all_of(line, [](char c) { return c > ' ' && c < '\x7f'; });
    return visible && !line.empty() ? std::optional{line} : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace tocsin::proto
