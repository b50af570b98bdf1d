#include "net/http/option_value.h"

#include <array>
#include <charconv>
#include <limits>
#include <span>

#include <fmt/format.h>

namespace tocsin::net {
namespace {

struct OptionUnit {
  std::string_view name;
  std::uint64_t factor;
};

// From the smallest to the largest.
constexpr std::array<OptionUnit, 5> kTimes{
    {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
constexpr std::array<OptionUnit, 4> kSizes{
    {{"B", 1}, {"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30}}};

// Digits and one of `units`; without a unit the factor is `plain`.
[[nodiscard]] std::expected<std::uint64_t, std::string> parse_with_unit(
    std::string_view text, std::span<const OptionUnit> units, std::uint64_t plain,
    std::string_view expectation) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range) {
    return std::unexpected("is too large");
  }
  if (error != std::errc{}) {
    return std::unexpected(std::string(expectation));
  }
  const std::string_view suffix = text.substr(static_cast<std::size_t>(end - text.data()));
  std::uint64_t factor = suffix.empty() ? plain : 0;
  for (const OptionUnit& unit : units) {
    if (suffix == unit.name) {
      factor = unit.factor;
    }
  }
  if (factor == 0) {
    return std::unexpected(std::string(expectation));
  }
  if (number > std::numeric_limits<std::uint64_t>::max() / factor) {
    return std::unexpected("is too large");
  }
  return number * factor;
}

[[nodiscard]] std::string format_with_unit(std::uint64_t value, std::span<const OptionUnit> units) {
  const OptionUnit* best = &units.front();
  for (const OptionUnit& unit : units) {
    if (value % unit.factor == 0) {
      best = &unit;
    }
  }
  return fmt::format("{}{}", value / best->factor, best->name);
}

}  // namespace

std::expected<std::uint64_t, std::string> parse_number(std::string_view text) {
  return parse_with_unit(text, {}, 1, "must be a whole number");
}

std::expected<std::uint64_t, std::string> parse_duration_ms(std::string_view text) {
  return parse_with_unit(text, kTimes, 1000,
                         "must be a time such as 500ms, 15s, 2m, 1h, or a number of seconds");
}

std::expected<std::uint64_t, std::string> parse_size(std::string_view text) {
  return parse_with_unit(text, kSizes, 1, "must be a size such as 4096, 64KiB, 1MiB, 1GiB");
}

std::expected<bool, std::string> parse_flag(std::string_view text) {
  if (text == "true" || text == "false") return text == "true";
  return std::unexpected("must be true or false");
}

std::expected<bool, std::string> parse_query_flag(std::string_view text) {
  if (text == "1" || text == "0") return text == "1";
  return parse_flag(text);
}

std::string format_duration_ms(std::uint64_t milliseconds) {
  return milliseconds == 0 ? "0s" : format_with_unit(milliseconds, kTimes);
}

std::string format_size(std::uint64_t bytes) {
  return bytes == 0 ? "0B" : format_with_unit(bytes, kSizes);
}

}  // namespace tocsin::net
