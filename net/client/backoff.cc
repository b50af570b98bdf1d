#include "net/client/backoff.h"

#include <algorithm>
#include <charconv>

#include "proto/assert.h"
#include "proto/http/http_date.h"
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

}  // namespace

milliseconds Backoff::next() {
  std::int64_t low = policy_.initial_min_ms;
  std::int64_t high = policy_.initial_max_ms;
  if (retry_) {
    low = std::max<std::int64_t>(retry_->count(), policy_.floor_ms);
    high = low + low / 2;
  }
  TOCSIN_ASSERT(low <= high);
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
  const auto date = proto::parse_http_date(text);
  if (!date) return std::nullopt;
  const auto wait = std::chrono::ceil<milliseconds>(*date - now);
  return std::clamp(wait, milliseconds(0), kLongestRetryAfter);
}

}  // namespace tocsin::net
