#include "net/auth/claims.h"

#include <algorithm>
#include <utility>

#include "net/auth/principal.h"
#include "proto/text/utf8.h"

namespace tocsin::net {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

// The end of the year 9999 (RFC 7519 has no bound). Past it are milliseconds, a usual mistake.
constexpr std::int64_t kMaxTime = 253'402'300'799;

// What is wrong, in words; empty: nothing.
using Fault = std::string;

// Nothing if it is not there.
std::optional<element> member(const object& from, std::string_view name) {
  element value;
  if (from.at_key(name).get(value) != simdjson::SUCCESS) return std::nullopt;
  return value;
}

Fault read_text(const object& payload, std::string_view name, std::string& text) {
  const auto value = member(payload, name);
  if (!value) return {};
  std::string_view found;
  if (value->get(found) != simdjson::SUCCESS) return std::string(name) + " is no text";
  if (found.size() > Principal::kMaxSubject) return std::string(name) + " is too long";
  if (proto::has_controls(found)) {
    return std::string(name) + " has control characters";
  }
  text = found;
  return {};
}

Fault read_time(const object& payload, std::string_view name, std::optional<std::int64_t>& time) {
  const auto value = member(payload, name);
  if (!value) return {};
  double number = -1;
  if (value->get(number) != simdjson::SUCCESS || !(number >= 0)) {
    return std::string(name) + " is no time in seconds since 1970";
  }
  if (number > static_cast<double>(kMaxTime)) {
    return std::string(name) + " is after the year 9999: it is in seconds, not milliseconds";
  }
  time = static_cast<std::int64_t>(number);
  return {};
}

Fault read_audiences(const object& payload, std::vector<std::string>& audiences) {
  const auto value = member(payload, "aud");
  if (!value) return {};
  std::string_view one;
  array several;
  if (value->get(one) == simdjson::SUCCESS) {
    audiences.emplace_back(one);
    return {};
  }
  if (value->get(several) != simdjson::SUCCESS) return "aud is neither a text nor a list";
  for (const element item : several) {
    if (item.get(one) != simdjson::SUCCESS) return "aud has something that is no text";
    if (audiences.size() == Claims::kMaxAudiences) return "aud has too many entries";
    audiences.emplace_back(one);
  }
  return {};
}

Fault add(Selectors& selectors, SelectorForm form, std::string_view text) {
  auto added = selectors.add(form, text);
  return added ? Fault() : std::move(added.error());
}

// {"match": …, "match_type": …}, as Mercure has it from 1.0 on.
Fault read_matcher(const object& matcher, Selectors& selectors) {
  std::string_view match;
  std::string_view type = "exact";
  if (matcher.at_key("match").get(match) != simdjson::SUCCESS) return "a topic has no text 'match'";
  const auto named = member(matcher, "match_type");
  if (named && named->get(type) != simdjson::SUCCESS) return "match_type is no text";
  if (type == "exact") return add(selectors, SelectorForm::exact, match);
  if (type == "urlpattern") return add(selectors, SelectorForm::url_pattern, match);
  return "match_type is neither exact nor urlpattern";
}

// A list of `publish` or `subscribe`; null is none.
Fault read_list(const object& rights, std::string_view name, SelectorForm form,
                Selectors& selectors) {
  const auto value = member(rights, name);
  if (!value || value->is_null()) return {};
  array list;
  if (value->get(list) != simdjson::SUCCESS) return std::string(name) + " is no list";
  for (const element item : list) {
    std::string_view text;
    object matcher;
    Fault fault;
    if (item.get(text) == simdjson::SUCCESS) {
      fault = add(selectors, form, text);
    } else if (form == SelectorForm::mercure && item.get(matcher) == simdjson::SUCCESS) {
      fault = read_matcher(matcher, selectors);
    } else {
      fault = "has something that is no selector";
    }
    if (!fault.empty()) return std::string(name) + ": " + fault;
  }
  return {};
}

Fault read_rights(const object& payload, std::string_view name, SelectorForm form, Claims& claims) {
  const auto value = member(payload, name);
  if (!value) return {};
  object rights;
  if (value->get(rights) != simdjson::SUCCESS) return std::string(name) + " is no object";
  Fault fault = read_list(rights, "publish", form, claims.publish);
  if (fault.empty()) fault = read_list(rights, "subscribe", form, claims.subscribe);
  return fault.empty() ? fault : std::string(name) + '.' + fault;
}

// The topics of one detail of Mercure's, for the actions that it names.
Fault read_detail(const object& detail, Claims& claims) {
  array actions;
  array topics;
  if (detail.at_key("actions").get(actions) != simdjson::SUCCESS || actions.size() == 0) {
    return "a detail has no list 'actions'";
  }
  if (detail.at_key("topics").get(topics) != simdjson::SUCCESS || topics.size() == 0) {
    return "a detail has no list 'topics'";
  }
  Selectors read;
  for (const element topic : topics) {
    object matcher;
    if (topic.get(matcher) != simdjson::SUCCESS) return "a topic is no object with 'match'";
    if (Fault fault = read_matcher(matcher, read); !fault.empty()) return fault;
  }
  bool publish = false;
  bool subscribe = false;
  for (const element action : actions) {
    std::string_view name;
    if (action.get(name) != simdjson::SUCCESS) return "an action is no text";
    publish = publish || name == "publish";
    subscribe = subscribe || name == "subscribe";
  }
  const bool fit =
      (!publish || claims.publish.add_all(read)) && (!subscribe || claims.subscribe.add_all(read));
  return fit ? Fault() : "there are more than " + std::to_string(Selectors::kMax) + " selectors";
}

// `any`: whether there are details at all.
Fault read_details(const object& payload, Claims& claims, bool& any) {
  constexpr std::string_view kType = "https://mercure.rocks/authorization-detail";
  const auto value = member(payload, "authorization_details");
  if (!value) return {};
  array details;
  if (value->get(details) != simdjson::SUCCESS) return "authorization_details is no list";
  for (const element item : details) {
    any = true;
    object detail;
    std::string_view type;
    if (item.get(detail) != simdjson::SUCCESS ||
        detail.at_key("type").get(type) != simdjson::SUCCESS) {
      return "authorization_details has something that is no object with a type";
    }
    if (type != kType) continue;
    if (Fault fault = read_detail(detail, claims); !fault.empty()) {
      return "authorization_details: " + fault;
    }
  }
  return {};
}

Fault read_all(const object& payload, Claims& claims) {
  constexpr std::string_view kNamespaced = "https://mercure.rocks/";
  Fault fault = read_text(payload, "sub", claims.subject);
  if (fault.empty()) fault = read_audiences(payload, claims.audiences);
  if (fault.empty()) fault = read_time(payload, "exp", claims.expires_at_s);
  if (fault.empty()) fault = read_time(payload, "nbf", claims.not_before_s);
  if (fault.empty()) fault = read_time(payload, "iat", claims.issued_at_s);
  if (fault.empty()) fault = read_rights(payload, "tocsin", SelectorForm::tocsin, claims);
  bool details = false;
  if (fault.empty()) fault = read_details(payload, claims, details);
  if (!fault.empty() || details) return fault;
  const std::string_view name = member(payload, kNamespaced) ? kNamespaced : "mercure";
  return read_rights(payload, name, SelectorForm::mercure, claims);
}

Denial malformed(const Fault& fault) {
  constexpr std::size_t kMaxReason = 256;
  return {.cause = DenialCause::malformed, .reason = shown("the token's " + fault, kMaxReason)};
}

}  // namespace

std::expected<std::string, Denial> issuer_of(const StrictJson& payload) {
  std::string issuer;
  const Fault fault = read_text(payload.root(), "iss", issuer);
  if (!fault.empty()) return std::unexpected(malformed(fault));
  return issuer;
}

std::expected<Claims, Denial> read_claims(const StrictJson& payload) {
  Claims claims;
  const Fault fault = read_all(payload.root(), claims);
  if (!fault.empty()) return std::unexpected(malformed(fault));
  return claims;
}

}  // namespace tocsin::net
