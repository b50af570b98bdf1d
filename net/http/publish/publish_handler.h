// POST /publish and GET /publish?msg=: read, encode once, append, answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/hub.h"
#include "core/publish/published_keys.h"
#include "net/http/answer_writer.h"
#include "net/http/handler.h"
#include "net/state/event_publisher.h"
#include "net/state/mailbox.h"
#include "net/state/metrics.h"
#include "net/state/server_state.h"
#include "proto/http/request.h"
#include "proto/json/publish_body.h"
#include "proto/sse/event.h"

namespace tocsin::net {

class PublishHandler final : public Handler {
 public:
  // `metrics`: those of this shard.
  PublishHandler(ServerState& state, ShardMetrics& metrics, AnswerWriter& answers)
      : state_(state), metrics_(metrics), answers_(answers) {}
  [[nodiscard]] std::optional<Outcome> handle(const RequestContext& context) override;

 private:
  // What the answer says besides what became of the batch.
  struct Said {
    proto::BodyForm form;  // of the body that the events were read from
    std::size_t events;
    std::string_view first_id;  // the publisher's own; empty: it named none
    std::string_view last_id;
    std::optional<core::PublishKey> key;  // by which it may be repeated
  };

  [[nodiscard]] std::optional<AdmissionRefusal> refuse_client(const RequestContext& context);
  // Why not all of the topics may be published to; nothing: they may.
  [[nodiscard]] std::optional<Denial> deny_topics(const RequestContext& context,
                                                  const std::vector<proto::EventView>& events);
  Outcome publish(const RequestContext& context, const std::vector<proto::EventView>& events,
                  proto::BodyForm form);
  Outcome publish(const RequestContext& context, const std::vector<proto::EventView>& events,
                  const Said& said);
  Outcome wait(const RequestContext& context, const Said& said);
  Outcome ask(const RequestContext& context, const Said& said, core::Ticket ticket);
  [[nodiscard]] PublishDone letter_for(const RequestTicket& ticket);
  Outcome pending(const Said& said);
  void answer(const proto::Request& request, const Said& said, const PublishResult& result,
              std::string& out);
  void refuse_key(const proto::Request& request, const Said& said, PublishFailure&& failure,
                  std::string& out);
  void answer_published(const proto::Request& request, const Said& said,
                        const core::Published& published, std::string& out);

  ServerState& state_;
  ShardMetrics& metrics_;
  AnswerWriter& answers_;
  proto::PublishBodyReader reader_;
  EventPublisher publisher_;
  std::string fields_;                    // of the answer that is being made
  std::vector<std::string_view> topics_;  // of the batch that is being looked at
};

}  // namespace tocsin::net
