// Bytes that nobody else may see. They are wiped when they are let go, whatever the allocator or a
// core dump does with the memory behind them.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "proto/text/wipe.h"

namespace tocsin::net {

// Owns its bytes. Only moved: a copy would be one more to wipe.
class Secret {
 public:
  Secret() = default;
  // Takes `bytes` over and leaves nothing in them.
  explicit Secret(std::string&& bytes) : bytes_(std::move(bytes)) { wipe(bytes); }
  ~Secret() { wipe(bytes_); }
  Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)) { wipe(other.bytes_); }
  Secret& operator=(Secret&& other) noexcept {
    if (this == &other) return *this;
    wipe(bytes_);
    bytes_ = std::move(other.bytes_);
    wipe(other.bytes_);
    return *this;
  }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;

  // Lives as long as the Secret.
  [[nodiscard]] std::string_view view() const { return bytes_; }

  static void wipe(std::string& bytes) { proto::wipe(bytes); }

 private:
  std::string bytes_;
};

}  // namespace tocsin::net
