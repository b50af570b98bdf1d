// Listening sockets.
#pragma once

#include <cstdint>
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
// once), TCP_USER_TIMEOUT of `user_timeout_ms` (a peer that takes nothing for so long is gone,
// whatever the policy for slow streams) and SO_SNDBUF of `send_buffer` bytes (0: the kernel's
// choice). The error is a sentence for the operator.
[[nodiscard]] std::expected<Listening, std::string> listen_on(const ListenAddress& address,
                                                              std::uint32_t send_buffer,
                                                              std::uint32_t user_timeout_ms);

// Whether another process listens there already. Sockets with SO_REUSEPORT of one user share a port
// without a complaint, and two hubs would each get some of the clients. The error is a sentence.
[[nodiscard]] std::expected<void, std::string> check_not_in_use(const ListenAddress& address);

}  // namespace tocsin::net
