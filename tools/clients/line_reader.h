// Lines of a file descriptor, numbered, without ever waiting for a full buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tocsin::tools {

// Not thread-safe. Does not own the descriptor, which may block: fill() reads once, so it waits
// only if the caller did not poll for POLLIN first.
class LineReader {
 public:
  struct Line {
    std::string_view text;  // without its LF or CRLF; valid until the next call of fill()
    std::size_t number;     // from 1
    bool too_long;          // `text` is its beginning; the rest was skipped
  };

  // A line beyond `max_line` bytes is reported, not kept.
  LineReader(int fd, std::size_t max_line) : fd_(fd), max_line_(max_line) {}

  // One read(2). False: it failed; errno says why. REQUIRES: !at_end().
  [[nodiscard]] bool fill();

  // The next line that is wholly there; a last line without LF counts once the input has ended.
  [[nodiscard]] std::optional<Line> next();

  [[nodiscard]] bool at_end() const { return at_end_; }  // read(2) said so; lines may be left
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
  std::size_t max_line_;
  std::string buffer_;
  std::size_t begin_ = 0;    // of the first line not given out
  std::size_t scanned_ = 0;  // up to here there is no LF behind begin_
  std::size_t number_ = 0;
  bool skipping_ = false;  // inside a line that is too long
  bool at_end_ = false;
};

}  // namespace tocsin::tools
