// POST /publish and GET /publish?msg=: read, encode once, append, answer.
#include <charconv>

#include <fmt/format.h>

#include "net/request_handler.h"
#include "proto/ascii.h"

namespace tocsin::net {
namespace {

using proto::InputError;

// The query's part of an event: what the body does not say itself.
struct Defaults {
  proto::EventView event;
  std::optional<std::string_view> message;  // msg=
  std::optional<InputError> error;
};

// The value of a parameter under either of its names. An event has one of each: two are an error,
// and not one that is silently dropped.
std::optional<std::string_view> take_one(const proto::Query& query, std::string_view field,
                                         std::string_view name, std::string_view other,
                                         std::optional<InputError>& error) {
  std::optional<std::string_view> found;
  for (const auto& [key, value] : query.pairs()) {
    if (key != name && key != other) continue;
    if (found && !error)
      error = InputError{.field = std::string(field), .message = "is given twice"};
    found = value;
  }
  return found;
}

Defaults defaults_of(const proto::Query& query) {
  Defaults result;
  const auto take = [&](std::string_view field, std::string_view name, std::string_view other) {
    return take_one(query, field, name, other, result.error);
  };
  const auto topic = take("topic", "stream", "topic");
  // Who names a topic means one: not the default.
  if (topic && topic->empty()) result.error = InputError{.field = "topic", .message = "is empty"};
  result.event.topic = topic.value_or(proto::kDefaultTopic);
  result.event.type = take("type", "type", "event").value_or(std::string_view{});
  result.event.id = take("id", "id", "id").value_or(std::string_view{});
  result.message = take("msg", "msg", "msg");
  if (const auto retry = take("retry", "retry", "retry")) {
    std::uint32_t value = 0;
    const char* end = retry->data() + retry->size();
    const auto [rest, error] = std::from_chars(retry->data(), end, value);
    if (error != std::errc{} || rest != end || value > limits::kMaxRetryMs) {
      result.error =
          InputError{.field = "retry",
                     .message = fmt::format("must be digits, at most {} ms", limits::kMaxRetryMs)};
    }
    result.event.retry_ms = value;
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
  const auto query = parse_query(request, out);
  if (!query) return {};
  Defaults defaults = defaults_of(*query);
  if (defaults.error) return problem(request, *defaults.error, out);

  auto form = proto::body_form(request.header(proto::Header::content_type));
  auto events = reader_.read(request.body, form, defaults.event);
  if (!events && (request.body.empty() || form == proto::BodyForm::text)) {
    // The seeds' form: the message in the query, where the body has none.
    const auto& message = defaults.message;
    if (message && request.body.find_first_not_of(" \t\r\n") == std::string::npos) {
      std::string padded{*message};
      padded.reserve(padded.size() + 64);
      form = proto::BodyForm::text;
      events = reader_.read(padded, form, defaults.event);
      if (!events) return problem(request, events.error(), out);
      return publish_events(request, **events, form, received_us, out);
    }
  }
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
      return problem(request, 503, Rejection::topic_limit, failure.error.message, out,
                     "Retry-After: 30\r\n");
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
  const proto::Epoch epoch = state_.hub.epoch();
  const auto id_of = [epoch](const proto::EventView& event, core::Sequence sequence) {
    return event.id.empty() ? proto::to_string({epoch, sequence}) : std::string{event.id};
  };
  const std::string first = id_of(events.front(), published.first);
  if (form == proto::BodyForm::text) {
    reply(request, 204, {}, {}, out,
          fmt::format("Event-ID: {}\r\nAccess-Control-Expose-Headers: Event-ID\r\n",
                      proto::percent_encode_field(first)));
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
