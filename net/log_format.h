// How much is logged, and in which form: settings of net/log.h.
#pragma once

#include <cstdint>

namespace tocsin::net {

// The least severe level that is written.
enum class LogLevel : std::uint8_t { trace, debug, info, warning, error };

enum class LogFormat : std::uint8_t {
  automatic,  // human on a terminal, else logfmt
  human,      // short time, colours if standard error is a terminal
  logfmt,     // key=value pairs
  json,       // one object per line
};

}  // namespace tocsin::net
