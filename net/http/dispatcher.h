// The way of a request to its answer: looked up in the table when its head is there, handed to the
// endpoint's handler when it is whole. No sockets.
//
// To be read in this order:
//   endpoint_table.h       a row for each resource, and what follows from it alone
//   dispatcher.cc          the rows themselves, and the way through them
//   handler.h              what a handler is given, and what comes of it
//   subscribe_handler.cc   /events, /sse     (stream_request.h: what any stream may be asked for)
//   publish_handler.cc     /publish
//   health_handler.cc      /healthz, /readyz, /metrics
//   route_handler.cc       routes of the application
//   fallback_handler.cc    404, 405, OPTIONS
//   query_parameters.h     which parameters are known
//   answer_writer.h, cors.h      how answers are written, and which pages may read them
//
// Threads: one object per shard, used by its thread.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "net/http/answer_writer.h"
#include "net/http/endpoint_table.h"
#include "net/http/fallback_handler.h"
#include "net/http/handler.h"
#include "net/http/health_handler.h"
#include "net/http/publish_handler.h"
#include "net/http/route_handler.h"
#include "net/http/subscribe_handler.h"
#include "net/server_options.h"
#include "net/state/metrics.h"
#include "net/state/server_state.h"
#include "proto/http/http_request.h"
#include "proto/http/request.h"

namespace tocsin::net {

class Dispatcher {
 public:
  // `state` and `metrics`, those of this shard, outlive it.
  Dispatcher(ServerState& state, ShardMetrics& metrics, std::uint64_t seed);

  // The parser has read a head, and a body may follow. Whose the request is; where that one takes a
  // body, `100 Continue` is appended to `out` if it is waited for. Null: what cannot succeed was
  // refused before the body is sent, and the connection must end. The result lives as long as this.
  [[nodiscard]] const Endpoint* on_head(proto::RequestParser& parser, const ServerOptions& options,
                                        std::string& out);

  // The same request, whole, with what on_head() gave for it; `received_us`, `ticket` and `out` as
  // in RequestContext.
  [[nodiscard]] Outcome on_request(const Endpoint& endpoint, const proto::Request& request,
                                   const ServerOptions& options, std::uint64_t received_us,
                                   const RequestTicket& ticket, std::string& out);

  // The parser gave up; the answer ends the connection.
  void on_bad_request(proto::RequestParser& parser, std::string& out);

  // For what is refused for the connection's sake, and for the heads of streams.
  [[nodiscard]] AnswerWriter& answers() { return answers_; }

 private:
  [[nodiscard]] std::vector<Endpoint> rows(ServerState& state);

  AnswerWriter answers_;
  SubscribeHandler subscribe_;
  PublishHandler publish_;
  HealthHandler health_;
  ReadinessHandler readiness_;
  MetricsHandler metrics_page_;
  std::deque<RouteHandler> routes_;
  FallbackHandler fallback_;
  EndpointTable table_;
};

}  // namespace tocsin::net
