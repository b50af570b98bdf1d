// The way of a request to its answer: looked up in the table when its head is there, handed to the
// endpoint's handler when it is whole. No sockets.
//
// To be read in this order:
//   endpoint_table.h       a row for each resource, and what follows from it alone
//   dispatcher.cc          the rows themselves, and the way through them
//   handler.h              what a handler is given, and what comes of it
//   subscribe_handler.cc   /events, /sse     (stream_request.h: what any stream may be asked for)
//   publish/               /publish
//   credentials.h          who asks (remote/back_end_question.h: what others are told to find out)
//   health_handler.cc      /healthz, /readyz, /metrics
//   admin/admin_api.h      /admin
//   route_handler.cc       routes of the application
//   fallback_handler.cc    404, 405, OPTIONS
//   query_parameters.h     which parameters are known
//   answer_writer.h, cors.h      how answers are written, and which pages may read them
//
// Threads: one object per shard, used by its thread.
#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/auth/access.h"
#include "net/auth/principal.h"
#include "net/base/clock.h"
#include "net/http/admin/admin_api.h"
#include "net/http/answer_writer.h"
#include "net/http/credentials.h"
#include "net/http/endpoint_table.h"
#include "net/http/fallback_handler.h"
#include "net/http/handler.h"
#include "net/http/health_handler.h"
#include "net/http/publish/publish_handler.h"
#include "net/http/route_handler.h"
#include "net/http/subscribe_handler.h"
#include "net/server_options.h"
#include "net/state/mailbox.h"
#include "net/state/metrics.h"
#include "net/state/server_state.h"
#include "proto/http/http_request.h"
#include "proto/http/request.h"

namespace tocsin::net {

class Dispatcher {
 public:
  // Whom the request in a connection's parser is from, an address in words, by its slot.
  using AddressOf = std::function<std::string(std::uint32_t slot)>;
  // `state`, `metrics`, those of this shard, and `clock` outlive it.
  Dispatcher(ServerState& state, ShardMetrics& metrics, const Clock& clock, std::uint64_t seed,
             AddressOf address_of);

  // `options` and `access` hold from now on: those of the calls below, and who may do what, null:
  // the hub is open.
  void adopt(const ServerOptions& options, std::shared_ptr<const Access> access);

  enum class Head : std::uint8_t {
    taken,    // the rest of the request is to be read
    refused,  // what cannot succeed was answered before the body is sent; the connection must end
    held,     // who asks becomes known later: a letter that says it is posted
  };
  // The parser has read a head, and a body may follow: finds out whose the request is, and if a
  // body follows who asks. Where it takes one, `100 Continue` is appended to `out` if that is
  // waited for. `asked` is the request's from here on, and has its address; it refers to this
  // object.
  [[nodiscard]] Head on_head(proto::RequestParser& parser, const ServerOptions& options,
                             Asked& asked, const RequestTicket& ticket, std::string& out);

  // The same request, whole; `received_us`, `ticket` and `out` as in RequestContext.
  [[nodiscard]] Outcome on_request(const proto::Request& request, const ServerOptions& options,
                                   Asked& asked, std::uint64_t received_us,
                                   const RequestTicket& ticket, std::string& out);

  // What a request was held for. One that is whole is then handled by on_request(), or was
  // answered; of the others as in on_head().
  [[nodiscard]] Head on_authenticated(proto::RequestParser& parser, const ServerOptions& options,
                                      Asked& asked, Letter&& letter, std::string& out);

  // The parser gave up; the answer ends the connection.
  void on_bad_request(proto::RequestParser& parser, std::string& out);

  // For what is refused for the connection's sake, and for the heads of streams.
  [[nodiscard]] AnswerWriter& answers() { return answers_; }

 private:
  [[nodiscard]] std::vector<Endpoint> rows(ServerState& state);
  enum class Identity : std::uint8_t { known, later, failed };
  [[nodiscard]] std::expected<Identity, Denial> identify(const proto::Request& request,
                                                         const ServerOptions& options, Asked& asked,
                                                         const RequestTicket& ticket);
  [[nodiscard]] std::expected<Identity, Denial> ask_application(const proto::Request& request,
                                                                Asked& asked,
                                                                const RequestTicket& ticket);
  [[nodiscard]] std::expected<Identity, Denial> ask_authority(const proto::Request& request,
                                                              const ServerOptions& options,
                                                              Asked& asked,
                                                              const RequestTicket& ticket);
  [[nodiscard]] std::optional<Authenticated> ask_others(const proto::Request& request, Needs needs,
                                                        const Referral& referral, Denial&& denial,
                                                        const RequestTicket& ticket);
  // Why this one may not ask for that; nothing: it may.
  [[nodiscard]] std::optional<Denial> deny_asker(Needs needs, const Principal& principal) const;
  [[nodiscard]] Head take_body(proto::RequestParser& parser, const ServerOptions& options,
                               const Asked& asked, std::string& out);
  [[nodiscard]] ClientKeys client_of(const Asked& asked) const;
  Outcome failed(const proto::Request& request, std::string& out);

  ServerState& state_;
  const Clock& clock_;
  const AddressOf address_of_;
  const PrincipalPtr open_ = open_principal();
  std::shared_ptr<const Access> access_;
  AnswerWriter answers_;
  SubscribeHandler subscribe_;
  PublishHandler publish_;
  HealthHandler health_;
  ReadinessHandler readiness_;
  MetricsHandler metrics_page_;
  AdminApi admin_;
  std::deque<RouteHandler> routes_;
  FallbackHandler fallback_;
  EndpointTable table_;
};

}  // namespace tocsin::net
