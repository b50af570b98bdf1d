#include "tools/load/options/flag_values.h"

#include <algorithm>

#include <fmt/format.h>

#include "proto/text/number.h"
#include "tools/load/figures/readable.h"

namespace tocsin::load {
namespace {

char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// They say where a request ends.
bool is_body_field(std::string name) {
  std::ranges::transform(name, name.begin(), to_lower);
  return name == "content-length" || name == "transfer-encoding";
}

}  // namespace

std::expected<std::uint64_t, std::string> parse_whole(std::string_view text, std::uint64_t min,
                                                      std::uint64_t max) {
  const auto value = proto::read_number<std::uint64_t>(text);
  if (!value || *value < min || *value > max) {
    return std::unexpected(fmt::format("takes a whole number from {} to {}, not '{}'",
                                       readable_count(min), readable_count(max), text));
  }
  return *value;
}

std::expected<double, std::string> parse_real(std::string_view text, double max) {
  const auto value = proto::read_number<double>(text);
  if (!value || !(*value >= 0 && *value <= max)) {  // NaN compares false
    return std::unexpected(fmt::format("takes a number from 0 to {}, not '{}'",
                                       readable_count(static_cast<std::uint64_t>(max)), text));
  }
  return *value;
}

std::expected<net::HeaderField, std::string> parse_header_field(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  net::HeaderField field;
  const auto colon = text.find(':');
  if (colon != std::string_view::npos) {
    field.name = text.substr(0, colon);
    std::string_view value = text.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(kBlanks), value.size()));
    value = value.substr(0, value.find_last_not_of(kBlanks) + 1);  // npos + 1 is 0
    field.value = value;
  }
  if (!net::is_header_field(field)) {
    return std::unexpected(fmt::format("takes 'Name: value', not '{}'", text));
  }
  if (is_body_field(field.name)) {
    return std::unexpected(
        fmt::format("{}: what says how long a body is, is the generator's own", field.name));
  }
  return field;
}

std::expected<std::string, std::string> unescape(std::string_view text) {
  constexpr std::string_view kLetters = "nrt\\";
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    const auto at = ++i < text.size() ? kLetters.find(text[i]) : std::string_view::npos;
    if (at == std::string_view::npos) {
      return std::unexpected(R"(knows only \n, \r, \t and \\ behind a backslash)");
    }
    out += "\n\r\t\\"[at];
  }
  return out;
}

std::expected<std::vector<int>, std::string> parse_statuses(std::string_view text) {
  const std::string_view all = text;
  std::vector<int> statuses;
  for (;;) {
    const auto comma = std::min(text.find(','), text.size());
    const auto status = proto::read_number<int>(text.substr(0, comma));
    if (!status || *status < 200 || *status > 599) {
      return std::unexpected(
          fmt::format("takes HTTP statuses from 200 to 599 with commas (200,204), not '{}'", all));
    }
    statuses.push_back(*status);
    if (comma == text.size()) return statuses;
    text.remove_prefix(comma + 1);
  }
}

std::expected<net::Url, std::string> parse_target(std::string_view text) {
  constexpr std::string_view kHttps = "https://";
  std::string scheme(text.substr(0, kHttps.size()));
  std::ranges::transform(scheme, scheme.begin(), to_lower);
  if (scheme == kHttps) {
    return std::unexpected(
        "https is not supported by the load generator; name the http port behind what ends TLS");
  }
  auto url = net::parse_url(text);
  if (!url) return std::unexpected(fmt::format("'{}': {}", text, url.error()));
  return url;
}

bool is_plain_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~/:").find(c) != std::string_view::npos;
  });
}

}  // namespace tocsin::load
