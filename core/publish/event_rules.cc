#include "core/publish/event_rules.h"

#include <optional>

#include "core/topic.h"
#include "proto/limits.h"
#include "proto/sse/event.h"
#include "proto/sse/event_id.h"
#include "proto/sse/sse_encode.h"

namespace tocsin::core {

bool is_position(std::string_view id, const Epochs& epochs) {
  const auto own = proto::parse_event_id(id);
  return own && epochs.has(own->epoch);
}

bool is_reserved_id(std::string_view id, const Epochs& epochs) {
  return !id.empty() && (id == proto::kEarliest || is_position(id, epochs));
}

bool is_publishable(const NewEvent& event, const Epochs& epochs) {
  if (event.topic.empty() || event.topic.size() > limits::kMaxTopicName) return false;
  if (event.body.size() > limits::kMaxEncodedBatch) return false;
  std::optional<proto::EventView> view = proto::read_frame_body(event.body);
  if (!view) return false;
  view->topic = Topic::is_direct_name(event.topic) ? proto::kDefaultTopic : event.topic;
  view->id = event.id;
  return !proto::check(*view) && !is_reserved_id(event.id, epochs);
}

}  // namespace tocsin::core
