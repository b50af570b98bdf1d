#include "net/http/query_parameters.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "net/http/credentials.h"
#include "net/http/endpoint_table.h"
#include "proto/limits.h"
#include "proto/text/ascii.h"
#include "proto/text/name_pattern.h"
#include "proto/text/nearest_name.h"

namespace tocsin::net {
namespace {

// What others add to any URL. A * at the end stands for anything.
constexpr auto kIgnored = std::to_array<std::string_view>({
    // cache busters: of hands, jQuery, ExtJS, htmx, Next.js, Closure
    "_",
    "_cb",
    "_dc",
    "_rsc",
    "_t",
    "_ts",
    "cache",
    "cachebust",
    "cachebuster",
    "cb",
    "nocache",
    "no_cache",
    "nonce",
    "org.htmx.cache-buster",
    "r",
    "rand",
    "random",
    "rnd",
    "t",
    "timestamp",
    "ts",
    "v",
    "zx",
    // EventSource polyfills (amvtek's, Yaffle's) and service workers (Angular's)
    "evs_*",
    "ngsw-bypass",
    "padding",
    // proxies: Cloudflare's challenges
    "__cf_*",
    // trackers: Google, Matomo, Meta, Microsoft, Yandex, X, TikTok, LinkedIn, Pinterest, Reddit,
    // Adobe, HubSpot, Mailchimp, Marketo, Klaviyo, Branch
    "utm_*",
    "gclid",
    "gclsrc",
    "gad_*",
    "gbraid",
    "wbraid",
    "dclid",
    "srsltid",
    "_ga",
    "_gl",
    "mtm_*",
    "pk_*",
    "fbclid",
    "fb_*",
    "igsh",
    "igshid",
    "msclkid",
    "yclid",
    "ysclid",
    "_openstat",
    "twclid",
    "ttclid",
    "li_fat_id",
    "epik",
    "rdt_cid",
    "s_cid",
    "s_kwcid",
    "_hs*",
    "__hs*",
    "hsa_*",
    "mc_cid",
    "mc_eid",
    "mkt_tok",
    "_kx",
    "_branch_*",
});

bool knows(std::span<const std::string_view> known, std::string_view name) {
  return std::ranges::find(known, name) != known.end();
}

bool is_ignored(std::string_view name, std::span<const std::string> configured) {
  // `?1699999999` busts caches, too.
  if (!name.empty() && std::ranges::all_of(name, proto::is_digit)) return true;
  const auto fits = [name](std::string_view pattern) { return proto::matches_name(pattern, name); };
  return std::ranges::any_of(kIgnored, fits) || std::ranges::any_of(configured, fits);
}

std::string words_for(proto::QueryError error) {
  switch (error) {
    case proto::QueryError::escape:
      return "has a % without two hexadecimal digits behind it";
    case proto::QueryError::utf8:
      return "is not UTF-8 when it is decoded";
    case proto::QueryError::too_many:
      break;
  }
  return fmt::format("has more than {} parameters", limits::kMaxQueryPairs);
}

// What to say of a parameter that is not known: which one was probably meant.
proto::InputError refuse_parameter(std::string_view name, const RequestContext& context) {
  constexpr std::size_t kMaxNamed = 64;
  const auto known = context.endpoint.parameters;
  if (name == kTokenParameter && context.access != nullptr) {
    return {.field = std::string(name), .message = std::string(kTokenOutOfPlace)};
  }
  std::string message = "unknown parameter; " + proto::did_you_mean(name, known);
  if (knows(known, kPositionParameter)) message += " (stream is given once for each)";
  const bool named = !name.empty() && name.size() <= kMaxNamed && !may_hold_credential(name);
  return {.field = std::string(named ? name : "query"), .message = std::move(message)};
}

}  // namespace

bool is_position(std::string_view name) {
  constexpr std::string_view kName = "lasteventid";
  constexpr std::string_view kPrefix = "evs_";  // github.com/amvtek/EventSource
  if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
  std::size_t matched = 0;
  for (const char c : name) {
    if (c == '-' || c == '_') continue;
    if (matched == kName.size() || proto::to_lower(c) != kName[matched++]) return false;
  }
  return matched == kName.size();
}

std::optional<std::string_view> unknown_parameter(const proto::Query& query,
                                                  const Endpoint& endpoint,
                                                  const RequestContext& context) {
  const auto known = endpoint.parameters;
  if (known.empty()) return std::nullopt;
  const bool positions = knows(known, kPositionParameter);
  for (const auto& [name, value] : query.pairs()) {
    const bool good = knows(known, name) || (positions && is_position(name)) ||
                      is_ignored(name, context.options.ignored_parameters) ||
                      is_credential(name, context.request, endpoint.needs, context.access);
    if (!good) return name;
  }
  return std::nullopt;
}

std::expected<proto::Query, proto::InputError> parse_query(const proto::Request& request) {
  // An id comes in whatever encoding its client has.
  auto query = proto::Query::parse(request.query(), is_position);
  if (query) return *std::move(query);
  return std::unexpected(
      proto::InputError{.field = "query", .message = words_for(query.error())});
}

std::expected<proto::Query, proto::InputError> known_query(const RequestContext& context) {
  auto query = parse_query(context.request);
  if (!query) return query;
  const auto unknown = unknown_parameter(*query, context.endpoint, context);
  if (unknown) return std::unexpected(refuse_parameter(*unknown, context));
  return query;
}

}  // namespace tocsin::net
