// Listening sockets.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "net/io/listen_address.h"

namespace tocsin::net {

struct Listening {
  int fd = -1;
  ListenAddress address;  // as bound: with the port that the kernel chose
};

enum class ListenRole : std::uint8_t {
  first,   // the address must be nobody's, and is this process' as soon as the call returns
  beside,  // one more listener of an address that `first` was called for
};

// The listener of a hub that was killed may outlive it: its ring is torn down behind the process,
// which took 0.5 s with 20,000 streams and 4 s with 100,000 (kernel 6.18, two busy cores). A
// supervisor tries again after this; whoever chose a port that another program has hears of it
// soon.
inline constexpr std::chrono::milliseconds kListenPatience{3000};

// What connections inherit from their listener, besides TCP_NODELAY (a frame goes out at once) and
// SO_KEEPALIVE (a peer that vanished while nothing was sent to it: limits::kKeepAliveIdleS).
struct ListenOptions {
  std::uint32_t send_buffer = 0;  // SO_SNDBUF, bytes; 0: the kernel's own, growing choice
  // TCP_USER_TIMEOUT: a peer that takes nothing for so long is gone, whatever the policy for slow
  // streams.
  std::uint32_t user_timeout_ms = 0;
};

// A listening socket of an address. Every shard has one of its own (SO_REUSEPORT), and the kernel
// deals connections out to them.
//
// Sockets with SO_REUSEPORT of one user share a port without a complaint, and two hubs would each
// get some of the clients. So the first one listens without that option, which the kernel grants to
// one socket of an address alone (and to none while anybody listens there, or on a wildcard that
// covers it), and takes the option on afterwards (inet_csk_get_port, reuseport_add_sock). Between
// "nobody is there" and "it is ours" there is no gap, nothing is left behind by a crash, and the
// address is held until the last of its listeners closes. Connections in TIME_WAIT are no obstacle.
//
// The error is a sentence for the operator. `first` tries again for `patience` while the address is
// in use.
[[nodiscard]] std::expected<Listening, std::string> listen_on(const ListenAddress& address,
                                                              ListenRole role,
                                                              const ListenOptions& options,
                                                              std::chrono::milliseconds patience);

// Where `fd` listens; nothing: it is no listening socket of TCP over IPv4 or IPv6.
[[nodiscard]] std::optional<ListenAddress> listening_address(int fd);
// Makes a listening socket that somebody else opened, with whatever options, like one of
// listen_on(). Its address is held by it, so others may be opened beside it.
void adopt_listener(int fd, const ListenOptions& options);

}  // namespace tocsin::net
