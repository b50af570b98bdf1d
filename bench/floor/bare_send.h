// The two bare ways to send the same bytes to many sockets: what a hub cannot be cheaper than.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "net/io/uring.h"

namespace tocsin::bench {

// One send(2) for each of `fds`. Those that did not take all of `data` at once are added to
// `failed`.
void send_by_loop(std::span<const int> fds, std::string_view data, std::vector<int>& failed);

// What a BareRing has to tell.
struct RingNews {
  struct Received {
    int fd;
    int size;  // of what is in its buffer; 0: the peer has ended, or a negative errno
  };
  std::vector<int> failed;  // as of send_by_loop()
  std::vector<int> gone;    // watched, and their peer has left
  std::vector<Received> received;
  bool readable = false;  // what watch_readable() named

  void clear();
};

// io_uring, set up as the hub's. One thread makes and uses it. Entries go to the kernel in batches:
// memory that one names must live until the next submit() or wait().
class BareRing {
 public:
  // `batch`: sends in one system call, 1 to 1024.
  explicit BareRing(unsigned batch);

  // False: the kernel gives us no ring, and a line on standard error has said why.
  [[nodiscard]] bool usable() const { return ring_ != nullptr; }

  // A SEND for each of `fds`; a full batch is submitted, the rest is left queued.
  void send(std::span<const int> fds, std::string_view data);
  // One RECV; `buffer` must live until RingNews tells of it.
  void receive(int fd, std::span<char> buffer);
  // A POLL_ADD(POLLRDHUP), as the hub has one for every stream.
  void watch_hangup(int fd);
  // Told once when `fd` is readable.
  void watch_readable(int fd);

  // Hands over what is queued.
  void submit();
  // The same, and waits until there is something to tell.
  void wait();
  // Adds what there is to tell by now.
  void take(RingNews& news);

 private:
  std::unique_ptr<net::Ring> ring_;
  unsigned batch_;
  unsigned queued_ = 0;  // sends since the last submit
};

}  // namespace tocsin::bench
