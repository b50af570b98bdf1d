#include "net/http/http_date.h"

#include <fmt/format.h>

#include "proto/assert.h"

namespace tocsin::net {
namespace {

// Not strftime(): its names are the locale's.
constexpr std::array<const char*, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

}  // namespace

std::string_view HttpDate::at(std::time_t seconds) {
  if (seconds != written_) {
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    const auto written =
        fmt::format_to_n(text_.data(), text_.size(), "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
                         kDays.at(static_cast<std::size_t>(utc.tm_wday)), utc.tm_mday,
                         kMonths.at(static_cast<std::size_t>(utc.tm_mon)), utc.tm_year + 1900,
                         utc.tm_hour, utc.tm_min, utc.tm_sec);
    TOCSIN_ASSERT(written.size == kSize);
    written_ = seconds;
  }
  return {text_.data(), text_.size()};
}

}  // namespace tocsin::net
