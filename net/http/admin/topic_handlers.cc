#include "net/http/admin/topic_handlers.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/hub.h"
#include "net/http/endpoint_table.h"
#include "net/http/query_parameters.h"
#include "proto/assert.h"
#include "proto/limits.h"
#include "proto/sse/event.h"
#include "proto/text/number.h"
#include "proto/text/percent.h"

namespace tocsin::net {
namespace {

using Facts = core::Hub::TopicFacts;

// Topics that are looked at while the hub's lock is held: each a cache miss or three, some ten
// microseconds together.
constexpr std::size_t kSlice = 64;

AnswerObject row_of(const Facts& topic) {
  AnswerObject row;
  row.add("name", topic.name);
  row.add("namespace", topic.space);
  row.add("events", topic.events);
  row.add("bytes", topic.bytes);
  row.add("subscribers", std::uint64_t{topic.readers});
  return row;
}

}  // namespace

std::optional<Outcome> TopicListHandler::handle(const RequestContext& context) {
  const auto query = known_query(context);
  if (!query) return answers_.problem(context.request, query.error(), context.out);
  const auto wish = page_wish(*query);
  if (!wish) return answers_.problem(context.request, wish.error(), context.out);
  std::size_t below = SIZE_MAX;
  if (!wish->after.empty()) {
    const auto place = proto::read_number<std::uint64_t>(wish->after);
    if (!place) {
      return answers_.problem(
          context.request,
          {.field = std::string(kAfterParameter), .message = "is not what a page's next was"},
          context.out);
    }
    below = *place;
  }
  AnswerArray rows;
  std::vector<Facts> found;
  std::size_t looked = 0;
  // A page may be short of entries: it is bounded by what was looked at, and by its bytes.
  while (below > 0 && looked < wish->limit && rows.bytes() < limits::kMaxAdminPage) {
    const std::size_t most = std::min(kSlice, wish->limit - looked);
    found.clear();
    below = hub_.with([&](const core::Hub& hub) { return hub.list_topics(below, most, found); });
    looked += most;
    for (const Facts& topic : found) rows.add(row_of(topic).text());
  }
  AnswerObject page;
  page.add_json("topics", rows.text());
  if (below > 0) page.add("next", std::to_string(below));
  answer_json(answers_, context.request, page, context.out);
  return Outcome{};
}

std::optional<Outcome> TopicHandler::handle(const RequestContext& context) {
  const proto::Request& request = context.request;
  std::string_view rest = request.path();
  TOCSIN_ASSERT(rest.starts_with(context.endpoint.path));
  rest.remove_prefix(context.endpoint.path.size());
  const auto name = proto::percent_decode(rest);
  if (!name || !proto::is_topic_name(*name)) {
    return answers_.problem(
        request, {.field = "path", .message = "has no name of a topic behind /admin/topics/"},
        context.out);
  }
  const auto missing = [&] {
    return answers_.problem(request, 404, Rejection::not_found, "no such topic", context.out);
  };
  if (request.method == proto::Method::del) {
    const auto wake = hub_.with([&](core::Hub& hub) { return hub.remove(*name); });
    if (!wake) return missing();
    hub_.wake(*wake);
    answers_.reply(request, 204, {}, {}, context.out);
    return Outcome{};
  }
  const auto facts = hub_.with([&](const core::Hub& hub) { return hub.facts_of(*name); });
  if (!facts) return missing();
  answer_json(answers_, request, row_of(*facts), context.out);
  return Outcome{};
}

}  // namespace tocsin::net
