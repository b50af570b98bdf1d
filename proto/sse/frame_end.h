// The end of a frame: its `id:` line, which comes last, and an empty line. Written, measured and
// read back here alone.
//
// The id comes last because some clients take it from its line on, not from the empty line: cut off
// in the middle of an event, they would resume behind it.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "proto/limits.h"
#include "proto/sse/event_id.h"
#include "proto/sse/wire_id.h"

namespace tocsin::proto {

inline constexpr std::string_view kIdField = "id: ";
inline constexpr std::string_view kFrameEnd = "\n\n";  // of its last line, and the empty one

// One end of a frame, which the log adds when the event has its sequence number.
class FrameEnd {
 public:
  // With the hub's own id.
  explicit FrameEnd(EventId id);
  // With a publisher's, one that may be published. REQUIRES: it is not empty.
  explicit FrameEnd(std::string_view id);

  [[nodiscard]] std::string_view text() const { return {text_.data(), size_}; }

 private:
  // `write(char*)` writes the id and returns its length.
  template <typename Write>
  void write_around(Write&& write);

  static_assert(limits::kMaxWireId >= kMaxEventIdText);
  std::array<char, kIdField.size() + limits::kMaxWireId + kFrameEnd.size()> text_;
  std::size_t size_ = 0;
};

// Of how many bytes it is; without an id of the publisher's that of the hub's longest one.
[[nodiscard]] std::size_t frame_end_size(std::string_view id);

// Appends it for an id as it stands on the wire; of none only the empty line.
void append_frame_end(std::string& out, std::string_view wire_id);

// The id of a frame that has one, as it stands on the wire. REQUIRES: `frame` ends with a FrameEnd.
[[nodiscard]] std::string_view id_of_frame(std::string_view frame);

// Takes the first of `frames` off the front: all of them if no end is there.
[[nodiscard]] std::string_view take_frame(std::string_view& frames);

}  // namespace tocsin::proto
