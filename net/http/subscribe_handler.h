// GET /events?stream=a&stream=b: a stream of these topics.
#pragma once

#include <optional>

#include "net/http/answer_writer.h"
#include "net/http/handler.h"

namespace tocsin::net {

class SubscribeHandler final : public Handler {
 public:
  explicit SubscribeHandler(AnswerWriter& answers) : answers_(answers) {}
  [[nodiscard]] std::optional<Outcome> handle(const RequestContext& context) override;

 private:
  AnswerWriter& answers_;
};

}  // namespace tocsin::net
