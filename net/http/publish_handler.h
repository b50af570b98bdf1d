// POST /publish and GET /publish?msg=: read, encode once, append, answer.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/hub.h"
#include "net/http/answer_writer.h"
#include "net/http/handler.h"
#include "net/state/event_publisher.h"
#include "net/state/metrics.h"
#include "net/state/shared_hub.h"
#include "proto/event.h"
#include "proto/publish_body.h"

namespace tocsin::net {

class PublishHandler final : public Handler {
 public:
  // `metrics`: those of this shard.
  PublishHandler(SharedHub& hub, ShardMetrics& metrics, AnswerWriter& answers)
      : hub_(hub), metrics_(metrics), answers_(answers) {}
  [[nodiscard]] std::optional<Outcome> handle(const RequestContext& context) override;

 private:
  // `form`: of the body that the events were read from.
  Outcome publish(const RequestContext& context, const std::vector<proto::EventView>& events,
                  proto::BodyForm form);
  Outcome published(const RequestContext& context, const std::vector<proto::EventView>& events,
                    proto::BodyForm form, const core::Published& published);

  SharedHub& hub_;
  ShardMetrics& metrics_;
  AnswerWriter& answers_;
  proto::PublishBodyReader reader_;
  EventPublisher publisher_;
};

}  // namespace tocsin::net
