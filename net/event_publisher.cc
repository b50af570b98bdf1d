#include "net/event_publisher.h"

#include <openssl/evp.h>

#include <algorithm>

#include "proto/assert.h"
#include "proto/sse_encode.h"

namespace tocsin::net {

std::expected<core::Published, EventPublisher::Failure> EventPublisher::publish(
    SharedHub& hub, std::span<const proto::EventView> events, core::TimeMs now) {
  TOCSIN_ASSERT(!events.empty());
  if (hub.has_base64()) events = in_base64(hub, events);
  if (!encode(events)) return std::unexpected(Failure{.refused = {}});
  std::size_t failed = 0;
  const auto published =
      hub.with([&](core::Hub& shared) { return shared.publish(new_events_, now, &failed); });
  // A rare large batch does not stay.
  if (encoded_.capacity() > limits::kMaxRequestBody) std::string{}.swap(encoded_);
  if (!published) return std::unexpected(Failure{.refused = published.error(), .index = failed});
  hub.wake(published->wake);
  return *published;
}

// False: more than one batch may be.
bool EventPublisher::encode(std::span<const proto::EventView> events) {
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
    new_events_.push_back(
        {.topic = event.topic, .id = event.id, .body = std::string_view{encoded_}.substr(begin)});
  }
  TOCSIN_ASSERT(encoded_.size() <= most);
  return encoded_.size() <= limits::kMaxEncodedBatch;
}

std::span<const proto::EventView> EventPublisher::in_base64(
    SharedHub& hub, std::span<const proto::EventView> events) {
  std::vector<std::size_t> wanted;
  hub.with([&](const core::Hub& shared) {
    for (std::size_t i = 0; i < events.size(); ++i) {
      if (shared.is_base64(events[i].topic)) wanted.push_back(i);
    }
  });
  if (wanted.empty()) return events;
  replaced_.assign(events.begin(), events.end());
  data_.clear();
  data_.reserve(wanted.size());  // the views below must not move
  for (const std::size_t i : wanted) {
    data_.push_back(to_base64(replaced_[i].data));
    replaced_[i].data = data_.back();
  }
  return replaced_;
}

std::string to_base64(std::string_view bytes) {
  // EVP_EncodeBlock writes a NUL behind the text.
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

}  // namespace tocsin::net
