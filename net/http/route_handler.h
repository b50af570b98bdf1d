// A route of the application: from a request to what it answers.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/application.h"
#include "net/http/answer_writer.h"
#include "net/http/endpoint_table.h"
#include "net/http/handler.h"
#include "net/state/server_state.h"
#include "proto/http/query.h"
#include "proto/http/request.h"

namespace tocsin::net {

class RouteHandler final : public Handler {
 public:
  // All outlive this. `table` is the one that has this route.
  RouteHandler(const Route& route, ServerState& state, const EndpointTable& table,
               AnswerWriter& answers)
      : route_(route), state_(state), table_(table), answers_(answers) {}
  [[nodiscard]] std::optional<Outcome> handle(const RequestContext& context) override;

 private:
  Outcome stream_of(StreamResponse&& wanted, const RequestContext& context,
                    const proto::Query& query, std::vector<std::string>&& positions);
  void respond(const proto::Request& request, const Response& response, std::string& out);
  // 500; `why` is for the log.
  Outcome failed(const proto::Request& request, std::string_view why, std::string& out);

  const Route& route_;
  ServerState& state_;
  const EndpointTable& table_;
  AnswerWriter& answers_;
};

}  // namespace tocsin::net
