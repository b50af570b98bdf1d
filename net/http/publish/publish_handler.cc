#include "net/http/publish/publish_handler.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "net/http/option_value.h"
#include "net/http/publish/publish_key.h"
#include "net/http/query_parameters.h"
#include "proto/assert.h"
#include "proto/http/http_response.h"
#include "proto/http/query.h"
#include "proto/json/json_text.h"
#include "proto/limits.h"
#include "proto/text/number.h"

namespace tocsin::net {
namespace {

using proto::InputError;

// As text reads it: the message is trimmed of these.
constexpr std::string_view kSpace = " \t\r\n\f\v";

bool is_blank(std::string_view text) {
  return text.find_first_not_of(kSpace) == std::string_view::npos;
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
  const auto value = proto::read_number<std::uint32_t>(text);
  return value && *value <= limits::kMaxRetryMs ? value : std::nullopt;
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
    const auto flag = parse_query_flag(envelope->value);
    if (!flag) taker.fail("envelope", flag.error());
    result.event.envelope = flag.value_or(false);
  }
  return result;
}

}  // namespace

std::optional<Outcome> PublishHandler::handle(const RequestContext& context) {
  const proto::Request& request = context.request;
  const bool get = request.method == proto::Method::get;
  if (get && !context.options.get_publish) {
    return answers_.problem(request, 403, Rejection::forbidden,
                            "publishing by GET is switched off; use POST", context.out);
  }
  if (const auto refused = refuse_client(context)) {
    answers_.unavailable(request, *refused, context.out);
    return Outcome{};
  }
  const auto query = known_query(context);
  if (!query) return answers_.problem(request, query.error(), context.out);
  Defaults defaults = defaults_of(*query);
  if (defaults.error) return answers_.problem(request, *defaults.error, context.out);

  auto form = proto::body_form(request.header(proto::Header::content_type));
  // GET /publish?msg=, or a POST of that form: the message in the query, where the body has none.
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
      return answers_.problem(
          request, {.field = "body", .message = "is empty: text or msg required"}, context.out);
    }
  }
  const auto events =
      reader_.read(in_query ? message : request.body, form, defaults.event, defaults.names);
  if (!events) return answers_.problem(request, events.error(), context.out);
  // Who resumes behind an id that two events have would get one of them again.
  if (!defaults.event.id.empty() && (*events)->size() > 1) {
    return answers_.problem(
        request, {.field = "id", .message = "in a batch each event names its own"}, context.out);
  }
  if (const auto denial = deny_topics(context, **events)) {
    return answers_.deny(request, *denial, context.out);
  }
  if (context.client != ClientKeys{} && (*events)->size() > 1) {
    state_.admission.count_publish(context.options, context.client, (*events)->size() - 1, 0,
                                   context.received_us);
  }
  return publish(context, **events, form);
}

// Each topic is asked about once, where more could take long: most batches are of one.
std::optional<Denial> PublishHandler::deny_topics(const RequestContext& context,
                                                  const std::vector<proto::EventView>& events) {
  topics_.clear();
  for (const proto::EventView& event : events) {
    if (topics_.empty() || topics_.back() != event.topic) topics_.push_back(event.topic);
  }
  if (topics_.size() > 1 && context.principal->publish.has_patterns()) {
    std::ranges::sort(topics_);
    topics_.erase(std::ranges::unique(topics_).begin(), topics_.end());
  }
  std::size_t steps = 0;
  for (const std::string_view topic : topics_) {
    if (auto denial = deny(context, Right::publish, topic, steps)) {
      state_.hub.with([&](core::Hub& hub) { hub.count_refusal(topic); });
      return denial;
    }
  }
  return std::nullopt;
}

// Counts the request, whatever comes of it, as one event; those of a batch follow once they are
// known.
std::optional<AdmissionRefusal> PublishHandler::refuse_client(const RequestContext& context) {
  if (context.client == ClientKeys{}) return std::nullopt;
  const proto::Request& request = context.request;
  Admission& admission = state_.admission;
  auto refused = admission.refuse_publish(context.options, context.client, context.received_us);
  if (!refused) {
    admission.count_publish(context.options, context.client, 1,
                            request.body.size() + request.query().size(), context.received_us);
  }
  return refused;
}

Outcome PublishHandler::publish(const RequestContext& context,
                                const std::vector<proto::EventView>& events, proto::BodyForm form) {
  Said said{.form = form,
            .events = events.size(),
            .first_id = events.front().id,
            .last_id = events.back().id,
            .key = {}};
  if (has_publish_key(context.request)) {
    const auto key = publish_key(context.request, *context.principal, events);
    if (!key) return answers_.problem(context.request, key.error(), context.out);
    said.key = *key;
  }
  return publish(context, events, said);
}

