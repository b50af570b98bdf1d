// GET /events?stream=a&stream=b: a stream of these topics.
#pragma once

#include <optional>

#include "net/http/answer_writer.h"
#include "net/http/handler.h"
#include "net/state/shared_hub.h"

namespace tocsin::net {

class SubscribeHandler final : public Handler {
 public:
  SubscribeHandler(SharedHub& hub, AnswerWriter& answers) : hub_(hub), answers_(answers) {}
  [[nodiscard]] std::optional<Outcome> handle(const RequestContext& context) override;

 private:
  SharedHub& hub_;
  AnswerWriter& answers_;
};

}  // namespace tocsin::net
