#include "net/http/credentials.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "net/http/query_parameters.h"
#include "net/jose/secret.h"
#include "net/state/remote_authority.h"
#include "proto/assert.h"
#include "proto/text/ascii.h"
#include "proto/text/percent.h"

namespace tocsin::net {
namespace {

using proto::Header;
using proto::Method;
using proto::Request;

enum class Where : std::uint8_t { nowhere, field, cookie, query, url };

std::string_view words_for(Where where) {
  switch (where) {
    case Where::field:
      return "the Authorization field";
    case Where::cookie:
      return "the cookie";
    case Where::query:
      return "the token of the query";
    case Where::url:
      return "the signed URL";
    case Where::nowhere:
      break;
  }
  return "nothing";
}

Denial denial(DenialCause cause, std::string_view reason) {
  return {.cause = cause, .reason = std::string(reason)};
}

// RFC 6750, 2.1: b64token. Tokens are long, so a table.
bool is_token68(std::string_view text) {
  static constexpr auto kGood = [] {
    std::array<bool, 256> good{};
    for (unsigned c = 0; c < 128; ++c) {
      const char letter = static_cast<char>(c);
      good[c] = proto::is_alpha(letter) || proto::is_digit(letter) ||
                std::string_view("-._~+/").contains(letter);
    }
    return good;
  }();
  const auto is_good = [](char c) { return kGood[static_cast<unsigned char>(c)]; };
  const std::size_t end = text.find_last_not_of('=');
  return end != text.npos && std::ranges::all_of(text.substr(0, end + 1), is_good);
}

// Calls `visit` with each part of `text` between separators, blanks around it left out.
template <typename Visit>
void for_each_part(std::string_view text, char separator, Visit&& visit) {
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(separator));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    visit(proto::trim(part));
  }
}

std::pair<std::string_view, std::string_view> split_pair(std::string_view pair) {
  const std::size_t equals = std::min(pair.find('='), pair.size());
  return {pair.substr(0, equals), pair.substr(std::min(equals + 1, pair.size()))};
}

// The credential of a request. Refers to its bytes.
class Search {
 public:
  Search(const Request& request, const Access& access) : request_(request), access_(access) {}

  void look_everywhere(Needs needs) {
    look_at_field();
    look_at_cookies();
    look_at_query(needs);
    if (UrlKeys::is_signed(request_.query())) found(Where::url, {});
  }

  [[nodiscard]] Where where() const { return where_; }
  [[nodiscard]] std::string_view text() const { return text_; }
  // Why there cannot be one; nothing: there is one, or none.
  [[nodiscard]] const std::optional<Denial>& fault() const { return fault_; }
  // What was there instead, for people; empty: nothing.
  [[nodiscard]] std::string_view instead() const { return instead_; }

 private:
  void look_at_field() {
    if (!request_.has(Header::authorization)) return;
    const std::string_view value = request_.header(Header::authorization);
    const std::string_view scheme = value.substr(0, value.find(' '));
    if (!proto::equals_ignoring_case(scheme, "Bearer")) {
      instead_ = "the Authorization field has another scheme than Bearer";
      return;
    }
    const std::string_view token = proto::trim(value.substr(scheme.size()));
    if (is_token68(token)) {
      found(Where::field, token);
    } else if (token.contains(',')) {  // two lines of the field are joined so
      fail(denial(DenialCause::two_credentials, "the Authorization field has more than one token"));
    } else {
      fail(denial(DenialCause::malformed, "the Authorization field is not Bearer and one token"));
    }
  }

  void look_at_cookies() {
    if (access_.cookie.empty()) return;
    for_each_part(request_.header(Header::cookie), ';', [this](std::string_view pair) {
      auto [name, value] = split_pair(pair);
      if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
        value = value.substr(1, value.size() - 2);
      }
      // An empty one is how servers take a cookie back.
      if (name == access_.cookie && !value.empty()) found(Where::cookie, value);
    });
  }

  void look_at_query(Needs needs) {
    for_each_part(request_.query(), '&', [this, needs](std::string_view pair) {
      const auto [name, value] = split_pair(pair);
      if (name != kTokenParameter || value.empty()) return;
      if (!is_credential(name, request_, needs, &access_)) {
        instead_ = kTokenOutOfPlace;
        return;
      }
      auto decoded = proto::percent_decode(value);
      if (!decoded) {
        fail(denial(DenialCause::malformed, "the token of the query is encoded wrongly"));
        return;
      }
      if (where_ == Where::nowhere) {
        decoded_ = Secret(*std::move(decoded));
        found(Where::query, decoded_.view());
      } else {
        const Secret another(*std::move(decoded));
        found(Where::query, another.view());
      }
    });
  }

  void found(Where where, std::string_view text) {
    if (where_ == Where::nowhere) {
      where_ = where;
      text_ = text;
    } else if (text != text_ || where == Where::url) {
      std::string reason(words_for(where_));
      reason += where == where_ ? " is there twice, and differs"
                                : " and " + std::string(words_for(where)) +
                                      " are two credentials that differ";
      fail({.cause = DenialCause::two_credentials, .reason = reason + "; send one"});
    }
  }
  void fail(Denial&& why) {
    if (!fault_) fault_ = std::move(why);
  }

  const Request& request_;
  const Access& access_;
  Where where_ = Where::nowhere;
  std::string_view text_;
  Secret decoded_;  // what text_ refers to, if it was encoded
  std::optional<Denial> fault_;
  std::string_view instead_;
};

