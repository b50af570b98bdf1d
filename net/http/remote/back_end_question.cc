#include "net/http/remote/back_end_question.h"

#include <string_view>
#include <utility>

#include "net/http/query_parameters.h"
#include "proto/assert.h"
#include "proto/limits.h"
#include "proto/sse/event.h"
#include "proto/text/ascii.h"

namespace tocsin::net {
namespace {

using proto::Header;
using proto::Method;
using proto::Request;

std::string_view action_of(Needs needs) {
  switch (needs) {
    case Needs::subscribe:
      return "subscribe";
    case Needs::publish:
      return "publish";
    case Needs::nothing:
    case Needs::anybody:
    case Needs::metrics:
    case Needs::admin:
      break;
  }
  return "request";
}

// Whether topics may stand in the body, which nobody has seen yet.
bool may_name_them_later(const Request& request, Needs needs) {
  return needs == Needs::publish && request.has_body &&
         proto::to_lower(request.header(Header::content_type)).contains("json");
}

// Those that the query names, in its order; none and nothing else to come: the default one. Of a
// query that is wrong none: the request is going to be refused for that.
std::vector<std::string> topics_of(const Request& request, Needs needs) {
  std::vector<std::string> topics;
  if (needs != Needs::subscribe && needs != Needs::publish) return topics;
  const auto query = parse_query(request);
  if (!query) return topics;
  for (const auto& [name, value] : query->pairs()) {
    if (name != "stream" && name != "topic") continue;
    if (!proto::is_topic_name(value)) return {};
    if (topics.size() == limits::kMaxTopicsPerSubscriber) return {};
    topics.emplace_back(value);
  }
  if (topics.empty() && !may_name_them_later(request, needs)) {
    topics.emplace_back(proto::kDefaultTopic);
  }
  return topics;
}

}  // namespace

std::expected<BackEndQuestion, Denial> question_of(const Request& request, Needs needs,
                                                   const Access& access, const Referral& referral,
                                                   std::string address) {
  TOCSIN_ASSERT(referral.to == Referral::To::back_end);
  BackEndQuestion question{.action = action_of(needs),
                           .method = request.method == Method::post ? "POST" : "GET",
                           .path = request.path(),
                           .address = std::move(address),
                           .topics = topics_of(request, needs)};
  for (const PassedField& field : access.passed_fields) {
    const std::string_view value = request.header(field.header);
    // What was found elsewhere goes where the back end looks for it.
    const bool in_place = field.header == Header::authorization && value.empty();
    const std::string_view sent = in_place ? referral.authorization.view() : value;
    if (sent.empty()) continue;
    if (!proto::is_field_value(sent)) {
      return std::unexpected(Denial{.cause = DenialCause::malformed,
                                    .reason = "the field " + std::string(field.name) +
                                              " has characters that cannot be passed on"});
    }
    question.fields.emplace_back(field.name, sent);
  }
  return question;
}

}  // namespace tocsin::net
