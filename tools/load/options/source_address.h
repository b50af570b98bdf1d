// The addresses that connections come from. One address has some 28,000 ports to one destination
// under Linux's default ip_local_port_range, so a large run needs many.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin::load {

// "127.0.0.1", "127.1.0.1-127.1.3.250", "127.0.0.0/8", several with commas. IPv4.
class SourceAddresses {
 public:
  SourceAddresses() = default;  // the kernel's choice
  [[nodiscard]] static std::expected<SourceAddresses, std::string> parse(std::string_view text);

  [[nodiscard]] bool is_empty() const { return ranges_.empty(); }
  // Of subscriber `index` at its `attempt`: 1,000 on each address, and other addresses at each
  // attempt as far as there are any, because ports of closed connections stay in TIME_WAIT for a
  // minute. REQUIRES: not empty.
  [[nodiscard]] in_addr of(std::uint32_t index, std::uint32_t attempt) const;
  [[nodiscard]] std::uint64_t count() const;

 private:
  struct Range {
    std::uint32_t first;  // host order
    std::uint32_t count;
  };
  std::vector<Range> ranges_;
};

}  // namespace tocsin::load
