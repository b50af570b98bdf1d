// The least that can stand in for a hub: streams, and publishes that go to those of a topic.
#pragma once

#include <cstdint>

namespace tocsin::bench {

enum class FloorWay : std::uint8_t { send, uring };

struct FloorServerOptions {
  FloorWay way = FloorWay::send;
  std::uint16_t port = 0;  // on 127.0.0.1; 0: any, printed
  // Each has a listener, over which the kernel spreads the connections, and a descriptor table:
  // RLIMIT_NOFILE bounds a table.
  unsigned threads = 1;
  unsigned batch = 128;  // io_uring sends in one system call
  // Arms what tells of a stream whose client left, as a hub must: EPOLLRDHUP, or
  // POLL_ADD(POLLRDHUP) on the ring. Without it a leaver is noticed by the next send.
  bool watch_hangups = false;
};

// Prints "listening PORT" and serves `tocsin load` until the process is ended: a GET becomes a
// stream of the topic that it names; a POST is answered with 204 and its body sent to the topic's
// streams as one event, those of the other threads included. By epoll, recv(2) and send(2); or by
// io_uring, where a turn with its answers, events and next receives is one system call. Topics are
// found by their number: `load-17` is 17. It keeps no log and no state for a stream, and parses no
// more than that client's requests need (a Content-Length as it spells it, one line of body); a
// stream that cannot take an event is closed. So a real hub behind the same client is compared with
// what the kernel takes.
[[noreturn]] void serve_floor(const FloorServerOptions& options);

}  // namespace tocsin::bench
