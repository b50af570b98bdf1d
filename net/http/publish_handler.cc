// POST /publish and GET /publish?msg=: read, encode once, append, answer.
#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "net/http/request_handler.h"
#include "proto/ascii.h"
#include "proto/wire_id.h"

namespace tocsin::net {
namespace {

using proto::InputError;

// As text reads it: the message is trimmed of these.
constexpr std::string_view kSpace = " \t\r\n\f\v";

bool is_blank(std::string_view text) {
  return text.find_first_not_of(kSpace) == std::string_view::npos;
}

// The charset of a Content-Type; empty: none is named.
std::string_view charset_of(std::string_view type) {
  while (!type.empty()) {
    type.remove_prefix(std::min(type.find(';'), type.size() - 1) + 1);
    const std::string_view parameter = proto::trim(type.substr(0, type.find(';')));
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    if (!proto::equals_ignoring_case(parameter.substr(0, equals), "charset")) continue;
    std::string_view value = parameter.substr(std::min(equals + 1, parameter.size()));
    if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"')) {
      value = value.substr(1, value.size() - 2);
    }
    return value;
  }
  return {};
}

bool is_utf8_charset(std::string_view charset) {
  return std::ranges::any_of(std::array<std::string_view, 4>{"utf-8", "utf8", "us-ascii", "ascii"},
                             [charset](std::string_view known) {
                               return proto::equals_ignoring_case(charset, known);
                             });
}

// The query's part of an event: what the body does not say itself.
struct Defaults {
  proto::EventView event;
  proto::MemberNames names;                 // as the query has them
  std::optional<std::string_view> message;  // msg=
  std::optional<InputError> error;          // the first
};

// Takes the parameters out of a query. An event has one of each: two are an error, and not one that
// is silently dropped.
class Taker {
 public:
  struct Given {
    std::string_view name;
    std::string_view value;
  };

  Taker(const proto::Query& query, std::optional<InputError>& error)
      : query_(query), error_(error) {}

  // The parameter, under either of its names.
  std::optional<Given> take(std::string_view name, std::string_view other = {}) {
    std::optional<Given> found;
    for (const auto& [key, value] : query_.pairs()) {
      if (key != name && (other.empty() || key != other)) continue;
      if (found) fail(proto::given_twice(key, found->name));
      found = {.name = key, .value = value};
    }
    return found;
  }
  void fail(InputError error) {
    if (!error_) error_ = std::move(error);
  }
  void fail(std::string_view name, std::string message) {
    fail({.field = std::string(name), .message = std::move(message)});
  }

 private:
  const proto::Query& query_;
  std::optional<InputError>& error_;
};

std::optional<std::uint32_t> retry_of(std::string_view text) {
  std::uint32_t value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || rest != end || value > limits::kMaxRetryMs) return std::nullopt;
  return value;
}

Defaults defaults_of(const proto::Query& query) {
  Defaults result;
  Taker taker(query, result.error);
  result.event.topic = proto::kDefaultTopic;
  if (const auto topic = taker.take("stream", "topic")) {
    // Who names a topic means one: not the default.
    if (topic->value.empty()) taker.fail(topic->name, "is empty");
    result.names.topic = topic->name;
    result.event.topic = topic->value;
  }
  if (const auto type = taker.take("type", "event")) {
    result.names.type = type->name;
    result.event.type = type->value;
  }
  if (const auto id = taker.take("id")) result.event.id = id->value;
  if (const auto message = taker.take("msg")) result.message = message->value;
  if (const auto retry = taker.take("retry")) {
    result.event.retry_ms = retry_of(retry->value);
    if (!result.event.retry_ms) {
      taker.fail("retry", fmt::format("must be digits, at most {} ms", limits::kMaxRetryMs));
    }
  }
  if (const auto envelope = taker.take("envelope")) {
    result.event.envelope = envelope->value == "true";
    if (envelope->value != "true" && envelope->value != "false") {
      taker.fail("envelope", "must be true or false");
    }
  }
  return result;
}

}  // namespace