// scheme://host[:port] of a URL; empty: it has none.
std::string_view origin_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == url.npos) return {};
  return url.substr(0, url.find_first_of("/?#", scheme + 3));
}

// Whether `origin` is that of the host which the request names. Whether TLS was used, the hub does
// not know: something in front may have taken it off. The browser knows, and says of a page of
// http://host that it is not of the same origin as https://host (Fetch Metadata, 2.2). It says so
// to whatever has TLS or is on its own machine, and no page can make it say anything else.
bool is_own_origin(std::string_view origin, const Request& request) {
  constexpr std::string_view kSecure = "https://";
  constexpr std::string_view kPlain = "http://";
  const bool secure = origin.starts_with(kSecure);
  if (!secure && !origin.starts_with(kPlain)) return false;
  if (request.has(Header::sec_fetch_site) &&
      request.header(Header::sec_fetch_site) != "same-origin") {
    return false;
  }
  std::string_view host = request.header(Header::host);
  if (host.empty()) return false;
  // Browsers leave the usual port out.
  const std::string_view port = secure ? ":443" : ":80";
  if (host.ends_with(port)) host.remove_suffix(port.size());
  const std::string_view named = origin.substr(secure ? kSecure.size() : kPlain.size());
  return proto::equals_ignoring_case(named, host);
}

// Browsers send cookies with whatever a page of anybody has them send. Which page it was they say
// in Origin, and where they leave that out in Referer.
// `sent`: what it is that counts.
std::optional<Denial> deny_page(const Request& request, std::span<const std::string> origins,
                                std::string_view sent) {
  const bool has_origin = request.has(Header::origin);
  const std::string_view said = request.header(has_origin ? Header::origin : Header::referer);
  const std::string_view origin = has_origin ? said : origin_of(said);
  const bool listed = origin != "*" && std::ranges::find(origins, origin) != origins.end();
  if (listed || is_own_origin(origin, request)) return std::nullopt;
  std::string reason(sent);
  reason += " counts here only from pages of this host or of an allowed origin; ";
  if (said.empty()) {
    reason += "the request has neither Origin nor Referer";
  } else {
    reason += has_origin ? "its Origin is " : "its Referer is of ";
    reason += shown(origin);
  }
  return Denial{.cause = DenialCause::foreign_page, .reason = std::move(reason)};
}

// What the hub's own keys are for: no issuer and no back end has a say there.
bool is_for_keys(Needs needs) {
  return needs == Needs::metrics || needs == Needs::admin;
}

// More than to read was asked for.
bool changes_something(Needs needs, Method method) {
  if (needs == Needs::anybody) return method != Method::get && method != Method::head;
  return needs != Needs::subscribe && needs != Needs::metrics;
}

// Which mark the place has where the credential was found.
std::uint64_t mark_of(Where where, bool changes, const Access& access) {
  using enum CredentialPlace;
  if (where == Where::cookie) return mark_of(access, cookie).value_or(0);
  if (where == Where::query) return mark_of(access, changes ? query_to_change : query).value_or(0);
  return 0;
}

std::expected<PrincipalPtr, Denial> nobody(const Access& access, const ServerOptions& options,
                                           Needs needs) {
  switch (needs) {
    case Needs::subscribe:
      return without_credential(*access.authority, options, Right::subscribe);
    case Needs::publish:
      return without_credential(*access.authority, options, Right::publish);
    case Needs::nothing:
    case Needs::anybody:
    case Needs::metrics:
    case Needs::admin:
      break;
  }
  return std::unexpected(
      denial(DenialCause::no_credential, "there is no credential, and one is needed"));
}

bool is_passed(const Access& access, Header header) {
  return std::ranges::find(access.passed_fields, header, &PassedField::header) !=
         access.passed_fields.end();
}

