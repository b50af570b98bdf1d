// The Date field of an answer (RFC 9110, 6.6.1: whoever has a clock says when it answered).
#pragma once

#include <ctime>
#include <string_view>

#include "net/base/clock.h"
#include "proto/http/http_date.h"

namespace tocsin::net {

// In HTTP's form (proto/http/http_date.h). Written once a second; in between a look at the clock, a
// few nanoseconds. Not thread-safe.
class DateField {
 public:
  // Valid until the next call.
  [[nodiscard]] std::string_view now() {
    return at(static_cast<std::time_t>(read_clock_ns(CLOCK_REALTIME_COARSE) / 1'000'000'000));
  }
  // The same for seconds since 1970, of the years 1970 to 9999.
  [[nodiscard]] std::string_view at(std::time_t seconds);

 private:
  std::time_t written_ = -1;
  proto::HttpDateText text_{};
};

}  // namespace tocsin::net
