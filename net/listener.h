// Listening sockets.
#pragma once

#include <expected>
#include <string>

#include "net/listen_address.h"

namespace tocsin::net {

struct Listening {
  int fd = -1;
  ListenAddress address;  // as bound: with the port that the kernel chose
};

// A socket with SO_REUSEPORT, so that every shard has its own of the same address, in the calling
// thread's descriptor table. Connections inherit its options: TCP_NODELAY (a frame goes out at
// once), TCP_USER_TIMEOUT (a peer that acknowledges nothing for 30 s is gone) and SO_SNDBUF of
// `send_buffer` bytes (0: the kernel's choice). The error is a sentence for the operator.
[[nodiscard]] std::expected<Listening, std::string> listen_on(const ListenAddress& address,
                                                              std::uint32_t send_buffer);

}  // namespace tocsin::net
