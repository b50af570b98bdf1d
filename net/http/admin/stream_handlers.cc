#include "net/http/admin/stream_handlers.h"

#include <cstdint>
#include <expected>
#include <memory>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "net/http/admin/admin_body.h"
#include "net/http/query_parameters.h"
#include "proto/assert.h"
#include "proto/json/json_text.h"
#include "proto/limits.h"

namespace tocsin::net {
namespace {

using proto::InputError;

// A parameter that is checked by `fault_of`.
std::expected<std::optional<std::string>, InputError> checked(
    const proto::Query& query, std::string_view name, std::string (*fault_of)(std::string_view)) {
  auto value = single(query, name);
  if (!value || !*value) return value;
  std::string fault = fault_of(**value);
  if (fault.empty()) return value;
  return std::unexpected(InputError{.field = std::string(name), .message = std::move(fault)});
}

// Of a request for a page of streams or subjects.
struct StreamWish {
  PageWish page;
  StreamFilter filter;
};
std::expected<StreamWish, InputError> stream_wish(const RequestContext& context) {
  const auto query = known_query(context);
  if (!query) return std::unexpected(query.error());
  auto page = page_wish(*query);
  if (!page) return std::unexpected(page.error());
  auto topic = checked(*query, "topic", topic_fault);
  if (!topic) return std::unexpected(topic.error());
  auto subject = checked(*query, "subject", subject_fault);
  if (!subject) return std::unexpected(subject.error());
  return StreamWish{.page = *std::move(page),
                    .filter = {.subject = *std::move(subject), .topic = *std::move(topic)}};
}

AnswerObject row_of(const StreamFacts& stream) {
  AnswerArray topics;
  for (const std::string& topic : stream.topics) {
    std::string text;
    proto::append_json_string(text, topic);
    topics.add(text);
  }
  AnswerObject row;
  row.add("id", stream.id.text());
  if (!stream.subject.empty()) row.add("subject", stream.subject);
  if (stream.age_s) row.add("age_s", std::uint64_t{*stream.age_s});
  row.add_json("topics", topics.text());
  row.add("address", stream.address);
  row.add("position", proto::to_string(stream.position));
  row.add("behind_bytes", stream.behind_bytes);
  if (stream.behind_ms) row.add("behind_ms", *stream.behind_ms);
  return row;
}

}  // namespace

Outcome AsksShards::ask(const RequestContext& context, StreamQuestion question, Tell tell) {
  if (!StreamInquiry::begin(state_, context.ticket, std::move(question))) {
    return answers_.problem(context.request, 503, Rejection::exhausted,
                            "too many questions about streams have yet to be answered", context.out,
                            "Retry-After: 1\r\n");
  }
  return {.kind = Outcome::Kind::pending,
          .finish = [this, tell = std::move(tell)](const proto::Request& request, Letter&& letter,
                                                   std::string& out) mutable {
            AnswerObject body;
            tell(body, *std::get<std::shared_ptr<const StreamsFound>>(letter.value));
            answer_json(answers_, request, body, out);
          }};
}

std::optional<Outcome> StreamListHandler::handle(const RequestContext& context) {
  auto wish = stream_wish(context);
  if (!wish) return answers_.problem(context.request, wish.error(), context.out);
  StreamQuestion question{.kind = StreamQuestion::Kind::list,
                          .filter = std::move(wish->filter),
                          .limit = wish->page.limit};
  if (!wish->page.after.empty()) {
    question.after_stream = StreamId::parse(wish->page.after);
    if (!question.after_stream) {
      return answers_.problem(
          context.request,
          {.field = std::string(kAfterParameter), .message = "is not what a page's next was"},
          context.out);
    }
  }
  return ask(context, std::move(question), [](AnswerObject& body, const StreamsFound& found) {
    AnswerArray rows;
    for (const StreamFacts& stream : found.streams) rows.add(row_of(stream).text());
    body.add_json("streams", rows.text());
    if (found.more) body.add("next", found.streams.back().id.text());
  });
}

std::optional<Outcome> PresenceHandler::handle(const RequestContext& context) {
  auto wish = stream_wish(context);
  if (wish && !wish->filter.topic) {
    wish = std::unexpected(InputError{.field = "topic", .message = "is missing"});
  }
  if (!wish) return answers_.problem(context.request, wish.error(), context.out);
  std::string topic = *wish->filter.topic;
  return ask(context,
             {.kind = StreamQuestion::Kind::count,
              .filter = std::move(wish->filter),
              .limit = wish->page.limit,
              .after_subject = std::move(wish->page.after)},
             [topic = std::move(topic)](AnswerObject& body, const StreamsFound& found) {
               AnswerArray rows;
               for (const auto& [subject, streams] : found.subjects) {
                 AnswerObject row;
                 row.add("subject", subject);
                 row.add("streams", streams);
                 rows.add(row.text());
               }
               body.add("topic", topic);
               body.add("streams", found.matching);
               body.add("anonymous", found.anonymous);
               body.add_json("subjects", rows.text());
               if (found.more) body.add("next", found.subjects.rbegin()->first);
             });
}

namespace {

void tell_ended(AnswerObject& body, const StreamsFound& found) {
  body.add("streams", found.matching);
}

}  // namespace

std::optional<Outcome> DisconnectHandler::handle(const RequestContext& context) {
  constexpr auto kMembers = std::to_array<std::string_view>({"subject", "topic", "stream"});
  auto body = read_admin_body(context.request.body, kMembers);
  if (body && !body->subject && !body->topic && !body->stream) {
    body = std::unexpected(
        InputError{.field = "body", .message = "names no subject, topic or stream"});
  }
  if (!body) return answers_.problem(context.request, body.error(), context.out);
  StreamFilter filter{.subject = std::move(body->subject), .topic = std::move(body->topic)};
  if (body->stream) {
    filter.id = StreamId::parse(*body->stream);
    if (!filter.id) {
      return answers_.problem(context.request,
                              {.field = "stream", .message = "is not the id of a stream"},
                              context.out);
    }
  }
  return ask(context, {.kind = StreamQuestion::Kind::end, .filter = std::move(filter)},
             tell_ended);
}

// First refused, then ended: who comes in between is refused, and who came before is there to be
// ended.
std::optional<Outcome> RevokeHandler::handle(const RequestContext& context) {
  constexpr auto kMembers = std::to_array<std::string_view>({"subject", "until"});
  auto body = read_admin_body(context.request.body, kMembers);
  if (body && (!body->subject || !body->until)) {
    body = std::unexpected(
        InputError{.field = body->subject ? "until" : "subject", .message = "is missing"});
  }
  if (!body) return answers_.problem(context.request, body.error(), context.out);
  const std::int64_t now_s = clock_.unix_s();
  if (!state_.revocations.set(*body->subject, *body->until, now_s)) {
    return answers_.problem(
        context.request, 503, Rejection::exhausted,
        fmt::format("{} subjects are revoked, and no more can be", limits::kMaxRevocations),
        context.out);
  }
  if (*body->until <= now_s) {
    AnswerObject nothing;
    tell_ended(nothing, {});
    answer_json(answers_, context.request, nothing, context.out);
    return Outcome{};
  }
  return ask(context,
             {.kind = StreamQuestion::Kind::end,
              .filter = {.subject = std::move(body->subject)},
              .reason = core::RightLoss::revoked},
             tell_ended);
}

std::optional<Outcome> RevocationListHandler::handle(const RequestContext& context) {
  const auto query = known_query(context);
  if (!query) return answers_.problem(context.request, query.error(), context.out);
  const auto wish = page_wish(*query);
  if (!wish) return answers_.problem(context.request, wish.error(), context.out);
  auto found = revocations_.list(wish->after, wish->limit + 1, clock_.unix_s());
  const bool more = found.size() > wish->limit;
  if (more) found.pop_back();
  AnswerArray rows;
  for (const Revocations::Entry& entry : found) {
    AnswerObject row;
    row.add("subject", entry.subject);
    row.add("until", static_cast<std::uint64_t>(entry.until_s));
    rows.add(row.text());
  }
  AnswerObject page;
  page.add_json("revocations", rows.text());
  if (more) page.add("next", found.back().subject);
  answer_json(answers_, context.request, page, context.out);
  return Outcome{};
}

}  // namespace tocsin::net
