// UTF-8 validity (RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF).
#pragma once

#include <string_view>

namespace tocsin::proto {

[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace tocsin::proto
