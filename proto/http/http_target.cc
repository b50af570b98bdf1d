// The parts of a request's target.
#include <string_view>

#include "proto/http/request.h"

namespace tocsin::proto {

std::string_view Request::path() const {
  std::string_view text(target);
  text = text.substr(0, text.find_first_of("?#"));
  const std::size_t scheme_end = text.find("://");
  if (!text.starts_with('/') && scheme_end != std::string_view::npos) {
    const std::size_t start = text.find('/', scheme_end + 3);
    return start == std::string_view::npos ? "/" : text.substr(start);
  }
  return text;
}

std::string_view Request::query() const {
  std::string_view text(target);
  text = text.substr(0, text.find('#'));
  const std::size_t mark = text.find('?');
  return mark == std::string_view::npos ? std::string_view() : text.substr(mark + 1);
}

}  // namespace tocsin::proto