bool RequestHandler::refuse_unreadable(const proto::Request& request,
                                       const proto::Request& answered, std::string& out) {
  if (!request.has_body) return false;
  // As text it would be an event of boundaries and the heads of parts.
  constexpr std::string_view kMultipart = "multipart/";
  const std::string_view type = request.header(proto::Header::content_type);
  if (proto::equals_ignoring_case(type.substr(0, kMultipart.size()), kMultipart)) {
    (void)problem(answered, 415, Rejection::invalid,
                  "the body is the event's text, or JSON; no form in parts", out);
    return true;
  }
  const std::string_view charset = charset_of(type);
  if (!charset.empty() && !is_utf8_charset(charset)) {
    (void)problem(answered, 415, Rejection::invalid,
                  "the body must be UTF-8, and its Content-Type names another charset", out);
    return true;
  }
  const std::string_view coding = request.header(proto::Header::content_encoding);
  // RFC 9110, 8.4: identity is no encoding, though some say so.
  if (coding.empty() || proto::equals_ignoring_case(coding, "identity")) return false;
  (void)problem(answered, 415, Rejection::invalid,
                "the body is read as it is sent; leave out Content-Encoding", out,
                "Accept-Encoding: identity\r\n");
  return true;
}

Outcome RequestHandler::publish(const proto::Request& request, const ServerOptions& options,
                                std::uint64_t received_us, std::string& out) {
  const bool get = request.method == proto::Method::get;
  if (get && !options.get_publish) {
    return problem(request, 403, Rejection::forbidden,
                   "publishing by GET is switched off; use POST", out);
  }
  const bool catching_up = state_.hub.with([](const core::Hub& hub) { return hub.overloaded(); });
  if (catching_up) return {.kind = Outcome::Kind::busy};
  if (refuse_unreadable(request, request, out)) return {};
  const auto query = own_query(request, options, out);
  if (!query) return {};
  Defaults defaults = defaults_of(*query);
  if (defaults.error) return problem(request, *defaults.error, out);

  auto form = proto::body_form(request.header(proto::Header::content_type));
  // The seeds' form: the message in the query, where the body has none.
  const bool none =
      request.body.empty() || (form == proto::BodyForm::text && is_blank(request.body));
  const bool in_query = none && (get || defaults.message);
  std::string message;
  if (in_query) {
    form = proto::BodyForm::text;
    message = defaults.message.value_or(std::string_view{});
    message.reserve(message.size() + 64);
  }
  if (form == proto::BodyForm::text) {
    defaults.names.data = in_query ? "msg" : "body";
    if (none && !in_query) {
      return problem(request, {.field = "body", .message = "is empty: text or msg required"}, out);
    }
  }
  const auto events =
      reader_.read(in_query ? message : request.body, form, defaults.event, defaults.names);
  if (!events) return problem(request, events.error(), out);
  // Who resumes behind an id that two events have would get one of them again.
  if (!defaults.event.id.empty() && (*events)->size() > 1) {
    return problem(request, {.field = "id", .message = "in a batch each event names its own"}, out);
  }
  return publish_events(request, **events, form, received_us, out);
}

Outcome RequestHandler::publish_events(const proto::Request& request,
                                       const std::vector<proto::EventView>& events,
                                       proto::BodyForm form, std::uint64_t received_us,
                                       std::string& out) {
  const auto published = publisher_.publish(state_.hub, events, received_us);
  if (published) {
    metrics_.events_published.add(events.size());
    metrics_.batches_published.add();
    reply_published(request, events, form, *published, out);
    return {};
  }
  PublishFailure failure = published.error();
  switch (failure.reason) {
    case PublishFailure::Reason::invalid:
      // NDJSON has lines, even one.
      if (form == proto::BodyForm::ndjson && events.size() == 1) failure.error.line = 1;
      return problem(request, failure.error, out);
    case PublishFailure::Reason::no_topic:
      return problem(request, 404, Rejection::not_found, failure.error.message, out);
    case PublishFailure::Reason::topic_limit:
      unavailable(request, Rejection::topic_limit, out);
      return {};
    case PublishFailure::Reason::busy:
    case PublishFailure::Reason::closed:
      break;
  }
  return {.kind = Outcome::Kind::busy};
}

void RequestHandler::reply_published(const proto::Request& request,
                                     const std::vector<proto::EventView>& events,
                                     proto::BodyForm form, const core::Published& published,
                                     std::string& out) {
  const auto id_of = [&](const proto::EventView& event, core::Sequence sequence) {
    return event.id.empty() ? proto::to_string({published.epoch, sequence})
                            : proto::wire_id(event.id);
  };
  const std::string first = id_of(events.front(), published.first);
  if (form == proto::BodyForm::text) {
    reply(request, 204, {}, {}, out,
          fmt::format("Event-ID: {}\r\nAccess-Control-Expose-Headers: Event-ID\r\n", first));
    return;
  }
  std::string body = fmt::format("{{\"published\":{},\"first_id\":", events.size());
  proto::append_json_string(body, first);
  body += ",\"last_id\":";
  proto::append_json_string(body, id_of(events.back(), published.last));
  body += "}\n";
  reply(request, 200, "application/json", body, out);
}

}  // namespace tocsin::net
