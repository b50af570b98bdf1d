#include "net/jose/jws.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "net/jose/base64url.h"
#include "net/jose/strict_json.h"
#include "proto/text/ascii.h"

namespace tocsin::net {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::array<std::string_view, 4> kKeySources = {"jwk", "jku", "x5u", "x5c"};

std::unexpected<std::string> refused(std::string text) {
  return std::unexpected(std::move(text));
}

// A member that is a text; empty where it is missing.
std::expected<std::string_view, std::string> text_of(const object& header, std::string_view name) {
  element value;
  if (header.at_key(name).get(value) != simdjson::SUCCESS) return std::string_view();
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS || text.empty()) {
    return refused("the token's " + std::string(name) + " is no text");
  }
  return text;
}

bool is_key_id(std::string_view id) {
  return id.size() <= kMaxKeyId && !id.contains("..") && std::ranges::all_of(id, [](char c) {
           return c > ' ' && c <= '~' && c != '"' && c != '\'' && c != '\\';
         });
}

bool is_type(std::string_view type) {
  const std::string lower = proto::to_lower(type.substr(0, 32));
  std::string_view name = lower;
  if (name.starts_with("application/")) name.remove_prefix(12);
  return name.empty() || name == "jwt" || name == "at+jwt" || name == "jose";
}

// What a header may not have, in words; empty: it is as it should be.
std::string forbidden(const object& header) {
  const auto has = [&](std::string_view name) {
    return header.at_key(name).error() == simdjson::SUCCESS;
  };
  if (has("crit"))
    return "the token wants to be understood in a way (crit) that the hub does not know";
  if (has("b64")) return "the payload is in another form (b64), which the hub does not read";
  for (const std::string_view name : kKeySources) {
    if (has(name)) {
      return "the token brings a key (" + std::string(name) + "); the hub trusts only its own";
    }
  }
  return {};
}

std::expected<Jws, std::string> read_header(const object& header) {
  const auto algorithm = text_of(header, "alg");
  const auto key_id = text_of(header, "kid");
  const auto type = text_of(header, "typ");
  for (const auto* text : {&algorithm, &key_id, &type}) {
    if (!*text) return refused(text->error());
  }
  if (algorithm->empty()) return refused("the token does not say its algorithm (alg)");
  const auto known = algorithm_of(*algorithm);
  if (!known && proto::equals_ignoring_case(*algorithm, "none")) {
    return refused("the token is not signed (alg none)");
  }
  if (!known) return refused("the token's algorithm is not one that the hub knows");
  if (std::string fault = forbidden(header); !fault.empty()) return refused(std::move(fault));
  if (!is_key_id(*key_id)) return refused("the token's kid is no name of a key");
  if (!is_type(*type)) return refused("the token's typ is neither JWT nor at+jwt");
  return Jws{.algorithm = *known, .key_id = std::string(*key_id)};
}

}  // namespace

std::expected<Jws, std::string> parse_jws(std::string_view text) {
  if (text.size() > kMaxJws) {
    return refused("the token has " + std::to_string(text.size()) + " bytes, at most " +
                   std::to_string(kMaxJws) + " are read");
  }
  const std::size_t first = text.find('.');
  const std::size_t second = first == text.npos ? text.npos : text.find('.', first + 1);
  if (second == text.npos || text.find('.', second + 1) != text.npos) {
    return refused("the token is not of three parts with dots between");
  }
  const auto header = base64url_decode(text.substr(0, first));
  auto payload = base64url_decode(text.substr(first + 1, second - first - 1));
  auto decoded = base64url_decode(text.substr(second + 1));
  const bool is_base64 = decoded.has_value();
  Secret signature(std::move(decoded).value_or(""));
  if (!header || !payload || !is_base64) {
    return refused("a part of the token is not base64url without padding");
  }
  const auto json = StrictJson::parse(*header, "the token's header");
  if (!json) return refused(json.error());
  auto jws = read_header(json->root());
  if (!jws) return jws;
  jws->payload = *std::move(payload);
  jws->signature = std::move(signature);
  jws->signed_part = text.substr(0, second);
  return jws;
}

}  // namespace tocsin::net
