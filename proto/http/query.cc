#include "proto/http/query.h"

#include <algorithm>
#include <cstddef>
#include <span>

#include "proto/limits.h"
#include "proto/text/ascii.h"
#include "proto/text/percent.h"
#include "proto/text/utf8.h"
#include "proto/text/wipe.h"

namespace tocsin::proto {

namespace {

// Decodes it in place, where '+' is a blank already.
std::expected<std::string_view, QueryError> decode(std::span<char> text, bool any_bytes) {
  std::string_view decoded{text.data(), text.size()};
  if (decoded.contains('%')) {
    auto bytes = percent_decode(decoded);
    if (!bytes) return std::unexpected(QueryError::escape);
    std::ranges::copy(*bytes, text.begin());
    decoded = decoded.substr(0, bytes->size());
    wipe(*bytes);
  }
  if (!any_bytes && !is_utf8(decoded)) return std::unexpected(QueryError::utf8);
  return decoded;
}

}  // namespace

void Query::Wipe::operator()(char* text) const {
  wipe(std::span<char>(text, size));
  delete[] text;
}

std::expected<Query, QueryError> Query::parse(std::string_view text,
                                              bool (*any_bytes)(std::string_view)) {
  Query query;
  query.text_ = std::unique_ptr<char[], Wipe>(new char[text.size()], Wipe{text.size()});
  // application/x-www-form-urlencoded: '+' is a blank.
  std::ranges::replace_copy(text, query.text_.get(), '+', ' ');
  std::span<char> rest{query.text_.get(), text.size()};
  while (!rest.empty()) {
    const std::string_view left{rest.data(), rest.size()};
    const std::size_t size = std::min(left.find('&'), left.size());
    const std::span<char> pair = rest.first(size);
    rest = rest.subspan(std::min(size + 1, rest.size()));
    if (pair.empty()) continue;
    if (query.pairs_.size() == limits::kMaxQueryPairs) {
      return std::unexpected(QueryError::too_many);
    }
    const std::size_t equals = std::min(left.substr(0, size).find('='), size);
    const auto name = decode(pair.first(equals), false);
    if (!name) return std::unexpected(name.error());
    const auto value = decode(pair.subspan(std::min(equals + 1, size)),
                              any_bytes != nullptr && any_bytes(*name));
    if (!value) return std::unexpected(value.error());
    query.pairs_.emplace_back(*name, *value);
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
