// Notifications of something that really happens here: streams that open and end.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

namespace tocsin::demo {

// Counts from the hub's hooks, and says once a second at most what is new: a hub's streams open by
// the thousand.
//
// Threads: opened, closed from any; next from one.
class StreamNotices {
 public:
  void opened() { opened_.fetch_add(1, std::memory_order_release); }
  void closed() { closed_.fetch_add(1, std::memory_order_release); }

  // "2 streams opened, 1 closed; 5 are open"; nothing if there is nothing new.
  [[nodiscard]] std::optional<std::string> next();

 private:
  std::atomic<std::uint64_t> opened_{0};
  std::atomic<std::uint64_t> closed_{0};
  std::uint64_t opened_told_ = 0;
  std::uint64_t closed_told_ = 0;
};

}  // namespace tocsin::demo
