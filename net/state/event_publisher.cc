#include "net/state/event_publisher.h"

#include <openssl/evp.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "net/auth/denial.h"
#include "proto/assert.h"
#include "proto/json/envelope.h"
#include "proto/limits.h"
#include "proto/sse/sse_encode.h"
#include "proto/sse/wire_id.h"

namespace tocsin::net {
namespace {

using Reason = PublishFailure::Reason;

PublishFailure too_large() {
  return {.error = {.field = "body",
                    .message = fmt::format("is more than {} bytes on the wire, where every line of "
                                           "data is a field",
                                           limits::kMaxEncodedBatch),
                    .too_large = true}};
}

PublishFailure invalid(const char* field, std::string message) {
  return {.reason = Reason::invalid, .error = {.field = field, .message = std::move(message)}};
}

// Of a topic, in front of what is wrong. A credential behind a mistyped '&' is not repeated.
std::string words_for(std::string_view topic) {
  return fmt::format("topic {}: ", may_hold_credential(topic) ? shown(topic) : std::string(topic));
}

PublishFailure too_large(const core::NewEvent& event, std::size_t most) {
  // A stream's own log has no name that means anything to who writes to it.
  const std::string where = core::Topic::is_direct_name(event.topic)
                                ? std::string{}
                                : words_for(event.topic);
  return {.error = {.message = fmt::format("{}the event is {} bytes on the wire, more than "
                                           "max_event_bytes, which is {}",
                                           where, core::frame_bytes(event), most),
                    .too_large = true}};
}

PublishFailure failure_without_line(const SharedHub::Refusal& refusal,
                                    const core::NewEvent& event) {
  switch (refusal.why) {
    case core::PublishError::unknown_topic:
      return {.reason = Reason::no_topic,
              .error = {.message = words_for(event.topic) + "no such topic"}};
    case core::PublishError::topic_limit:
      return {.reason = Reason::topic_limit,
              .error = {.message = "the hub has as many topics as it may have"}};
    case core::PublishError::too_many_new:
      return invalid("body", fmt::format("names more than {} new topics", limits::kMaxNewTopics));
    case core::PublishError::reserved_id:
      return invalid("id", "this form is reserved for the hub's own ids");
    case core::PublishError::too_large:
      return too_large(event, refusal.max_event_bytes);
    case core::PublishError::unavailable:
      return {.reason = Reason::unavailable, .error = {.message = kUnavailable}};
    case core::PublishError::differs:
    case core::PublishError::hole:
    case core::PublishError::forgotten:
      return key_failure(refusal.why, refusal.expected);
    case core::PublishError::busy:
      break;
  }
  return {.reason = Reason::busy, .error = {.message = "the hub has to catch up first"}};
}

// What publish() requires of an event: in a debug build it is checked once more.
[[maybe_unused]] bool may_be_published(proto::EventView event) {
  if (event.topic.empty()) return false;
  if (core::Topic::is_direct_name(event.topic)) event.topic = proto::kDefaultTopic;
  event.data = {};  // of a base64 topic it is any bytes
  return !proto::check(event);
}

}  // namespace

std::string receipt_id(std::string_view own, proto::EventId hubs) {
  return own.empty() ? proto::to_string(hubs) : proto::wire_id(own);
}

PublishFailure failure_of(const SharedHub::Refusal& refusal,
                          std::span<const core::NewEvent> events) {
  TOCSIN_ASSERT(refusal.failed < events.size());
  if (refusal.closed) {
    return {.reason = Reason::closed, .error = {.message = "the hub has ended"}};
  }
  PublishFailure failure = failure_without_line(refusal, events[refusal.failed]);
  const bool names_event = failure.reason == Reason::invalid;
  if (names_event && events.size() > 1) failure.error.line = refusal.failed + 1;
  return failure;
}

PublishResult EventPublisher::publish(SharedHub& hub, std::span<const proto::EventView> events,
                                      std::uint64_t received_us, const core::PublishKey* key) {
  TOCSIN_ASSERT(!events.empty());
  TOCSIN_DEBUG_ASSERT(std::ranges::all_of(events, may_be_published));
  const bool as_given =
      !hub.has_data_forms() && std::ranges::none_of(events, &proto::EventView::envelope);
  if (!as_given) events = in_form(hub, events);
  if (!encode(events, static_cast<core::ReceiptUs>(received_us))) {
    return std::unexpected(too_large());
  }
  received_ms_ = received_us / 1000;
  const SharedHub::Ordered ordered = hub.publish(new_events_, received_ms_, key);
  if (ordered || ordered.error().why != core::PublishError::busy) trim();
  if (ordered) return *ordered;
  return std::unexpected(failure_of(ordered.error(), new_events_));
}

bool EventPublisher::wait(SharedHub& hub, RequestMemory* memory, PublishDone&& done,
                          std::optional<core::PublishKey> key) {
  std::optional<RequestMemoryShare> share{std::in_place};
  if (memory != nullptr) {
    share = RequestMemoryShare::take(*memory, bytes_while_pending(new_events_));
  }
  if (share) {
    hub.wait({.batch = core::Batch(new_events_),
              .received_ms = received_ms_,
              .done = std::move(done),
              .key = key,
              .memory = *std::move(share)});
  }
  trim();
  return share.has_value();
}

// A rare large batch does not stay.
void EventPublisher::trim() {
  if (encoded_.capacity() > limits::kMaxRequestBody) std::string{}.swap(encoded_);
}

// Into new_events_. False: more than one batch may be.
bool EventPublisher::encode(std::span<const proto::EventView> events, core::ReceiptUs received) {
  encoded_.clear();
  new_events_.clear();
  std::size_t most = 0;
  for (const proto::EventView& event : events) {
    most += proto::max_frame_body(event.data.size(), event.type.size());
  }
  if (encoded_.capacity() < most) encoded_.reserve(most);  // the views below must not move
  for (const proto::EventView& event : events) {
    const std::size_t begin = encoded_.size();
    proto::encode_frame_body(event, encoded_);
    new_events_.push_back({.topic = event.topic,
                           .id = event.id,
                           .body = std::string_view{encoded_}.substr(begin),
                           .received = received});
  }
  TOCSIN_ASSERT(encoded_.size() <= most);
  return encoded_.size() <= limits::kMaxEncodedBatch;
}

std::span<const proto::EventView> EventPublisher::in_form(
    SharedHub& hub, std::span<const proto::EventView> events) {
  std::vector<core::DataForm> forms(events.size());
  if (hub.has_data_forms()) {
    hub.with([&](const core::Hub& shared) {
      for (std::size_t i = 0; i < events.size(); ++i) forms[i] = shared.data_form(events[i].topic);
    });
  }
  replaced_.assign(events.begin(), events.end());
  data_.clear();
  data_.reserve(events.size());  // the views below must not move
  for (std::size_t i = 0; i < events.size(); ++i) {
    proto::EventView& event = replaced_[i];
    const bool envelope = event.envelope || forms[i].envelope;
    if (!forms[i].base64 && !envelope) continue;
    std::string& data = data_.emplace_back();
    if (forms[i].base64) {
      data = to_base64(event.data);
      event.json = false;
      event.data = data;
    }
    if (envelope) {
      std::string wrapped;
      proto::append_envelope(wrapped, event.topic, event.data, event.json);
      data = std::move(wrapped);
      event.data = data;
    }
  }
  TOCSIN_ASSERT(replaced_.size() == events.size() && data_.size() <= events.size());
  return replaced_;
}

std::string to_base64(std::string_view bytes) {
  // EVP_EncodeBlock writes a NUL behind the text.
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
  TOCSIN_ASSERT(static_cast<std::size_t>(size) + 1 == text.size());
  text.resize(static_cast<std::size_t>(size));
  return text;
}

}  // namespace tocsin::net
