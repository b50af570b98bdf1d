// The least that a disk takes for events that are to be there when they are acknowledged: a loop of
// append and fdatasync(2), without a database.
#pragma once

#include <cstdint>
#include <string>

namespace tocsin::bench {

struct AppendFigures {
  double appends_per_s = 0;
  double p50_us = 0;
  double p99_us = 0;
};

// So many bytes at a time to the end of `path`, which is made and goes afterwards, for so long.
// What fails ends the program.
[[nodiscard]] AppendFigures append_and_sync(const std::string& path, std::uint64_t bytes,
                                            double seconds);

}  // namespace tocsin::bench