// The request has nothing that the hub looks for, but something that the back end may know.
bool concerns_back_end(const Request& request, Needs needs, const Access& access) {
  if (is_for_keys(needs)) return false;
  const auto has = [&](Header header) {
    return is_passed(access, header) && !request.header(header).empty();
  };
  return has(Header::authorization) || (access.cookie.empty() && has(Header::cookie));
}

// Who may know more of what the authority has denied.
void refer(const Search& search, Needs needs, const Access& access, DenialCause cause,
           std::optional<Referral>& referral) {
  const std::string_view text = search.text();
  if (is_access_key(text)) return;
  const TokenOrigin origin = access.authority->origin_of(text);
  if (may_want_another_key(cause) && !origin.key_source.empty()) {
    referral.emplace(
        Referral{.to = Referral::To::issuer, .key_source = origin.key_source});
  } else if (!origin.is_known && !access.passed_fields.empty() && !is_for_keys(needs) &&
             is_token68(text)) {
    referral.emplace();
    if (search.where() != Where::field) {
      referral->authorization = Secret("Bearer " + std::string(text));
    }
  } else {
    return;
  }
  referral->credential = Secret(std::string(text));
}

}  // namespace

bool asks_nobody(Needs needs, const Access* access) {
  if (needs == Needs::nothing) return true;
  if (needs != Needs::metrics) return false;
  return access == nullptr || access->authority == nullptr || access->public_metrics;
}

std::expected<PrincipalPtr, Denial> authenticate(const Request& request, Needs needs,
                                                 const Access& access,
                                                 const ServerOptions& options, std::int64_t now_s,
                                                 std::optional<Referral>* referral,
                                                 std::uint64_t& place) {
  TOCSIN_ASSERT(access.authority != nullptr && !asks_nobody(needs, &access));
  Search search(request, access);
  search.look_everywhere(needs);
  if (search.fault()) return std::unexpected(*search.fault());
  place = mark_of(search.where(), changes_something(needs, request.method), access);
  switch (search.where()) {
    case Where::nowhere: {
      if (referral != nullptr && concerns_back_end(request, needs, access)) {
        // Browsers add these by themselves, too.
        if (changes_something(needs, request.method)) {
          const bool other = request.has(Header::authorization);
          auto why = deny_page(request, options.cors_origins,
                               other ? "an Authorization field that is not Bearer" : "a cookie");
          if (why) return std::unexpected(*std::move(why));
        }
        referral->emplace();
        return std::unexpected(denial(DenialCause::no_credential, search.instead()));
      }
      auto known = nobody(access, options, needs);
      if (!known && !search.instead().empty()) known.error().reason = search.instead();
      return known;
    }
    case Where::url: {
      // What was signed for reading or publishing is not good for anything else.
      const bool reads = request.method == Method::get || request.method == Method::head;
      const std::string_view method = reads                             ? "GET"
                                      : request.method == Method::post ? "POST"
                                                                        : "DELETE";
      return access.authority->check_url(method, request.path(), request.query(), now_s,
                                         is_position);
    }
    case Where::cookie:
      if (changes_something(needs, request.method)) {
        auto why = deny_page(request, options.cors_origins, "a cookie");
        if (why) return std::unexpected(*std::move(why));
      }
      break;
    case Where::field:
    case Where::query:
      break;
  }
  auto known = access.authority->check(search.text(), now_s);
  if (!known && referral != nullptr) refer(search, needs, access, known.error().cause, *referral);
  return known;
}

std::optional<Denial> deny_needs(Needs needs, const Principal& principal, std::int64_t now_s) {
  if (principal.is_expired(now_s)) {
    return denial(DenialCause::expired, "the credential has expired");
  }
  if (needs == Needs::admin && !principal.admin) {
    return denial(DenialCause::insufficient_scope, "this is for keys that administrate");
  }
  if (needs == Needs::metrics && principal.kind != CredentialKind::key && !principal.admin) {
    return denial(DenialCause::insufficient_scope, "this is for keys of the configuration");
  }
  return std::nullopt;
}

bool is_credential(std::string_view parameter, const Request& request, Needs needs,
                   const Access* access) {
  if (access == nullptr || access->authority == nullptr || asks_nobody(needs, access)) return false;
  if (parameter == kTokenParameter) {
    return changes_something(needs, request.method) ? access->query_token_publishes
                                                    : access->query_token;
  }
  constexpr auto kOfSignedUrl = std::to_array<std::string_view>({"sig", "exp", "kid", "sub"});
  return UrlKeys::is_signed(request.query()) &&
         std::ranges::find(kOfSignedUrl, parameter) != kOfSignedUrl.end();
}

}  // namespace tocsin::net
