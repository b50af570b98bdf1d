// Where a message's lines begin and end, seen strictly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/assert.h"

namespace tocsin::proto {

// Looks over all bytes of a request that are not body data: its head, the lines around the chunks
// of its body, its trailer. They come in pieces, cut anywhere. llhttp (version 8, which Debian
// builds without its strict mode) skips bytes where a line must end, and takes lines for one that
// others take for two; a request that two readers cut differently can smuggle another past one of
// them. Newer versions are strict by themselves; this makes all of them alike.
//
// Refused are: a CR without LF, a LF without CR; a line that begins with a blank (RFC 9112, 5.2:
// obs-fold); anything but a line end behind a chunk's data; in the request line more than one blank
// between its parts, control characters in the target, and a protocol other than HTTP (llhttp knows
// RTSP and ICE, too). Bytes beyond ASCII in a target are let through, see
// RequestParser::Machine::read_wide().
class LineScan {
 public:
  void start();

  // The next bytes. False: they are refused.
  [[nodiscard]] bool takes(std::string_view bytes);
  // A chunk's data has passed. REQUIRES: the line end behind the one before has come.
  void expect_line_end() {
    TOCSIN_DEBUG_ASSERT(!line_end_due_);
    line_end_due_ = true;
  }

  // Whether the next byte belongs to the request line, in front of its protocol; whether to its
  // target.
  [[nodiscard]] bool before_protocol() const { return part_ <= Part::target; }
  [[nodiscard]] bool in_target() const { return part_ == Part::target; }

  // Whether `rest`, behind what was taken, may go on with a method's name or stands right behind
  // one.
  [[nodiscard]] bool at_method_name(std::string_view rest) const;

 private:
  // Of the request line; `done` from its version on.
  enum class Part : std::uint8_t { before, method, target, protocol, done };

  [[nodiscard]] bool takes_request_line(std::string_view bytes);
  [[nodiscard]] bool takes_lines(std::string_view bytes);

  Part part_ = Part::before;
  std::uint8_t matched_ = 0;   // of the protocol's name; in the target: 1 once it has a character
  char last_ = '\n';           // byte so far
  bool line_end_due_ = false;  // a CR has to come next
};

}  // namespace tocsin::proto
