#include "net/outbound/back_end_words.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <simdjson.h>

#include "net/auth/denial.h"
#include "net/auth/principal.h"
#include "net/jose/secret.h"
#include "net/jose/strict_json.h"
#include "proto/assert.h"
#include "proto/json/json_text.h"
#include "proto/text/utf8.h"
#include "proto/text/wipe.h"
#include "proto/version.h"

namespace tocsin::net {
namespace {

using Call = OutboundMetrics::Call;
// What is wrong, for the log; nothing: it is right.
using Wrong = std::optional<std::string>;

constexpr std::int64_t kMaxExpiresInS = 10LL * 365 * 86'400;

void append_member(std::string& out, std::string_view name, std::string_view value) {
  out.append(",\"").append(name).append("\":");
  proto::append_json_string(out, value);
}

// Denied, and not for good: what is wrong is not the credential.
BackEndAnswer failed(std::string fault, Call outcome = Call::failed) {
  return {.who = std::unexpected(Denial{
              .cause = DenialCause::unavailable,
              .reason = "the back end that knows such credentials does not answer as it should"}),
          .outcome = outcome,
          .fault = std::move(fault)};
}

// What the back end says for people; empty: nothing.
std::string reason_of(const HttpResponse& response) {
  constexpr std::size_t kMost = 256;
  const std::string type = response.head.media_type();
  if (type == "text/plain") {
    const std::string_view body = response.body;
    return shown(body.substr(0, body.find_first_of("\r\n")), kMost);
  }
  const auto json = StrictJson::parse(response.body, "the answer");
  if (!json) return {};
  for (const std::string_view name : {"reason", "detail", "title"}) {
    std::string_view text;
    if (json->root().at_key(name).get(text) == simdjson::SUCCESS) return shown(text, kMost);
  }
  return {};
}

BackEndAnswer refused(const HttpResponse& response) {
  const bool unknown = response.head.status == 401;
  std::string reason = reason_of(response);
  if (reason.empty()) {
    reason = unknown ? "the back end does not know this credential"
                     : "the back end says that this credential may not do it";
  }
  return {.who = std::unexpected(
              Denial{.cause = unknown ? DenialCause::refused : DenialCause::insufficient_scope,
                     .reason = std::move(reason)}),
          .outcome = Call::refused};
}

Wrong read_selectors(std::string_view name, const simdjson::dom::element& value,
                     Selectors& selectors) {
  simdjson::dom::array list;
  if (value.get(list) != simdjson::SUCCESS) return fmt::format("{} is no list", name);
  for (const simdjson::dom::element item : list) {
    std::string_view text;
    if (item.get(text) != simdjson::SUCCESS) {
      return fmt::format("{} has something that is no text", name);
    }
    const auto added = selectors.add(SelectorForm::tocsin, text);
    if (!added) return fmt::format("{}: {}", name, added.error());
  }
  return std::nullopt;
}

Wrong read_subject(const simdjson::dom::element& value, std::string& subject) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS || text.size() > Principal::kMaxSubject ||
      proto::has_controls(text)) {
    return "subject is no text of at most 256 bytes without control characters";
  }
  subject = text;
  return std::nullopt;
}

// {subject, publish, subscribe, expires_in}, each of which may be left out.
Wrong read_principal(const simdjson::dom::object& said, std::int64_t now_s, Principal& principal,
                     bool& says_rights) {
  for (const auto& [name, value] : said) {
    Wrong fault;
    if (name == "subject") {
      fault = read_subject(value, principal.subject);
    } else if (name == "publish" || name == "subscribe") {
      says_rights = true;
      fault = read_selectors(name, value,
                             name == "publish" ? principal.publish : principal.subscribe);
    } else if (name == "expires_in") {
      std::int64_t time_s = 0;
      if (value.get(time_s) != simdjson::SUCCESS || time_s < 1 || time_s > kMaxExpiresInS) {
        fault = "expires_in is no number of seconds from 1 on";
      } else {
        principal.expires_at_s = now_s + time_s;
      }
    } else {
      fault = fmt::format("'{}' is not known", shown(name));
    }
    if (fault) return fault;
  }
  return std::nullopt;
}

