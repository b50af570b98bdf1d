// What supervisors, balancers and monitoring ask: /healthz, /readyz and /metrics. None looks at its
// query: a probe must not fail for what it cannot mean.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "net/http/answer_writer.h"
#include "net/http/handler.h"
#include "net/state/metrics.h"
#include "net/state/server_state.h"

namespace tocsin::net {

// Alive: the loop answers.
class HealthHandler final : public Handler {
 public:
  explicit HealthHandler(AnswerWriter& answers) : answers_(answers) {}
  [[nodiscard]] std::optional<Outcome> handle(const RequestContext& context) override;

 private:
  AnswerWriter& answers_;
};

// Whether the hub is to be sent new clients; 503: it drains, or has none of an issuer's keys yet.
class ReadinessHandler final : public Handler {
 public:
  ReadinessHandler(const ServerState& state, AnswerWriter& answers)
      : state_(state), answers_(answers) {}
  [[nodiscard]] std::optional<Outcome> handle(const RequestContext& context) override;

 private:
  const ServerState& state_;
  AnswerWriter& answers_;
};

class MetricsHandler final : public Handler {
 public:
  // `own`: those of this shard.
  MetricsHandler(ServerState& state, const ShardMetrics& own, AnswerWriter& answers)
      : state_(state), own_(own), answers_(answers) {}
  [[nodiscard]] std::optional<Outcome> handle(const RequestContext& context) override;

 private:
  ServerState& state_;
  const ShardMetrics& own_;
  AnswerWriter& answers_;
  std::string page_;              // the last one
  std::uint64_t page_turn_ = 0;  // made in this turn of the loop; 0: none was
};

}  // namespace tocsin::net
