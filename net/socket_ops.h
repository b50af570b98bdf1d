// The plain system calls that both real backends share.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace tocsin::net {

// Reads what is there: bytes, 0 at the end, or a negative errno.
std::int64_t receive_some(int fd, std::span<char> buffer);
void set_receive_buffer(int fd, std::uint32_t bytes);
std::uint64_t peer_address_key(int fd);
void shut_down_socket(int fd, bool reset);
// See Io::wake.
void signal_eventfd(int fd);

// A descriptor kept in reserve, given up to take one connection that is to be refused.
class ReserveDescriptor {
 public:
  ReserveDescriptor();
  ~ReserveDescriptor();
  ReserveDescriptor(const ReserveDescriptor&) = delete;
  ReserveDescriptor& operator=(const ReserveDescriptor&) = delete;
  bool refuse(int listener, std::string_view bytes);

 private:
  int fd_;
};

}  // namespace tocsin::net