// Why an answer without a body is no yes: it may have been cut off. Nothing: it is one, or it has a
// body.
Wrong nothing_fault(const HttpResponse& response) {
  const ResponseHead& head = response.head;
  if (!response.body.empty() || head.status == 204) return std::nullopt;
  // Without either the body ends with the connection (RFC 9112, 6.3).
  if (head.header("Content-Length").empty() && head.header("Transfer-Encoding").empty()) {
    return "it has neither a body nor a Content-Length, and may have been cut off; 204 says yes";
  }
  if (head.media_type().ends_with("json")) return "it is of JSON and has none; 204 says yes";
  return std::nullopt;
}

BackEndAnswer allowed(const HttpResponse& response, const AskedRight& asked, std::uint64_t source,
                      std::int64_t now_s) {
  Principal principal{.kind = CredentialKind::webhook, .source = source};
  bool says_rights = false;
  if (const Wrong fault = nothing_fault(response)) return failed("its answer: " + *fault);
  if (!response.body.empty()) {
    const auto json = StrictJson::parse(response.body, "its answer");
    if (!json) return failed(json.error());
    const Wrong fault = read_principal(json->root(), now_s, principal, says_rights);
    if (fault) return failed("its answer: " + *fault);
  }
  if (!says_rights) {
    Selectors& rights = asked.publish ? principal.publish : principal.subscribe;
    for (const std::string& topic : asked.topics) {
      const auto added = rights.add(SelectorForm::name, topic);
      TOCSIN_ASSERT(added.has_value());  // they are names, and not too many
    }
  }
  return {.who = std::make_shared<const Principal>(std::move(principal)),
          .outcome = Call::allowed};
}

}  // namespace

SecretRequest words_for(const BackEndQuestion& question, const std::string& target) {
  HttpRequest request{.method = "POST",
                      .target = target,
                      .headers = {{"Content-Type", "application/json"},
                                  {"Accept", "application/json"},
                                  {"User-Agent", "tocsin/" + std::string(version())}},
                      .body = {}};
  // Each value is written into its place: one that moved would leave short bytes behind.
  request.headers.reserve(request.headers.size() + question.fields.size());
  for (const auto& [name, value] : question.fields) {
    HeaderField& field = request.headers.emplace_back();
    field.name = name;
    field.value = value;
    TOCSIN_ASSERT(is_header_field(field));
  }
  std::string& body = request.body;
  body = "{\"action\":";
  proto::append_json_string(body, question.action);
  body += ",\"topics\":[";
  for (const std::string& topic : question.topics) {
    if (!body.ends_with('[')) body += ',';
    proto::append_json_string(body, topic);
  }
  body += ']';
  append_member(body, "method", question.method);
  append_member(body, "path", question.path);
  append_member(body, "address", question.address);
  body += '}';
  return SecretRequest(std::move(request));
}

Digest digest_of(const HttpRequest& request) {
  std::string all;
  const auto add = [&all](std::string_view part) {
    proto::append_wiping(all, std::to_string(part.size()) + ':');
    proto::append_wiping(all, part);
  };
  for (const HeaderField& field : request.headers) {
    add(field.name);
    add(field.value);
  }
  add(request.target);
  add(request.body);
  const Digest digest = sha256(all);
  Secret::wipe(all);
  return digest;
}

AskedRight right_of(const BackEndQuestion& question) {
  return {.publish = question.action == "publish", .topics = question.topics};
}

BackEndAnswer read_answer(const HttpResult& result, const AskedRight& asked, std::uint64_t source,
                          std::int64_t now_s) {
  if (!result) {
    return failed(result.error().message, result.error().kind == HttpError::Kind::timeout
                                              ? Call::timed_out
                                              : Call::failed);
  }
  const int status = result->head.status;
  if (status >= 200 && status < 300) return allowed(*result, asked, source, now_s);
  if (status == 401 || status == 403) return refused(*result);
  const bool redirects = status >= 300 && status < 400;
  return failed(fmt::format("its answer is {}{}", status,
                            redirects ? "; redirects are not followed" : ""));
}

}  // namespace tocsin::net
