#include "proto/head_bytes.h"

#include <algorithm>

namespace tocsin::proto {
namespace {

// RFC 9110, 5.6.2: tchar.
bool is_token_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").contains(c);
}

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

}  // namespace

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
  line += bytes.substr(0, size);
  budget -= size;
  return size;
}

std::optional<std::string_view> target_of_line(std::string_view line) {
  const auto blank = line.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  if (!std::ranges::all_of(line.substr(0, blank), is_token_char)) return std::nullopt;
  line.remove_prefix(blank + 1);
  for (const std::string_view end : {" HTTP/1.1\r\n", " HTTP/1.0\r\n"}) {
    if (!line.ends_with(end)) continue;
    line.remove_suffix(end.size());
    const bool visible = std::ranges::all_of(line, [](char c) { return c > ' ' && c < '\x7f'; });
    return visible && !line.empty() ? std::optional{line} : std::nullopt;
  }
  return std::nullopt;
}

bool HeadScan::finds_fold(std::string_view bytes) {
  if (bytes.empty()) return false;
  if (last_ == '\n' && is_blank(bytes.front())) return true;
  last_ = bytes.back();
  for (auto at = bytes.find('\n'); at < bytes.size() - 1; at = bytes.find('\n', at + 1)) {
    if (is_blank(bytes[at + 1])) return true;
  }
  return false;
}

bool HeadScan::at_method_name(std::string_view rest) const {
  if (rest.empty()) return false;
  return is_token_char(rest.front()) || (rest.front() == ' ' && is_token_char(last_));
}

}  // namespace tocsin::proto
