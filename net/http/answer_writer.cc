#include "net/http/answer_writer.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "net/base/jitter.h"
#include "net/state/pending_publishes.h"
#include "proto/http/framing.h"
#include "proto/http/http_response.h"
#include "proto/limits.h"
#include "proto/sse/sse_encode.h"
#include "proto/text/ascii.h"

namespace tocsin::net {
namespace {

using proto::Header;
using proto::Method;
using proto::Request;

constexpr std::string_view kProblem = "application/problem+json";

// What a preflight that asks for `asked` (Access-Control-Request-Headers) may be told: names for
// which a page needs leave here, and every other that it asks for: tracing agents add theirs to all
// requests. A page that may read the answers may as well send any. Not a wildcard, which does
// not cover Authorization (Fetch, 3.3.3) and means nothing to older browsers.
std::string allowed_headers(std::string_view asked) {
  constexpr std::array<std::string_view, 6> kAlways{"Authorization",   "Cache-Control",
                                                    "Content-Type",    "Idempotency-Key",
                                                    "Last-Event-ID",   "Publish-Id"};
  const std::string always = fmt::format("{}", fmt::join(kAlways, ", "));
  if (asked.size() > limits::kMaxPreflightNames) return always;
  std::string allowed = always;
  while (!asked.empty()) {
    const std::string_view element = asked.substr(0, asked.find(','));
    asked.remove_prefix(std::min(asked.size(), element.size() + 1));
    const std::string_view name = proto::trim(element);
    if (!proto::is_token(name)) return always;
    const bool known = name.empty() || std::ranges::any_of(kAlways, [&](std::string_view one) {
                         return proto::equals_ignoring_case(one, name);
                       });
    if (!known) allowed.append(", ").append(name);
  }
  return allowed;
}

// For people, of an answer 503.
std::string_view words_for(Rejection why) {
  switch (why) {
    case Rejection::connection_limit:
      return "the hub has as many streams as it is configured for";
    case Rejection::accept_rate:
      return "streams are being opened faster than the hub is configured for";
    case Rejection::topic_limit:
      return "the hub has as many topics as it may have";
    case Rejection::unavailable:
      return kUnavailable;
    case Rejection::request_memory:
      return "too many requests at once are unfinished";
    case Rejection::exhausted:
      return "the hub has no room for another connection";
    default:
      return "the hub is shutting down";
  }
}

// A limit on one client.
struct ClientLimitWords {
  Rejection why;
  std::string_view words;
  std::string_view option;
  std::string_view unit;  // of its value
};
constexpr auto kClientLimits = std::to_array<ClientLimitWords>({
    {Rejection::address_limit, "this address has as many connections as it may have",
     "max_per_address", ""},
    {Rejection::address_opens, "this address opens streams faster than it may",
     "open_rate_per_address", " a second"},
    {Rejection::address_publishes, "this address publishes more than it may",
     "publish_rate_per_address", " events a second"},
    {Rejection::address_bytes, "this address publishes more than it may",
     "publish_bytes_per_address", " bytes a second"},
    {Rejection::subject_limit, "this subject has as many streams as it may have",
     "max_per_subject", ""},
    {Rejection::subject_opens, "this subject opens streams faster than it may",
     "open_rate_per_subject", " a second"},
    {Rejection::subject_publishes, "this subject publishes more than it may",
     "publish_rate_per_subject", " events a second"},
    {Rejection::subject_bytes, "this subject publishes more than it may",
     "publish_bytes_per_subject", " bytes a second"},
});

// What an answer to who is refused for now says.
struct RefusalAnswer {
  int status;
  std::string body;
};
RefusalAnswer answer_of(const AdmissionRefusal& refusal) {
  const auto limit = std::ranges::find(kClientLimits, refusal.why, &ClientLimitWords::why);
  if (limit == kClientLimits.end()) {
    return {.status = 503, .body = proto::problem_json(503, words_for(refusal.why))};
  }
  const std::string detail = fmt::format("{} ({}: {}{})", limit->words, limit->option,
                                         refusal.limit, limit->unit);
  return {.status = 429,
          .body = proto::problem_json(
              429, detail, proto::LimitMembers{.limit = limit->option, .value = refusal.limit})};
}

// After how many seconds it may be worth to ask again, on average: most pass as soon as others
// leave, topics only when they are forgotten.
std::uint32_t retry_after_s(Rejection why) {
  return why == Rejection::topic_limit ? 30 : 5;
}

}  // namespace

AnswerWriter::AnswerWriter(std::string_view stream_headers, ShardMetrics& metrics,
                           std::uint64_t seed)
    : stream_headers_(stream_headers),
      metrics_(metrics),
      random_(static_cast<std::minstd_rand::result_type>(seed | 1)) {}

void AnswerWriter::adopt(const ServerOptions& options, const Access* access) {
  cors_ = Cors(options.cors_origins, access == nullptr || access->authority == nullptr);
  realm_ = access == nullptr ? std::string{} : access->realm;
}

void AnswerWriter::reply(const Request& request, int status, std::string_view content_type,
                    std::string_view body, std::string& out, std::string_view extra_headers) {
  proto::append_reply(out, {.status = status,
                            .content_type = content_type,
                            .body = body,
                            .date = date_.now(),
                            .cors = cors_.fields_for(request.header(Header::origin)),
                            .extra_headers = extra_headers,
                            .http_1_1 = request.http_1_1,
                            .keep_alive = request.keep_alive,
                            .head_only = request.method == Method::head});
}

Outcome AnswerWriter::problem(const Request& request, int status, Rejection why,
                         std::string_view detail, std::string& out,
                         std::string_view extra_headers) {
  metrics_.count(why);
  reply(request, status, kProblem, proto::problem_json(status, detail), out, extra_headers);
  return {};
}

Outcome AnswerWriter::problem(const Request& request, const proto::InputError& error,
                         std::string& out) {
  const int status = error.too_large ? 413 : 400;
  metrics_.count(error.too_large ? Rejection::body_too_large : Rejection::invalid);
  reply(request, status, kProblem, proto::problem_json(status, error), out);
  return {};
}

Outcome AnswerWriter::deny(const Request& request, const Denial& denial, std::string& out) {
  metrics_.count(denial.cause);
  const int status = status_of(denial.cause);
  reply(request, status, kProblem, proto::problem_json(status, denial.reason), out,
        denial.cause == DenialCause::unavailable
            ? retry_after({.why = Rejection::unavailable})
            : fmt::format("WWW-Authenticate: {}\r\n", challenge(denial, realm_)));
  return {};
}

void AnswerWriter::refuse(Request& request, int status, Rejection why, std::string_view detail,
                     std::string& out, std::string_view extra_headers) {
  request.keep_alive = false;
  (void)problem(request, status, why, detail, out, extra_headers);
}

void AnswerWriter::unavailable(const Request& request, const AdmissionRefusal& refusal,
                               std::string& out) {
  metrics_.count(refusal.why);
  const auto [status, body] = answer_of(refusal);
  reply(request, status, kProblem, body, out, retry_after(refusal));
}

Outcome AnswerWriter::too_many_topics(const Request& request, std::uint32_t most,
                                      std::string& out) {
  constexpr std::string_view kOption = "max_topics_per_stream";
  metrics_.count(Rejection::stream_topics);
  reply(request, 400, kProblem,
        proto::problem_json(400,
                            fmt::format("a stream has at most so many topics ({}: {})", kOption,
                                        most),
                            proto::LimitMembers{.limit = kOption, .value = most}),
        out);
  return {};
}

void AnswerWriter::conflict(const Request& request, int status, const proto::InputError& error,
                            std::uint64_t expected, std::string& out) {
  metrics_.count(Rejection::conflict);
  reply(request, status, kProblem, proto::problem_json(status, error, expected), out);
}

void AnswerWriter::unknown(const Request& request, std::string_view detail, std::string& out) {
  metrics_.count(Rejection::unknown);
  reply(request, 503, kProblem, proto::problem_json(503, detail, "unknown"), out);
}

void AnswerWriter::turn_away(const AdmissionRefusal& refusal, std::string& out) {
  const auto [status, body] = answer_of(refusal);
  proto::append_reply(out, {.status = status,
                            .content_type = kProblem,
                            .body = body,
                            .date = date_.now(),
                            .cors = cors_.fields_for({}),
                            .extra_headers = retry_after(refusal),
                            .keep_alive = false});
}

// Of a rate it is known when it has passed: not before that.
std::string AnswerWriter::retry_after(const AdmissionRefusal& refusal) {
  std::uint64_t after_s = jittered(retry_after_s(refusal.why), random_);
  if (refusal.wait_us > 0) {
    const std::uint64_t wait_s = (refusal.wait_us + 999'999) / 1'000'000;
    after_s = wait_s + random_() % (wait_s / 2 + 2);
  }
  return fmt::format("Retry-After: {}\r\n", after_s);
}

void AnswerWriter::preflight(const Request& request, std::string_view allowed, std::string& out) {
  reply(request, 204, {}, {}, out,
        fmt::format("Allow: {0}\r\n"
                    "Access-Control-Allow-Methods: {0}\r\n"
                    "Access-Control-Allow-Headers: {1}\r\n"
                    "Access-Control-Max-Age: 86400\r\n"
                    "Vary: Access-Control-Request-Headers\r\n",
                    allowed,
                    allowed_headers(request.header(Header::access_control_request_headers))));
}

void AnswerWriter::stream_head(const Request& request, const Outcome& stream, std::string& out) {
  proto::append_stream_head(out, stream.framing, date_.now(),
                            {cors_.fields_for(request.header(Header::origin)), stream_headers_,
                             stream.route ? stream.route->headers : std::string_view{}});
}

void AnswerWriter::come_back(const Request& request, const Outcome& stream, Rejection why,
                             std::uint32_t retry_ms, std::string& out) {
  metrics_.count(why);
  stream_head(request, stream, out);
  std::string greeting;
  proto::append_greeting(greeting, jittered(retry_ms, random_), {});
  proto::append_framed(out, stream.framing, greeting);
  if (stream.framing == proto::Framing::chunked) out += proto::kLastChunk;
}

}  // namespace tocsin::net
