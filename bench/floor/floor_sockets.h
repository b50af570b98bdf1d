// Loopback sockets for tocsin_bench_floor: what the kernel alone takes, without any server.
#pragma once

#include <netinet/in.h>

#include <atomic>
#include <cstdint>
#include <vector>

namespace tocsin::bench {

// Sending ends in this process, receiving ends in a forked one that only drains them. The receiver
// ends when the sockets close.
class FloorSockets {
 public:
  // Exits the process with a message if the sockets cannot be had. `receiver_cpu` pins the child;
  // -1: not.
  FloorSockets(std::uint32_t count, int receiver_cpu);
  ~FloorSockets();
  FloorSockets(const FloorSockets&) = delete;
  FloorSockets& operator=(const FloorSockets&) = delete;

  [[nodiscard]] const std::vector<int>& fds() const { return fds_; }
  // Bytes that the receiver has read so far.
  [[nodiscard]] std::uint64_t drained() const { return drained_->load(); }

 private:
  std::vector<int> fds_;
  std::atomic<std::uint64_t>* drained_;  // shared with the child
  int child_ = -1;
};

// Accepts on 127.0.0.1:port (0: any), prints "listening PORT", answers every request with the head
// of an event stream and holds the socket with nothing armed on it, until the process is ended:
// the bare socket that T3 subtracts. Returns the exit status.
int serve_bare(std::uint16_t port);

enum class PortUse : std::uint8_t { alone, shared };  // shared: all who listen there say so

// A listener on 127.0.0.1:port (0: any) with `flags` (SOCK_NONBLOCK) and a long backlog; `address`
// becomes where it listens. Exits the process with a message if it cannot be had.
int listen_on(std::uint16_t port, int flags, PortUse use, sockaddr_in& address);

// Raises the soft limit of descriptors to the hard one.
void raise_descriptor_limit();

}  // namespace tocsin::bench
