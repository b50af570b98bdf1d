#include "proto/sse/frame_end.h"

#include <algorithm>

#include "proto/assert.h"

namespace tocsin::proto {

template <typename Write>
void FrameEnd::write_around(Write&& write) {
  char* const id = std::ranges::copy(kIdField, text_.data()).out;
  char* const end = std::ranges::copy(kFrameEnd, id + write(id)).out;
  size_ = static_cast<std::size_t>(end - text_.data());
}

FrameEnd::FrameEnd(EventId id) {
  write_around([&](char* out) { return write_event_id(id, out); });
}

FrameEnd::FrameEnd(std::string_view id) {
  TOCSIN_ASSERT(!id.empty());
  write_around([&](char* out) { return write_wire_id(id, out); });
}

std::size_t frame_end_size(std::string_view id) {
  return kIdField.size() + (id.empty() ? kMaxEventIdText : wire_id_size(id)) + kFrameEnd.size();
}

void append_frame_end(std::string& out, std::string_view wire_id) {
  if (wire_id.empty()) {
    out += '\n';
    return;
  }
  out += kIdField;
  out += wire_id;
  out += kFrameEnd;
}

std::string_view id_of_frame(std::string_view frame) {
  TOCSIN_DEBUG_ASSERT(frame.ends_with(kFrameEnd));
  frame.remove_suffix(kFrameEnd.size());
  const std::size_t line = frame.rfind('\n') + 1;
  TOCSIN_DEBUG_ASSERT(line > 0 && frame.substr(line).starts_with(kIdField));
  return frame.substr(line + kIdField.size());
}

std::string_view take_frame(std::string_view& frames) {
  const std::size_t end = frames.find(kFrameEnd);
  const std::size_t size = end == std::string_view::npos ? frames.size() : end + kFrameEnd.size();
  const std::string_view frame = frames.substr(0, size);
  frames.remove_prefix(size);
  return frame;
}

}  // namespace tocsin::proto
