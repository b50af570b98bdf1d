#include "net/client/backoff.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "proto/limits.h"

namespace tocsin::net {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongestRetryAfter{limits::kMaxRetryMs};

// A decimal number that is all of `text`.
template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || text.starts_with('-')) return std::nullopt;
  return value;
}

// "Sun, 06 Nov 1994 08:49:37 GMT"; strptime would read it in the process's locale.
std::optional<std::chrono::sys_seconds> parse_fixdate(std::string_view text) {
  static constexpr std::array<std::string_view, 12> kMonths{
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT") {
    return std::nullopt;
  }
  const auto month = std::ranges::find(kMonths, text.substr(8, 3));
  const auto day = parse_number<unsigned>(text.substr(5, 2));
  const auto year = parse_number<int>(text.substr(12, 4));
  const auto hour = parse_number<int>(text.substr(17, 2));
  const auto minute = parse_number<int>(text.substr(20, 2));
  const auto second = parse_number<int>(text.substr(23, 2));
  if (month == kMonths.end() || !day || !year || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{
      std::chrono::year(*year),
      std::chrono::month(static_cast<unsigned>(month - kMonths.begin()) + 1),
      std::chrono::day(*day)};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second);
}

}  // namespace

milliseconds Backoff::next() {
  std::int64_t low = policy_.initial_min_ms;
  std::int64_t high = policy_.initial_max_ms;
  if (retry_) {
    low = std::max<std::int64_t>(retry_->count(), policy_.floor_ms);
    high = low + low / 2;
  }
  const std::int64_t limit = std::max<std::int64_t>(policy_.cap_ms, high);
  for (unsigned i = 0; i < failures_ && high < limit; ++i) high *= 2;
  high = std::min(high, limit);
  ++failures_;
  return milliseconds(std::uniform_int_distribution<std::int64_t>(low, high)(random_));
}

std::optional<milliseconds> parse_retry_after(std::string_view text,
                                              std::chrono::system_clock::time_point now) {
  if (const auto seconds = parse_number<std::uint64_t>(text)) {
    const auto longest = static_cast<std::uint64_t>(kLongestRetryAfter.count()) / 1000;
    return milliseconds(1000 * std::min(*seconds, longest));
  }
  const auto date = parse_fixdate(text);
  if (!date) return std::nullopt;
  const auto wait = std::chrono::ceil<milliseconds>(*date - now);
  return std::clamp(wait, milliseconds(0), kLongestRetryAfter);
}

}  // namespace tocsin::net
