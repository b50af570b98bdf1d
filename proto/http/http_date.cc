#include "proto/http/http_date.h"

#include <algorithm>
#include <charconv>

#include "proto/assert.h"
#include "proto/text/ascii.h"

namespace tocsin::proto {

namespace {

constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// Its parts and where they stand; the zeros and the day are written over.
constexpr std::string_view kForm = "Sun, 00 Jan 0000 00:00:00 GMT";
static_assert(kForm.size() == kHttpDateSize);
struct Digits {
  std::size_t at;
  std::size_t count;
};
constexpr Digits kDay{5, 2};
constexpr Digits kYear{12, 4};
constexpr Digits kHour{17, 2};
constexpr Digits kMinute{20, 2};
constexpr Digits kSecond{23, 2};
constexpr std::size_t kMonthAt = 8;

void write(HttpDateText& text, Digits where, unsigned value) {
  for (std::size_t i = where.count; i > 0; --i, value /= 10) {
    text[where.at + i - 1] = static_cast<char>('0' + value % 10);
  }
  TOCSIN_ASSERT(value == 0);  // it fitted
}

std::optional<unsigned> read(std::string_view text, Digits where) {
  const std::string_view digits = text.substr(where.at, where.count);
  if (!std::ranges::all_of(digits, is_digit)) return std::nullopt;
  unsigned value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

}  // namespace

HttpDateText to_http_date(std::chrono::sys_seconds time) {
  const auto midnight = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{midnight};
  const std::chrono::hh_mm_ss clock{time - midnight};
  HttpDateText text;
  std::ranges::copy(kForm, text.begin());
  std::ranges::copy(kDays[std::chrono::weekday{midnight}.c_encoding()], text.begin());
  std::ranges::copy(kMonths[static_cast<unsigned>(date.month()) - 1], &text[kMonthAt]);
  write(text, kDay, static_cast<unsigned>(date.day()));
  write(text, kYear, static_cast<unsigned>(static_cast<int>(date.year())));
  write(text, kHour, static_cast<unsigned>(clock.hours().count()));
  write(text, kMinute, static_cast<unsigned>(clock.minutes().count()));
  write(text, kSecond, static_cast<unsigned>(clock.seconds().count()));
  return text;
}

std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text) {
  if (text.size() != kHttpDateSize || text.substr(3, 2) != kForm.substr(3, 2) ||
      !text.ends_with(" GMT")) {
    return std::nullopt;
  }
  const auto* const month = std::ranges::find(kMonths, text.substr(kMonthAt, 3));
  const auto day = read(text, kDay);
  const auto year = read(text, kYear);
  const auto hour = read(text, kHour);
  const auto minute = read(text, kMinute);
  const auto second = read(text, kSecond);
  if (month == kMonths.end() || !day || !year || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{
      std::chrono::year(static_cast<int>(*year)),
      std::chrono::month(static_cast<unsigned>(month - kMonths.begin()) + 1),
      std::chrono::day(*day)};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second);
}

}  // namespace tocsin::proto
