#include "proto/http/line_scan.h"

#include <algorithm>

#include "proto/assert.h"
#include "proto/text/ascii.h"

namespace tocsin::proto {
namespace {

constexpr std::string_view kProtocol = "HTTP/";

bool is_control(char c) {
  return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
}

}  // namespace

void LineScan::start() {
  *this = LineScan{};
}

bool LineScan::takes(std::string_view bytes) {
  return takes_request_line(bytes) && takes_lines(bytes);
}

bool LineScan::takes_request_line(std::string_view bytes) {
  for (const char c : bytes) {
    switch (part_) {
      case Part::before:
        if (c != '\r' && c != '\n') part_ = Part::method;
        break;
      case Part::method:
        if (c == ' ') part_ = Part::target;
        break;
      case Part::target:
        if (c == '\r' || c == '\n') {
          part_ = Part::done;  // HTTP/0.9
        } else if (c != ' ') {
          if (is_control(c)) return false;
          matched_ = 1;
        } else {
          if (matched_ == 0) return false;
          part_ = Part::protocol;
          matched_ = 0;
        }
        break;
      case Part::protocol:
        TOCSIN_ASSERT(matched_ < kProtocol.size());
        if (c != kProtocol[matched_]) return false;
        if (++matched_ == kProtocol.size()) part_ = Part::done;
        break;
      case Part::done:
        return true;
    }
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
