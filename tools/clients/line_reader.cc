#include "tools/clients/line_reader.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "proto/assert.h"

namespace tocsin::tools {
namespace {

constexpr std::size_t kReadSize = 64U * 1024;

}  // namespace

bool LineReader::fill() {
  TOCSIN_ASSERT(!at_end_ && begin_ <= scanned_);
  buffer_.erase(0, begin_);
  scanned_ -= begin_;
  begin_ = 0;
  const std::size_t old_size = buffer_.size();
  buffer_.resize(old_size + kReadSize);
  ssize_t got = 0;
  do {
    got = ::read(fd_, buffer_.data() + old_size, kReadSize);
  } while (got < 0 && errno == EINTR);
  const int code = errno;
  buffer_.resize(old_size + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (got == 0) at_end_ = true;
  errno = code;
  return got >= 0 || code == EAGAIN;
}

std::optional<LineReader::Line> LineReader::next() {
  while (true) {
    const auto end = buffer_.find('\n', scanned_);
    const bool complete = end != std::string::npos;
    if (!complete) {
      scanned_ = buffer_.size();
      if (skipping_) begin_ = scanned_;  // nobody wants it
      const bool last = at_end_ && begin_ < buffer_.size();
      const bool too_long = !skipping_ && buffer_.size() - begin_ > max_line_ + 1;  // + 1: a CR
      if (at_end_ && skipping_) skipping_ = false;
      if (!last && !too_long) return std::nullopt;
      skipping_ = too_long && !at_end_;
    }
    std::string_view text =
        std::string_view(buffer_).substr(begin_, (complete ? end : buffer_.size()) - begin_);
    begin_ = scanned_ = complete ? end + 1 : buffer_.size();
    if (complete && skipping_) {
      skipping_ = false;  // the end of the line that was reported
      continue;
    }
    if (complete && text.ends_with('\r')) text.remove_suffix(1);
    const bool too_long = text.size() > max_line_;
    return Line{text.substr(0, max_line_), ++number_, too_long};
  }
}

}  // namespace tocsin::tools
