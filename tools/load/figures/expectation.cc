#include "tools/load/figures/expectation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "proto/text/number.h"
#include "tools/load/figures/load_result.h"

namespace tocsin::load {
namespace {

enum class Dimension : std::uint8_t { number, time, bytes };

struct ExpectedUnit {
  std::string_view name;
  double factor;
};
constexpr std::array<ExpectedUnit, 4> kTimes{{{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}}};
constexpr std::array<ExpectedUnit, 3> kSizes{{{"B", 1}, {"KB", 1e3}, {"MB", 1e6}}};

std::optional<double> per(double amount, double divisor) {
  if (divisor <= 0) return std::nullopt;
  return amount / divisor;
}

std::optional<double> growth(std::uint64_t before, std::uint64_t after, std::uint32_t count) {
  if (after == 0) return std::nullopt;  // not read
  return per(static_cast<double>(after) - static_cast<double>(before), count);
}

// What is measured under a name that is no latency; nothing: it was not measured.
struct Quantity {
  std::string_view name;
  Dimension kind;
  std::optional<double> (*of)(const LoadResult&);
  std::string_view missing;  // why it may not be known
};

std::optional<double> number(std::uint64_t value) {
  return static_cast<double>(value);
}

constexpr std::string_view kNoTime = "nothing took any time";
constexpr std::string_view kNoServer = "it takes --pid or --unit, and something to measure";
const std::array<Quantity, 19> kQuantities{{
    {"lost", Dimension::number, [](const LoadResult& r) { return number(r.totals.lost); }, {}},
    {"told", Dimension::number, [](const LoadResult& r) { return number(r.totals.told); }, {}},
    {"away",
     Dimension::number,
     [](const LoadResult& r) { return number(r.totals.away + r.away); },
     {}},
    {"uncertain",
     Dimension::number,
     [](const LoadResult& r) { return number(r.published.uncertain); },
     {}},
    {"outage", Dimension::time, [](const LoadResult& r) { return number(r.outage.max_ns()); }, {}},
    {"duplicated",
     Dimension::number,
     [](const LoadResult& r) { return number(r.totals.duplicated); },
     {}},
    {"reordered",
     Dimension::number,
     [](const LoadResult& r) { return number(r.totals.reordered); },
     {}},
    {"corrupted",
     Dimension::number,
     [](const LoadResult& r) { return number(r.totals.corrupted); },
     {}},
    {"refused", Dimension::number, [](const LoadResult& r) { return number(r.refused); }, {}},
    {"dropped", Dimension::number, [](const LoadResult& r) { return number(r.dropped); }, {}},
    {"connected", Dimension::number, [](const LoadResult& r) { return number(r.connected); }, {}},
    {"server-streams", Dimension::number,
     [](const LoadResult& r) -> std::optional<double> {
       if (!r.server_streams) return std::nullopt;
       return number(*r.server_streams);
     },
     "the server does not tell how many streams it has"},
    {"delivered",
     Dimension::number,
     [](const LoadResult& r) { return number(r.totals.delivered); },
     {}},
    {"deliveries/s", Dimension::number,
     [](const LoadResult& r) {
       return per(static_cast<double>(r.totals.delivered), r.publish.seconds());
     },
     kNoTime},
    {"events/s", Dimension::number,
     [](const LoadResult& r) {
       return per(static_cast<double>(r.published.events),
                  static_cast<double>(r.published.duration_ns) * 1e-9);
     },
     kNoTime},
    {"connects/s", Dimension::number,
     [](const LoadResult& r) { return per(r.connect_count, r.connect.seconds()); }, kNoTime},
    {"cpu/delivery", Dimension::time,
     [](const LoadResult& r) -> std::optional<double> {
       if (r.publish.server.cpu_ns == 0) return std::nullopt;
       return per(static_cast<double>(r.publish.server.cpu_ns),
                  static_cast<double>(r.totals.delivered));
     },
     kNoServer},
    {"rss/subscriber", Dimension::bytes,
     [](const LoadResult& r) {
       return growth(r.before.server.rss_bytes, r.after.server.rss_bytes, r.connect_count);
     },
     kNoServer},
    {"kernel/subscriber", Dimension::bytes,
     [](const LoadResult& r) {
       return growth(r.before.kernel.slab_bytes, r.after.kernel.slab_bytes, r.connect_count);
     },
     "it takes --memory"},
}};

std::optional<double> read_finite(std::string_view text) {
  const auto value = proto::read_number<double>(text);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

// The quantile that a latency's name means; 1 for max, -1 for mean.
std::optional<double> latency_quantile(std::string_view name) {
  if (name == "max") return 1;
  if (name == "mean") return -1;
  if (!name.starts_with('p')) return std::nullopt;
  const auto percent = read_finite(name.substr(1));
  if (!percent || *percent <= 0 || *percent > 100) return std::nullopt;
  return *percent / 100;
}

const Quantity* find_quantity(std::string_view name) {
  const auto* const found = std::ranges::find(kQuantities, name, &Quantity::name);
  return found == kQuantities.end() ? nullptr : found;
}

std::optional<Dimension> kind_of(std::string_view name) {
  if (latency_quantile(name)) return Dimension::time;
  if (const Quantity* quantity = find_quantity(name)) return quantity->kind;
  return std::nullopt;
}

std::string_view symbol(Expectation::Operator op) {
  constexpr std::array<std::string_view, 5> kSymbols{"<", "<=", "=", ">=", ">"};
  return kSymbols[static_cast<std::size_t>(op)];
}

bool holds(double value, Expectation::Operator op, double bound) {
  switch (op) {
    case Expectation::Operator::less:
      return value < bound;
    case Expectation::Operator::less_equal:
      return value <= bound;
    case Expectation::Operator::equal:
      return value == bound;
    case Expectation::Operator::greater_equal:
      return value >= bound;
    case Expectation::Operator::greater:
      return value > bound;
  }
  return false;
}

template <std::size_t N>
std::string with_unit(double value, const std::array<ExpectedUnit, N>& units) {
  const ExpectedUnit* best = units.data();
  for (const ExpectedUnit& unit : units) {
    if (std::abs(value) >= unit.factor) best = &unit;
  }
  return fmt::format("{:.4g} {}", value / best->factor, best->name);
}

std::string show(double value, Dimension kind) {
  if (kind == Dimension::time) return with_unit(value, kTimes);
  if (kind == Dimension::bytes) return with_unit(value, kSizes);
  if (value == std::floor(value) && std::abs(value) < 1e15) return fmt::format("{:.0f}", value);
  return fmt::format("{:.6g}", value);
}

template <std::size_t N>
std::optional<double> factor_of(std::string_view unit, const std::array<ExpectedUnit, N>& units) {
  const auto* const found = std::ranges::find(units, unit, &ExpectedUnit::name);
  if (found == units.end()) return std::nullopt;
  return found->factor;
}

std::expected<double, std::string> parse_value(std::string_view text, Dimension kind) {
  const auto digits = std::min(text.find_first_not_of("0123456789.eE+-"), text.size());
  std::string_view unit = text.substr(digits);
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  std::string_view amount = text.substr(0, digits);
  while (amount.ends_with(' ')) amount.remove_suffix(1);
  const auto value = read_finite(amount);
  if (!value || *value < 0) {
    return std::unexpected("behind the sign must stand a number of 0 or more");
  }
  std::optional<double> factor;
  switch (kind) {
    case Dimension::number:
      if (!unit.empty())
        return std::unexpected(fmt::format("it is a mere number, without '{}'", unit));
      factor = 1;
      break;
    case Dimension::time:
      factor = factor_of(unit, kTimes);
      if (!factor) return std::unexpected("its unit must be one of ns, us, ms, s");
      break;
    case Dimension::bytes:
      factor = unit.empty() ? 1 : factor_of(unit, kSizes);
      if (!factor) return std::unexpected("its unit must be one of B, KB, MB");
      break;
  }
  return *value * *factor;
}

std::string_view trim(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

std::expected<Expectation, std::string> parse_one(std::string_view text) {
  if (text.empty()) {
    return std::unexpected(
        "an expectation is missing; one is 'p99<50ms', two are 'p99<50ms,lost=0'");
  }
  Expectation result;
  result.text = text;
  const auto at = text.find_first_of("<=>");
  if (at == std::string_view::npos) {
    return std::unexpected(fmt::format("'{}' lacks one of < <= = >= >", text));
  }
  const bool or_equal = text[at] != '=' && text.substr(at + 1).starts_with('=');
  using Operator = Expectation::Operator;
  switch (text[at]) {
    case '<':
      result.op = or_equal ? Operator::less_equal : Operator::less;
      break;
    case '>':
      result.op = or_equal ? Operator::greater_equal : Operator::greater;
      break;
    default:
      break;
  }
  result.name = trim(text.substr(0, at));
  const auto kind = kind_of(result.name);
  if (!kind) {
    std::string names = "p50 (or any up to p100), max, mean";
    for (const Quantity& quantity : kQuantities) names += fmt::format(", {}", quantity.name);
    return std::unexpected(fmt::format("'{}' is none of {}", result.name, names));
  }
  const auto value = parse_value(trim(text.substr(at + (or_equal ? 2 : 1))), *kind);
  if (!value) return std::unexpected(fmt::format("'{}': {}", text, value.error()));
  result.value = *value;
  return result;
}

}  // namespace

std::string Expectation::failure(const LoadResult& result) const {
  std::optional<double> measured;
  std::string_view missing = "nothing was delivered";
  if (const auto quantile = latency_quantile(name)) {
    if (result.latency.count() > 0) {
      measured = *quantile < 0 ? result.latency.mean_ns()
                               : static_cast<double>(result.latency.value_at(*quantile));
    }
  } else if (const Quantity* quantity = find_quantity(name)) {
    measured = quantity->of(result);
    missing = quantity->missing;
  }
  if (!measured) return fmt::format("{} is not known: {}", name, missing);
  if (holds(*measured, op, value)) return {};
  const Dimension kind = kind_of(name).value_or(Dimension::number);
  return fmt::format("{} is {}, not {} {}", name, show(*measured, kind), symbol(op),
                     show(value, kind));
}

std::expected<std::vector<Expectation>, std::string> parse_expectations(std::string_view text) {
  std::vector<Expectation> result;
  for (;;) {
    const auto comma = std::min(text.find(','), text.size());
    auto one = parse_one(trim(text.substr(0, comma)));
    if (!one) return std::unexpected(std::move(one.error()));
    result.push_back(std::move(*one));
    if (comma == text.size()) return result;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace tocsin::load
