#include "net/http/health_handler.h"

#include <string_view>

#include "net/http/metrics_page.h"
#include "net/state/remote_authority.h"

namespace tocsin::net {
namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";

}  // namespace

std::optional<Outcome> HealthHandler::handle(const RequestContext& context) {
  answers_.reply(context.request, 200, kText, "ok\n", context.out);
  return Outcome{};
}

std::optional<Outcome> ReadinessHandler::handle(const RequestContext& context) {
  const bool has_others = context.access != nullptr && context.access->remote != nullptr;
  std::string missing = has_others ? context.access->remote->missing() : std::string();
  if (!missing.empty() && !context.access->public_metrics) missing = "waiting for keys";
  if (state_.phase.load() != Phase::running) {
    answers_.reply(context.request, 503, kText, "draining\n", context.out);
  } else if (!missing.empty()) {
    answers_.reply(context.request, 503, kText, missing + '\n', context.out);
  } else {
    answers_.reply(context.request, 200, kText, "ready\n", context.out);
  }
  return Outcome{};
}

// Made once a turn of the loop: it is 100 us of work, and who asks for many would hold up all.
std::optional<Outcome> MetricsHandler::handle(const RequestContext& context) {
  const std::uint64_t turn = own_.loops.get() + 1;
  if (page_turn_ != turn) page_ = render_metrics(state_);
  page_turn_ = turn;
  answers_.reply(context.request, 200, "text/plain; version=0.0.4; charset=utf-8", page_,
                 context.out);
  return Outcome{};
}

}  // namespace tocsin::net
