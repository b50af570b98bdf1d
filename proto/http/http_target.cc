// The parts of a request's target.
#include <algorithm>
#include <cstddef>
#include <string_view>

#include "proto/http/request.h"

namespace tocsin::proto {

std::string_view Request::path() const {
  std::string_view text(target);
  const auto end = std::ranges::find_if(text, [](char c) { return c == '?' || c == '#'; });
  text = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  if (text.starts_with('/')) return text;
  const std::size_t scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return text;
  const std::size_t start = text.find('/', scheme_end + 3);
  return start == std::string_view::npos ? "/" : text.substr(start);
}

std::string_view Request::query() const {
  std::string_view text(target);
  text = text.substr(0, text.find('#'));
  const std::size_t mark = text.find('?');
  return mark == std::string_view::npos ? std::string_view() : text.substr(mark + 1);
}

}  // namespace tocsin::proto
