#include "tools/load/figures/readable.h"

#include <array>
#include <cmath>
#include <span>

#include <fmt/format.h>

namespace tocsin::load {
namespace {

struct ReadableUnit {
  double factor;
  std::string_view name;
};

// "1.20", "61.3", "476".
std::string three_digits(double value) {
  const double size = std::abs(value);
  if (value == std::floor(value) && size < 1000) return fmt::format("{:.0f}", value);
  if (size < 9.995) return fmt::format("{:.2f}", value);
  if (size < 99.95) return fmt::format("{:.1f}", value);
  return fmt::format("{:.0f}", value);
}

// In the largest of `units` (smallest first) that it reaches after rounding.
std::string in_units(double value, std::span<const ReadableUnit> units) {
  ReadableUnit best = units.front();
  for (const ReadableUnit& unit : units) {
    if (std::abs(value) >= unit.factor * 0.9995) best = unit;
  }
  return three_digits(value / best.factor) + std::string(best.name);
}

}  // namespace

std::string readable_time(double ns) {
  static constexpr std::array<ReadableUnit, 4> kUnits{
      {{1, " ns"}, {1e3, " us"}, {1e6, " ms"}, {1e9, " s"}}};
  return in_units(ns, kUnits);
}

std::string readable_seconds(double seconds) {
  return readable_time(seconds * 1e9);
}

std::string readable_bytes(double bytes) {
  static constexpr std::array<ReadableUnit, 4> kUnits{
      {{1, " B"}, {1e3, " KB"}, {1e6, " MB"}, {1e9, " GB"}}};
  return in_units(std::abs(bytes) < 1000 ? std::round(bytes) : bytes, kUnits);
}

std::string readable_rate(double per_s) {
  static constexpr std::array<ReadableUnit, 3> kUnits{{{1, " /s"}, {1e3, " k/s"}, {1e6, " M/s"}}};
  return in_units(per_s, kUnits);
}

std::string readable_count(std::uint64_t count) {
  std::string digits = fmt::format("{}", count);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string readable_share(double share) {
  const double percent = share * 100;
  const int digits = percent != 0 && percent < 9.95 ? 1 : 0;
  return fmt::format("{:.{}f} %", percent, digits);
}

std::string printable(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (c >= 0x20 && c < 0x7f) {
      safe += c;
    } else {
      safe += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return safe;
}

}  // namespace tocsin::load
