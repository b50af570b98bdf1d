#include <algorithm>
#include <optional>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <simdjson.h>

#include "net/auth/claims.h"
#include "net/jose/jws.h"
#include "net/jose/strict_json.h"
#include "tools/credentials/token_command.h"

namespace tocsin::tools {
namespace {

// JSON of somebody else's for a terminal.
std::string printable(std::string text) {
  constexpr std::size_t kMost = 200;
  std::ranges::replace_if(text, [](char c) { return c < ' ' || c > '~'; }, '?');
  if (text.size() > kMost) text.replace(kMost, text.npos, "...");
  return text;
}

std::string time_words(std::int64_t time_s, std::int64_t now_s) {
  // A year that a calendar of four digits has.
  const bool is_date = time_s >= 0 && time_s < 253'402'300'800;
  const std::string date =
      is_date ? fmt::format("{:%Y-%m-%dT%H:%M:%SZ}, ", fmt::gmtime(time_s)) : "";
  return time_s > now_s ? date + "in " + net::span_words(time_s - now_s)
                        : date + net::span_words(now_s - time_s) + " ago";
}

std::string line(std::string_view name, std::string_view words) {
  return fmt::format("  {:<10} {}\n", net::shown(name, 32), words);
}

// What the hub has to say of one claim; empty: nothing.
std::string remark(std::string_view name, const net::Claims& claims, const AuthConfiguration* auth,
                   const std::string& issuer, std::int64_t now_s) {
  if (name == "exp" && claims.expires_at_s) return time_words(*claims.expires_at_s, now_s);
  if (name == "nbf" && claims.not_before_s) return time_words(*claims.not_before_s, now_s);
  if (name == "iat" && claims.issued_at_s) return time_words(*claims.issued_at_s, now_s);
  if (name == "iss" && auth != nullptr) {
    const auto& known = auth->issuers;
    if (std::ranges::find(known, issuer) != known.end()) return "an issuer of this hub";
    const bool takes_any = std::ranges::find(known, "") != known.end();
    return takes_any ? "of the issuer without a name" : "no issuer of this hub";
  }
  return {};
}

std::string rights(const net::Selectors& publish, const net::Selectors& subscribe) {
  return line("publishes", publish.words()) + line("reads", subscribe.words());
}

std::string claims_of(const net::StrictJson& payload, const AuthConfiguration* auth,
                      std::int64_t now_s) {
  const auto claims = net::read_claims(payload);
  const auto issuer = net::issuer_of(payload);
  std::string text = "payload\n";
  for (const auto& [name, value] : payload.root()) {
    std::string words = printable(simdjson::to_string(value));
    if (claims && issuer) {
      const std::string more = remark(name, *claims, auth, *issuer, now_s);
      if (!more.empty()) words += "  (" + more + ")";
    }
    text += line(name, words);
  }
  if (claims) text += "rights\n" + rights(claims->publish, claims->subscribe);
  return text;
}

// Header and payload; nothing of them is verified. The error says what is wrong with their form.
std::expected<std::string, std::string> content_of(std::string_view token,
                                                   const AuthConfiguration* auth,
                                                   std::int64_t now_s) {
  const auto jws = net::parse_jws(token);
  if (!jws) return std::unexpected(jws.error());
  std::string text = "header\n" + line("alg", net::name_of(jws->algorithm));
  text += line("kid", jws->key_id.empty() ? "none" : jws->key_id);
  const auto payload = net::StrictJson::parse(jws->payload, "the token's payload");
  if (!payload) return std::unexpected(payload.error());
  text += claims_of(*payload, auth, now_s);
  if (const auto claims = net::read_claims(*payload); !claims) {
    return std::unexpected(claims.error().reason);
  }
  return text;
}

// What the hub asks others of a token that it does not take; empty: nothing.
std::string others_say(std::string_view token, const AuthConfiguration& auth) {
  const net::TokenOrigin origin = auth.access->authority->origin_of(token);
  for (const net::KeySettings& source : auth.plan->key_sources) {
    if (source.name() != origin.key_source) continue;
    return fmt::format("unless it has fetched the key from {}; --fetch does that here\n",
                       source.server.shown_url());
  }
  if (origin.is_known || net::is_access_key(token) || !auth.plan->back_end) return {};
  return fmt::format("unless the webhook {} takes it, which is not asked here\n",
                     auth.plan->back_end->server.shown_url());
}

// What a namespace makes of a right, as far as that is the same for all of its topics.
std::string_view words_for(const std::optional<net::TopicAccess>& access) {
  switch (access.value_or(net::TopicAccess::token)) {
    case net::TopicAccess::open:
      return "everybody";
    case net::TopicAccess::nobody:
      return "nobody";
    case net::TopicAccess::token:
      break;
  }
  return "as its rights say";
}

std::string verdict(const net::ServerOptions& options, const net::Principal& who,
                    std::string_view topic, net::Right right) {
  const auto denial = net::deny(options, right, who, topic);
  return denial ? fmt::format("no ({})", denial->reason) : "yes";
}

// What comes of the rights with the hub's [[topics]], and for the topics that are asked for.
std::string topics_of(const net::Principal& who, const TopicQuestion& question) {
  if (question.options == nullptr) return {};
  std::string text;
  const auto& namespaces = question.options->namespaces;
  if (!namespaces.empty()) text += "topics, of which the first that matches counts\n";
  for (const net::TopicNamespace& space : namespaces) {
    text += line(space.match, fmt::format("publishes: {}; reads: {}", words_for(space.publish),
                                          words_for(space.subscribe)));
  }
  if (!question.topics.empty()) text += "asked for\n";
  for (const std::string& topic : question.topics) {
    text += line(topic, fmt::format("publishes: {}; reads: {}",
                                    verdict(*question.options, who, topic, net::Right::publish),
                                    verdict(*question.options, who, topic,
                                            net::Right::subscribe)));
  }
  return text;
}

}  // namespace

Explanation explain_token(std::string_view token, const AuthConfiguration* auth,
                          std::int64_t now_s, const TopicQuestion& question) {
  Explanation result;
  std::string fault;  // of the token's form
  const bool is_key = net::is_access_key(token);
  if (is_key) {
    result.text = "an access key\n";
  } else {
    auto content = content_of(token, auth, now_s);
    result.is_good = content.has_value();
    if (!content) fault = content.error();
    result.text = content ? *content : fmt::format("no good token: {}\n", fault);
  }
  if (auth == nullptr) {
    if (result.is_good) {
      result.text +=
          "whether a hub takes it was not looked at: that needs a configuration with [auth]\n";
    }
    return result;
  }
  const net::Authority& authority = *auth->access->authority;
  const auto known = authority.check(token, now_s);
  result.is_good = known.has_value();
  if (!known) {
    const net::Denial& denial = known.error();
    if (denial.reason == fault) result.text.clear();  // the hub says it, too
    result.text += fmt::format("the hub answers {}: {}\n", net::status_of(denial.cause),
                               denial.reason);
    result.text += others_say(token, *auth);
    return result;
  }
  const net::Principal& who = **known;
  if (is_key) result.text += rights(who.publish, who.subscribe);
  result.text += topics_of(who, question);
  result.text += fmt::format(
      "the hub takes it{}{}\n", who.subject.empty() ? "" : " as " + net::shown(who.subject),
      who.expires_at_s ? ", until " + time_words(*who.expires_at_s, now_s) : "");
  return result;
}

}  // namespace tocsin::tools
