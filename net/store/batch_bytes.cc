#include "net/store/batch_bytes.h"

#include <algorithm>
#include <cstdint>

#include "core/publish/event_rules.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

constexpr unsigned kMore = 0x80;

// Of the shortest event: its three sizes, and a line of data that is empty.
constexpr std::size_t kMinEvent = 3 + std::string_view("data: \n").size();

void append_size(std::string& bytes, std::size_t size) {
  for (; size >= kMore; size >>= 7) bytes += static_cast<char>((size & (kMore - 1)) | kMore);
  bytes += static_cast<char>(size);
}

void append_part(std::string& bytes, std::string_view part) {
  append_size(bytes, part.size());
  bytes.append(part);
}

// Takes a size and so many bytes off the front of `bytes`; nothing: they are not there.
std::optional<std::string_view> take_part(std::string_view& bytes) {
  std::uint64_t size = 0;
  unsigned shift = 0;
  std::size_t at = 0;
  for (bool more = true; more; shift += 7) {
    if (at == bytes.size() || shift > 28) return std::nullopt;  // no part has 2^35 bytes
    const auto byte = static_cast<unsigned char>(bytes[at++]);
    size |= std::uint64_t{byte & (kMore - 1)} << shift;
    more = (byte & kMore) != 0;
  }
  bytes.remove_prefix(at);
  if (size > bytes.size()) return std::nullopt;
  const std::string_view part = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return part;
}

}  // namespace

void append_events(std::string& bytes, std::span<const core::NewEvent> events,
                   std::string_view& topic) {
  for (const core::NewEvent& event : events) {
    TOCSIN_DEBUG_ASSERT(!event.topic.empty());
    append_part(bytes, event.topic == topic ? std::string_view{} : event.topic);
    append_part(bytes, event.id);
    append_part(bytes, event.body);
    topic = event.topic;
  }
}

std::optional<std::vector<core::NewEvent>> read_events(std::string_view bytes, std::size_t count,
                                                       const core::Epochs& epochs) {
  auto events = read_events_again(bytes, count, epochs);
  const auto is_bad = [&](const core::NewEvent& event) {
    return !core::is_publishable(event, epochs);
  };
  if (events && std::ranges::any_of(*events, is_bad)) return std::nullopt;
  return events;
}

std::optional<std::vector<core::NewEvent>> read_events_again(std::string_view bytes,
                                                             std::size_t count,
                                                             const core::Epochs& epochs) {
  if (count > bytes.size() / kMinEvent) return std::nullopt;  // before so many are made room for
  std::vector<core::NewEvent> events;
  events.reserve(count);
  std::string_view topic;
  for (; count > 0; --count) {
    const auto named = take_part(bytes);
    if (!named) return std::nullopt;
    if (!named->empty()) topic = *named;
    const auto id = take_part(bytes);
    const auto body = id ? take_part(bytes) : std::nullopt;
    if (!body || topic.empty()) return std::nullopt;
    const bool is_position = !id->empty() && core::is_position(*id, epochs);
    events.push_back({.topic = topic, .id = is_position ? "" : *id, .body = *body});
  }
  if (!bytes.empty()) return std::nullopt;
  return events;
}

}  // namespace tocsin::net
