#include "net/auth/signed_url.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

#include "net/auth/source.h"
#include "net/jose/base64url.h"
#include "net/jose/secret.h"
#include "proto/text/ascii.h"
#include "proto/assert.h"
#include "proto/sse/event.h"
#include "proto/http/query.h"

namespace tocsin::net {
namespace {

constexpr std::string_view kSignature = "sig";
// The end of the year 9999. Past it are milliseconds, a usual mistake, and what never expires.
constexpr std::int64_t kMaxTime = 253'402'300'799;

std::unexpected<Denial> denied(DenialCause cause, std::string reason) {
  return std::unexpected(Denial{.cause = cause, .reason = std::move(reason)});
}

std::string_view name_of(std::string_view pair) {
  return pair.substr(0, pair.find('='));
}
std::string_view value_of(std::string_view pair) {
  const std::size_t equals = pair.find('=');
  return equals == pair.npos ? std::string_view() : pair.substr(equals + 1);
}

// Calls `use` with each pair as it was sent, empty ones too. Stops if it says false.
template <typename Use>
void for_each_pair(std::string_view query, const Use& use) {
  while (true) {
    const std::size_t end = query.find('&');
    if (!use(query.substr(0, end)) || end == query.npos) return;
    query.remove_prefix(end + 1);
  }
}

void append(std::string& query, std::string_view pair) {
  if (!query.empty()) query += '&';
  query += pair;
}
void append(std::string& query, std::string_view name, std::string_view value) {
  append(query, proto::percent_encode(name) + '=' + proto::percent_encode(value));
}

std::string message_of(std::string_view method, std::string_view path, std::string_view query) {
  std::string message;
  message.reserve(method.size() + path.size() + query.size() + 2);
  message.append(method).append(1, '\n').append(path).append(1, '\n').append(query);
  return message;
}

// A request's query, taken apart: what is signed, and the signature. Free pairs may stand behind
// it.
struct SignedQuery {
  std::string signed_part;
  std::string_view signature;  // as it was sent
  std::size_t signatures = 0;
};
SignedQuery take_apart(std::string_view query, bool (*is_free)(std::string_view)) {
  SignedQuery parts;
  bool first = true;
  for_each_pair(query, [&](std::string_view pair) {
    if (name_of(pair) == kSignature) {
      ++parts.signatures;
      parts.signature = value_of(pair);
      return true;
    }
    if (parts.signatures > 0 && is_free != nullptr && is_free(name_of(pair))) return true;
    if (!first) parts.signed_part += '&';
    first = false;
    parts.signed_part += pair;
    return true;
  });
  return parts;
}

// URLs name their key.
std::uint64_t source_by(std::string_view id, const Hmac& hmac) {
  return source_of({"url", id, std::to_string(hmac.fingerprint())});
}

// What the parameters of a signed part say.
struct UrlTerms {
  std::int64_t expires_at_s = 0;
  std::string_view subject;
  Selectors topics;
};
// The error is a reason.
std::expected<UrlTerms, std::string> read_terms(const proto::Query& query) {
  UrlTerms terms;
  const auto once = [&](std::string_view name) { return query.all(name).size() <= 1; };
  if (!once("exp") || !once("sub") || !once("kid")) {
    return std::unexpected("the signed URL says exp, sub or kid twice");
  }
  const std::string_view expiry = query.first("exp").value_or("");
  const auto [end, error] =
      std::from_chars(expiry.data(), expiry.data() + expiry.size(), terms.expires_at_s);
  if (error != std::errc() || end != expiry.data() + expiry.size() || terms.expires_at_s < 0) {
    return std::unexpected("the signed URL does not say when it expires (exp, seconds since 1970)");
  }
  if (terms.expires_at_s > kMaxTime) {
    return std::unexpected(
        "the signed URL's exp is after the year 9999: it is in seconds, not milliseconds");
  }
  terms.subject = query.first("sub").value_or("");
  if (terms.subject.size() > Principal::kMaxSubject ||
      (!terms.subject.empty() && !proto::is_topic_name(terms.subject))) {
    return std::unexpected("the signed URL has a sub that is too long, or has control characters");
  }
  for (const auto& [name, value] : query.pairs()) {
    if (name != "topic" && name != "stream") continue;
    if (auto added = terms.topics.add(SelectorForm::name, value); !added) {
      return std::unexpected("of the signed URL's topics, " + added.error());
    }
  }
  if (terms.topics.empty()) return std::unexpected("the signed URL names no topic");
  return terms;
}

}  // namespace

std::expected<void, std::string> UrlKeys::add(std::string id, std::string_view secret) {
  const auto is_id_char = [](char c) {
    return proto::is_alpha(c) || proto::is_digit(c) || c == '_' || c == '-';
  };
  if (id.size() > 64 || !std::ranges::all_of(id, is_id_char)) {
    return std::unexpected("a key's id has 1 to 64 letters, digits, '_' and '-'");
  }
  if (secret.size() < kMinSecret) {
    return std::unexpected("a secret of " + std::to_string(secret.size()) +
                           " bytes; it needs at least " + std::to_string(kMinSecret));
  }
  if (find(id) != nullptr) return std::unexpected("there are two keys of one id");
  if (keys_.size() == kMax) return std::unexpected("there are too many keys");
  keys_.push_back({.id = std::move(id), .hmac = Hmac(Hash::sha256, secret)});
  return {};
}

const UrlKeys::UrlKey* UrlKeys::find(std::string_view id) const {
  const auto found = std::ranges::find(keys_, id, &UrlKey::id);
  return found == keys_.end() ? nullptr : &*found;
}

bool UrlKeys::is_signed(std::string_view query) {
  bool found = false;
  for_each_pair(query, [&](std::string_view pair) {
    found = name_of(pair) == kSignature;
    return !found;
  });
  return found;
}

std::string UrlKeys::sign(const UrlGrant& grant, std::string_view id) const {
  const UrlKey* key = find(id);
  TOCSIN_ASSERT(key != nullptr && !grant.topics.empty());
  std::vector<std::string> pairs;
  const auto add = [&](std::string_view name, std::string_view value) {
    append(pairs.emplace_back(), name, value);
  };
  add("exp", std::to_string(grant.expires_at_s));
  if (!id.empty()) add("kid", id);
  if (!grant.subject.empty()) add("sub", grant.subject);
  for (const std::string& topic : grant.topics) add("topic", topic);
  for (const auto& [name, value] : grant.parameters) add(name, value);
  std::ranges::sort(pairs);
  std::string query;
  for (const std::string& pair : pairs) append(query, pair);
  std::array<unsigned char, 64> value{};
  const auto signature = key->hmac.sign(message_of(grant.method, grant.path, query), value);
  append(query, kSignature, base64url_encode(signature));
  return std::string(grant.path) + '?' + query;
}

std::expected<PrincipalPtr, Denial> UrlKeys::verify(std::string_view method, std::string_view path,
                                                    std::string_view query, std::int64_t now_s,
                                                    bool (*is_free)(std::string_view name)) const {
  const SignedQuery parts = take_apart(query, is_free);
  auto decoded = base64url_decode(parts.signature);
  const bool is_base64 = decoded.has_value();
  const Secret signature(std::move(decoded).value_or(""));
  const auto pairs = proto::Query::parse(parts.signed_part);
  if (parts.signatures != 1 || !is_base64 || !pairs) {
    return denied(DenialCause::malformed,
                  "the signed URL has no sig, or more than one, or is not "
                  "encoded as it must be");
  }
  const std::string_view id = pairs->first("kid").value_or("");
  const UrlKey* key = find(id);
  if (key == nullptr) {
    return denied(DenialCause::unknown_key,
                  id.empty() ? "the signed URL does not say which key has signed it (kid)"
                             : "kid " + shown(id) + " is no key for URLs of this hub");
  }
  if (!key->hmac.verify(message_of(method, path, parts.signed_part), signature.view())) {
    return denied(DenialCause::signature,
                  "the signed URL is good for one method, path and query, byte for byte, and this "
                  "is another; or it was signed with another key");
  }
  auto terms = read_terms(*pairs);
  if (!terms) return denied(DenialCause::malformed, std::move(terms.error()));
  if (now_s >= terms->expires_at_s) {
    return denied(DenialCause::expired,
                  "the signed URL expired " + span_words(now_s - terms->expires_at_s) + " ago");
  }
  return std::make_shared<const Principal>(Principal{.kind = CredentialKind::signed_url,
                                                     .subject = std::string(terms->subject),
                                                     .publish = terms->topics,
                                                     .subscribe = terms->topics,
                                                     .source = source_by(key->id, key->hmac),
                                                     .expires_at_s = terms->expires_at_s});
}

bool UrlKeys::has_source(std::uint64_t source) const {
  return std::ranges::any_of(
      keys_, [source](const UrlKey& key) { return source_by(key.id, key.hmac) == source; });
}

}  // namespace tocsin::net
