// Times as text.
#pragma once

#include <chrono>
#include <string>

namespace tocsin::demo {

using WallClock = std::chrono::system_clock;

// RFC 3339 in the time zone of this machine, "Z" in UTC: 2026-11-20T09:30:00+08:00.
[[nodiscard]] std::string rfc3339(WallClock::time_point time);

// The same to the microsecond: 2026-11-20T09:30:00.012345+08:00.
[[nodiscard]] std::string rfc3339_micros(WallClock::time_point time);

}  // namespace tocsin::demo
