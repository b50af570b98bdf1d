// URLs that carry their permission: whoever has one may make this request until it expires.
//
//   /events?exp=1700000000&kid=2024a&topic=chat%2F1&sig=BASE64URL
//
// `sig` is the HMAC-SHA-256, in base64url without padding, of
//
//   METHOD LF PATH LF QUERY
//
// METHOD in capitals. PATH and QUERY are bytes as they are sent, so nothing is decoded, encoded or
// brought into an order before it is signed. QUERY is what stands behind the '?' without the pair
// `sig=…` and one '&' beside it: its other pairs as sent, in the order as sent, with '&' between.
// So a pair that is added, taken away, doubled, moved, or written with other escapes makes another
// URL, which nobody has signed. What a signer has to do is to sign what it sends. (sign() sorts its
// pairs by their bytes, as it must choose some order.)
//
// What the parameters mean:
//   exp    seconds since 1970, decimal, up to the year 9999; once, always
//   kid    which key; once, or not at all for the key without an id
//   sub    whose URL it is; once, or not at all
//   topic  (or stream) at least one; the URL is good for these names, as they are when decoded
//   sig    once
// All others are for the resource that is asked.
//
// A request may have pairs that nobody signed, behind `sig`, if the caller names them: a position
// to resume from, which polyfills append to the URL at every reconnect, and which would be as good
// in a header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/auth/principal.h"
#include "net/jose/digest.h"

namespace tocsin::net {

struct UrlGrant {
  std::string_view method = "GET";
  std::string_view path = "/events";
  std::vector<std::string> topics{};  // at least one
  std::int64_t expires_at_s = 0;      // seconds since 1970
  std::string_view subject{};         // empty: nobody in particular
  // Other parameters, names and values as they are meant; they are encoded here.
  std::vector<std::pair<std::string, std::string>> parameters{};
};

// Filled once, then immutable and safe to use from several threads at once.
class UrlKeys {
 public:
  static constexpr std::size_t kMax = 16;
  static constexpr std::size_t kMinSecret = 32;  // bytes, as many as the hash has

  // `id`: 1 to 64 of [A-Za-z0-9_-], or empty. The error says in words what is wrong.
  [[nodiscard]] std::expected<void, std::string> add(std::string id, std::string_view secret);

  // Whether a request's query has a `sig`, and with that a permission of its own.
  [[nodiscard]] static bool is_signed(std::string_view query);

  // Path and query of a URL, signed with the key `id`. REQUIRES: that key was added, topics are
  // valid names, and nothing is said twice.
  [[nodiscard]] std::string sign(const UrlGrant& grant, std::string_view id) const;

  // The principal of a request, at `now_s`. `path` and `query`: as they were sent, without '?' and
  // fragment. `is_free(name)`: whether nobody needs to have signed a pair of this name behind
  // `sig`, as it was sent; null: all must be signed.
  [[nodiscard]] std::expected<PrincipalPtr, Denial> verify(
      std::string_view method, std::string_view path, std::string_view query, std::int64_t now_s,
      bool (*is_free)(std::string_view name) = nullptr) const;

  // Whether one of the keys is the principal's source.
  [[nodiscard]] bool has_source(std::uint64_t source) const;

  [[nodiscard]] bool has_id(std::string_view id) const { return find(id) != nullptr; }
  [[nodiscard]] bool empty() const { return keys_.empty(); }

 private:
  struct UrlKey {
    std::string id;
    Hmac hmac;
  };
  [[nodiscard]] const UrlKey* find(std::string_view id) const;

  std::vector<UrlKey> keys_;
};

}  // namespace tocsin::net