Outcome PublishHandler::publish(const RequestContext& context,
                                const std::vector<proto::EventView>& events, const Said& said) {
  const PublishResult result = publisher_.publish(state_.hub, events, context.received_us,
                                                  said.key ? &*said.key : nullptr);
  if (!result && result.error().reason == PublishFailure::Reason::busy) return wait(context, said);
  if (result && result->pending()) return ask(context, said, result->ticket());
  if (result) metrics_.count_published(said.events, result->repeated);
  answer(context.request, said, result, context.out);
  return {};
}

// The shards have to catch up first.
Outcome PublishHandler::wait(const RequestContext& context, const Said& said) {
  if (!publisher_.wait(state_.hub, &state_.request_memory, letter_for(context.ticket), said.key)) {
    answers_.unavailable(context.request, Rejection::request_memory, context.out);
    return {};
  }
  metrics_.publish_waits.add();
  return pending(said);
}

// The store has it, and answers later.
Outcome PublishHandler::ask(const RequestContext& context, const Said& said, core::Ticket ticket) {
  state_.hub.ask(ticket, letter_for(context.ticket));
  return pending(said);
}

PublishDone PublishHandler::letter_for(const RequestTicket& ticket) {
  return [&state = state_, ticket](PublishResult&& result) {
    state.post({.ticket = ticket, .value = std::move(result)});
  };
}

Outcome PublishHandler::pending(const Said& said) {
  return {.kind = Outcome::Kind::pending,
          .finish = [this, form = said.form, events = said.events,
                     first = std::string(said.first_id), last = std::string(said.last_id),
                     key = said.key](const proto::Request& request, Letter&& letter,
                                     std::string& out) {
            answer(request,
                   {.form = form, .events = events, .first_id = first, .last_id = last, .key = key},
                   std::get<PublishResult>(letter.value), out);
          }};
}

void PublishHandler::answer(const proto::Request& request, const Said& said,
                            const PublishResult& result, std::string& out) {
  if (result) {
    answer_published(request, said, *result, out);
    return;
  }
  PublishFailure failure = result.error();
  switch (failure.reason) {
    case PublishFailure::Reason::invalid:
      // NDJSON has lines, even one.
      if (said.form == proto::BodyForm::ndjson && said.events == 1) failure.error.line = 1;
      (void)answers_.problem(request, failure.error, out);
      return;
    case PublishFailure::Reason::no_topic:
      (void)answers_.problem(request, 404, Rejection::not_found, failure.error.message, out);
      return;
    case PublishFailure::Reason::topic_limit:
      answers_.unavailable(request, Rejection::topic_limit, out);
      return;
    case PublishFailure::Reason::unavailable:
      answers_.unavailable(request, Rejection::unavailable, out);
      return;
    case PublishFailure::Reason::unknown:
      answers_.unknown(request, failure.error.message, out);
      return;
    case PublishFailure::Reason::differs:
    case PublishFailure::Reason::hole:
    case PublishFailure::Reason::forgotten:
      refuse_key(request, said, std::move(failure), out);
      return;
    case PublishFailure::Reason::busy:
    case PublishFailure::Reason::closed:
      answers_.unavailable(request, Rejection::draining, out);
      return;
  }
}

void PublishHandler::refuse_key(const proto::Request& request, const Said& said,
                                PublishFailure&& failure, std::string& out) {
  TOCSIN_ASSERT(said.key);
  failure.error.field = key_field(*said.key);
  const int status = failure.reason == PublishFailure::Reason::differs ? 422 : 409;
  answers_.conflict(request, status, failure.error, failure.expected, out);
}

void PublishHandler::answer_published(const proto::Request& request, const Said& said,
                                      const core::Published& published, std::string& out) {
  const std::string first = receipt_id(said.first_id, {published.epoch, published.first});
  if (said.form == proto::BodyForm::text) {
    fields_.assign("Event-ID: ").append(first);
    fields_.append("\r\nAccess-Control-Expose-Headers: Event-ID\r\n");
    answers_.reply(request, 204, {}, {}, out, fields_);
    return;
  }
  std::string body = fmt::format("{{\"published\":{},\"first_id\":", said.events);
  proto::append_json_string(body, first);
  body += ",\"last_id\":";
  proto::append_json_string(body, receipt_id(said.last_id, {published.epoch, published.last}));
  body += "}\n";
  answers_.reply(request, 200, "application/json", body, out);
}

}  // namespace tocsin::net
