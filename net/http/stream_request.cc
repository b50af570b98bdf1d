#include "net/http/stream_request.h"

#include <cstdint>
#include <expected>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "net/http/option_value.h"
#include "net/http/query_parameters.h"
#include "proto/limits.h"
#include "proto/sse/event_id.h"

namespace tocsin::net {
namespace {

// The value of a parameter that is given once; nothing: it is not given.
std::expected<std::optional<std::string_view>, proto::InputError> once(const proto::Query& query,
                                                                       std::string_view name) {
  const std::vector<std::string_view> given = query.all(name);
  if (given.size() > 1) return std::unexpected(proto::given_twice(name, name));
  return given.empty() ? std::nullopt : std::optional{given.front()};
}

}  // namespace

std::optional<proto::InputError> read_wishes(const proto::Query& query, Outcome& wanted) {
  const auto hello = once(query, "hello");
  if (!hello) return hello.error();
  if (*hello) {
    const auto flag = parse_query_flag(**hello);
    if (!flag) return proto::InputError{.field = "hello", .message = flag.error()};
    wanted.hello = *flag;
  }
  const auto heartbeat = once(query, "heartbeat");
  if (!heartbeat) return heartbeat.error();
  if (*heartbeat) {
    const auto ms = parse_duration_ms(**heartbeat);
    if (!ms || *ms % 1000 != 0 || *ms < limits::kMinHeartbeatS * 1000 ||
        *ms > limits::kMaxHeartbeatS * 1000) {
      return proto::InputError{
          .field = "heartbeat",
          .message = fmt::format("must be whole seconds from {}s to {}s", limits::kMinHeartbeatS,
                                 limits::kMaxHeartbeatS)};
    }
    wanted.heartbeat_s = static_cast<std::uint8_t>(*ms / 1000);
  }
  const auto framing = once(query, "framing");
  if (!framing) return framing.error();
  if (*framing) {
    if (**framing != "chunked" && **framing != "close") {
      return proto::InputError{.field = "framing", .message = "must be chunked or close"};
    }
    wanted.framing = **framing == "close" ? proto::Framing::close : proto::Framing::chunked;
  }
  return std::nullopt;
}

std::vector<std::string> positions_of(const proto::Request& request, const proto::Query& query) {
  const std::string_view header = request.header(proto::Header::last_event_id);
  if (!header.empty()) return {std::string{header}};
  std::vector<std::string> positions;
  for (const auto& [name, value] : query.pairs()) {
    if (is_position(name) && !value.empty()) positions.emplace_back(value);
  }
  // A client that has been here and was told no position that it remembers.
  if (positions.empty() && request.has(proto::Header::last_event_id)) positions.emplace_back();
  if (positions.size() > limits::kMaxPositions) {
    positions.erase(positions.begin(), positions.end() - limits::kMaxPositions);
  }
  return positions;
}

Outcome open_stream(Outcome&& wanted, const RequestContext& context, AnswerWriter& answers) {
  if (!wanted.last_event_ids.empty()) {
    // Beside a position it is what the page was opened with.
    std::erase(wanted.last_event_ids, proto::kEarliest);
    wanted.resume = wanted.last_event_ids.empty() ? core::Resume::Kind::earliest
                                                  : core::Resume::Kind::after_id;
  }
  // That version knows no chunks. It may be a proxy's, and its client's wish of another.
  if (!context.request.http_1_1) wanted.framing = proto::Framing::close;
  if (context.access != nullptr) wanted.principal = context.principal;
  wanted.place = context.place;
  wanted.client = context.client;
  // It keeps what came with the head until more comes.
  wanted.second_write = context.request.has(proto::Header::x_varnish);
  if (context.request.method == proto::Method::head) {
    answers.stream_head(context.request, wanted, context.out);
    return {.kind = Outcome::Kind::refused};
  }
  return std::move(wanted);
}

}  // namespace tocsin::net
