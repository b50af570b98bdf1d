#include "proto/http/query.h"

#include <algorithm>
#include <cstddef>

#include "proto/limits.h"
#include "proto/text/percent.h"
#include "proto/text/utf8.h"

namespace tocsin::proto {

namespace {

// application/x-www-form-urlencoded: '+' is a blank.
std::expected<std::string, QueryError> decode(std::string_view text, bool any_bytes = false) {
  std::string decoded{text};
  std::ranges::replace(decoded, '+', ' ');
  if (text.contains('%')) {
    auto bytes = percent_decode(decoded);
    if (!bytes) return std::unexpected(QueryError::escape);
    decoded = *std::move(bytes);
  }
  if (!any_bytes && !is_utf8(decoded)) return std::unexpected(QueryError::utf8);
  return decoded;
}

bool is_unreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

}  // namespace

std::expected<Query, QueryError> Query::parse(std::string_view text,
                                              bool (*any_bytes)(std::string_view)) {
  Query query;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(pair.size() < text.size() ? pair.size() + 1 : pair.size());
    if (pair.empty()) continue;
    if (query.pairs_.size() == limits::kMaxQueryPairs) {
      return std::unexpected(QueryError::too_many);
    }
    const std::size_t equals = pair.find('=');
    auto name = decode(pair.substr(0, equals));
    if (!name) return std::unexpected(name.error());
    auto value = decode(equals == std::string_view::npos ? "" : pair.substr(equals + 1),
                        any_bytes != nullptr && any_bytes(*name));
    if (!value) return std::unexpected(value.error());
    query.pairs_.emplace_back(*std::move(name), *std::move(value));
  }
  return query;
}

std::optional<std::string_view> Query::first(std::string_view name) const {
  for (const auto& [key, value] : pairs_) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::vector<std::string_view> Query::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& [key, value] : pairs_) {
    if (key == name) values.emplace_back(value);
  }
  return values;
}

std::string percent_encode(std::string_view text) {
  return percent_encode(text, is_unreserved);
}

}  // namespace tocsin::proto
