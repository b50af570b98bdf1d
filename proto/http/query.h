// The query part of a request target: application/x-www-form-urlencoded (WHATWG URL, 5.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tocsin::proto {

enum class QueryError : std::uint8_t {
  escape,    // a '%' without two hexadecimal digits behind it
  utf8,      // the decoded bytes are not valid UTF-8
  too_many,  // more than limits::kMaxQueryPairs
};

// Percent- and plus-decoded pairs in their order. Owns what they refer to.
class Query {
 public:
  // Values of a name for which `any_bytes` is true need not be UTF-8.
  [[nodiscard]] static std::expected<Query, QueryError> parse(
      std::string_view text, bool (*any_bytes)(std::string_view name) = nullptr);

  // The first value of `name`; nothing if it is absent.
  [[nodiscard]] std::optional<std::string_view> first(std::string_view name) const;
  // All values of `name`, in order.
  [[nodiscard]] std::vector<std::string_view> all(std::string_view name) const;
  using Pair = std::pair<std::string_view, std::string_view>;
  // What is given out here and above lives as long as the Query.
  [[nodiscard]] const std::vector<Pair>& pairs() const { return pairs_; }

 private:
  // It may be a credential.
  struct Wipe {
    std::size_t size;  // of no text: 0, as a unique_ptr without one makes it
    void operator()(char* text) const;
  };
  // A copy of the text, decoded in place: a part is never longer than it was.
  std::unique_ptr<char[], Wipe> text_;
  std::vector<Pair> pairs_;
};

// Percent-encodes everything but unreserved characters (RFC 3986, 2.3), for building a query.
[[nodiscard]] std::string percent_encode(std::string_view text);

}  // namespace tocsin::proto
