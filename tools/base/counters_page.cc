#include "tools/base/counters_page.h"

#include <algorithm>
#include <charconv>

namespace tocsin::tools {

std::optional<double> sum_of(std::string_view page, std::string_view name,
                             std::string_view labels) {
  std::optional<double> sum;
  while (!page.empty()) {
    const std::string_view line = page.substr(0, page.find('\n'));
    page.remove_prefix(std::min(line.size() + 1, page.size()));
    if (!line.starts_with(name)) continue;
    const std::string_view rest = line.substr(name.size());
    const std::size_t blank = rest.rfind(' ');
    if (blank == std::string_view::npos || !(rest.starts_with(' ') || rest.starts_with('{'))) {
      continue;
    }
    if (!rest.substr(0, blank).contains(labels)) continue;
    double value = 0;
    const auto [end, error] =
        std::from_chars(rest.data() + blank + 1, rest.data() + rest.size(), value);
    if (error == std::errc{}) sum = sum.value_or(0) + value;
  }
  return sum;
}

}  // namespace tocsin::tools
