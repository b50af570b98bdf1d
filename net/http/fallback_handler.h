// The answer where no endpoint serves the request, from what the table has at its path: 404, 405
// with Allow, and to OPTIONS what there is.
#pragma once

#include <optional>

#include "net/http/answer_writer.h"
#include "net/http/endpoint_table.h"
#include "net/http/handler.h"

namespace tocsin::net {

class FallbackHandler final : public Handler {
 public:
  // Both outlive this; neither is used before the first request.
  FallbackHandler(const EndpointTable& table, AnswerWriter& answers)
      : table_(table), answers_(answers) {}
  [[nodiscard]] std::optional<Outcome> handle(const RequestContext& context) override;

 private:
  const EndpointTable& table_;
  AnswerWriter& answers_;
};

}  // namespace tocsin::net
