#include "proto/http/line_scan.h"

#include <algorithm>

#include "proto/assert.h"
#include "proto/text/ascii.h"

namespace tocsin::proto {
namespace {

constexpr std::string_view kProtocol = "HTTP/";

// How many bytes it begins with are neither blanks nor control characters.
std::size_t visible_size(std::string_view bytes) {
  const auto end = std::ranges::find_if(
      bytes, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; });
  return static_cast<std::size_t>(end - bytes.begin());
}

}  // namespace

void LineScan::start() {
  *this = LineScan{};
}

bool LineScan::takes(std::string_view bytes) {
  return takes_request_line(bytes) && takes_lines(bytes);
}

bool LineScan::takes_request_line(std::string_view bytes) {
  while (!bytes.empty() && part_ != Part::done) {
    std::size_t size = 1;  // of what is looked at
    switch (part_) {
      case Part::before:
        if (bytes.front() != '\r' && bytes.front() != '\n') part_ = Part::method;
        break;
      case Part::method:
        size = std::min(bytes.find(' '), bytes.size() - 1) + 1;
        if (bytes[size - 1] == ' ') part_ = Part::target;
        break;
      case Part::target:
        size = visible_size(bytes);
        if (size > 0) {
          matched_ = 1;
          break;
        }
        size = 1;
        if (bytes.front() == '\r' || bytes.front() == '\n') {
          part_ = Part::done;  // HTTP/0.9
        } else if (bytes.front() == ' ' && matched_ > 0) {
          part_ = Part::protocol;
          matched_ = 0;
        } else {
          return false;
        }
        break;
      case Part::protocol:
        TOCSIN_ASSERT(matched_ < kProtocol.size());
        if (bytes.front() != kProtocol[matched_]) return false;
        if (++matched_ == kProtocol.size()) part_ = Part::done;
        break;
      case Part::done:
        break;
    }
    bytes.remove_prefix(size);
  }
  return true;
}

bool LineScan::takes_lines(std::string_view bytes) {
  while (!bytes.empty()) {
    if (line_end_due_) {
      if (bytes.front() != '\r') return false;
      line_end_due_ = false;
    }
    if (last_ == '\r') {
      if (bytes.front() != '\n') return false;
      last_ = '\n';
      bytes.remove_prefix(1);
      continue;
    }
    if (last_ == '\n' && is_blank(bytes.front())) return false;
    const std::size_t size = std::min(bytes.find('\r'), bytes.size());
    if (bytes.substr(0, size).contains('\n')) return false;
    last_ = size < bytes.size() ? '\r' : bytes.back();
    bytes.remove_prefix(std::min(size + 1, bytes.size()));
  }
  return true;
}

bool LineScan::at_method_name(std::string_view rest) const {
  if (rest.empty()) return false;
  return is_token(rest.substr(0, 1)) || (rest.front() == ' ' && is_token({&last_, 1}));
}

}  // namespace tocsin::proto
