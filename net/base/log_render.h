// The text of a log record in each form, apart from time and priority: pure, for net/base/log.cc.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "net/log.h"

namespace tocsin::net::log {

// human:  `info    listening shards=2` (`colour`: escape sequences around the level)
// logfmt: `msg=listening shards=2`
// json:   `"msg":"listening","shards":2`, without the braces
// Control characters are escaped in all three, so that nothing from a client can forge a line or
// drive a terminal; bytes that are not UTF-8 become U+FFFD. `format` is not automatic.
[[nodiscard]] std::string render(LogFormat format, LogLevel level, bool colour,
                                 std::string_view message, std::span<const Field> fields);

[[nodiscard]] std::string_view name_of(LogLevel level);

}  // namespace tocsin::net::log
