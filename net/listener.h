// Listening sockets.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>

#include "net/listen_address.h"

namespace tocsin::net {

struct Listening {
  int fd = -1;
  ListenAddress address;  // as bound: with the port that the kernel chose
};

enum class Place : std::uint8_t {
  first,   // the address must be nobody's, and is this process' as soon as the call returns
  beside,  // one more listener of an address that `first` was called for
};

// The listener of a hub that was killed may outlive it: its ring is torn down behind the process,
// which took 0.5 s with 20,000 streams and 4 s with 100,000 (kernel 6.18, two busy cores). A
// supervisor tries again after this; whoever chose a port that another program has hears of it
// soon.
inline constexpr std::chrono::milliseconds kListenPatience{3000};

// A listening socket of an address, in the calling thread's descriptor table. Every shard has one
// of its own (SO_REUSEPORT), and the kernel deals connections out to them.
//
// Sockets with SO_REUSEPORT of one user share a port without a complaint, and two hubs would each
// get some of the clients. So the first one listens without that option, which the kernel grants to
// one socket of an address alone (and to none while anybody listens there, or on a wildcard that
// covers it), and takes the option on afterwards (inet_csk_get_port, reuseport_add_sock). Between
// "nobody is there" and "it is ours" there is no gap, nothing is left behind by a crash, and the
// address is held until the last of its listeners closes. Connections in TIME_WAIT are no obstacle.
//
// Connections inherit the socket's options: TCP_NODELAY (a frame goes out at once),
// TCP_USER_TIMEOUT of `user_timeout_ms` (a peer that takes nothing for so long is gone, whatever
// the policy for slow streams), SO_KEEPALIVE (a peer that vanished while nothing was sent to it:
// limits::kKeepAliveIdleS) and SO_SNDBUF of `send_buffer` bytes (0: the kernel's choice). The error
// is a sentence for the operator. `first` tries again for `patience` while the address is in use.
[[nodiscard]] std::expected<Listening, std::string> listen_on(const ListenAddress& address,
                                                              Place place,
                                                              std::uint32_t send_buffer,
                                                              std::uint32_t user_timeout_ms,
                                                              std::chrono::milliseconds patience);

}  // namespace tocsin::net
