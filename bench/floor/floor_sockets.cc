#include "bench/floor/floor_sockets.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "tools/base/print.h"

namespace tocsin::bench {
namespace {

[[noreturn]] void fail(const char* what) {
  tools::print(stderr, "tocsin_bench_floor: {}: {}\n", what, std::strerror(errno));
  std::exit(1);
}

void drain(const std::vector<int>& fds, std::atomic<std::uint64_t>& drained) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  for (const int fd : fds) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
  }
  std::vector<char> buffer(std::size_t{256} * 1024);
  std::array<epoll_event, 512> events{};
  std::size_t open = fds.size();
  while (open > 0) {
    const int ready = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < ready; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      const ssize_t got = recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got > 0) drained.fetch_add(static_cast<std::uint64_t>(got));
      if (got > 0 || (got < 0 && errno == EAGAIN)) continue;
      close(fd);
      --open;
    }
  }
}

// The child's whole life: connect, then read until every socket is closed.
[[noreturn]] void receive(const sockaddr_in& address, std::uint32_t count, int cpu,
                          std::atomic<std::uint64_t>& drained) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // must not outlive a sender that was ended by force
  if (cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(cpu), &set);
    sched_setaffinity(0, sizeof set, &set);
  }
  std::vector<int> fds;
  for (std::uint32_t i = 0; i < count; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0) fail("socket");
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
      fail("connect");
    }
    fds.push_back(fd);
  }
  drain(fds, drained);
  std::_Exit(0);
}

}  // namespace

void raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int listen_on(std::uint16_t port, int flags, PortUse use, sockaddr_in& address) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  const int one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (use == PortUse::shared) setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) fail("bind");
  if (listen(listener, 4096) < 0) fail("listen");
  socklen_t size = sizeof address;
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  return listener;
}

FloorSockets::FloorSockets(std::uint32_t count, int receiver_cpu) {
  void* shared = mmap(nullptr, sizeof(std::atomic<std::uint64_t>), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) fail("mmap");
  drained_ = new (shared) std::atomic<std::uint64_t>(0);
  sockaddr_in address{};
  const int listener = listen_on(0, 0, PortUse::alone, address);
  child_ = fork();
  if (child_ < 0) fail("fork");
  if (child_ == 0) {
    close(listener);
    receive(address, count, receiver_cpu, *drained_);
  }
  const timeval patience{.tv_sec = 20, .tv_usec = 0};
  setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const int one = 1;
  for (std::uint32_t i = 0; i < count; ++i) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) fail("accept");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fds_.push_back(fd);
  }
  close(listener);
}

FloorSockets::~FloorSockets() {
  for (const int fd : fds_) {
    const linger reset{.l_onoff = 1, .l_linger = 0};  // no TIME_WAIT for what is measured next
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
  }
  waitpid(child_, nullptr, 0);
  munmap(drained_, sizeof *drained_);
}

int serve_bare(std::uint16_t port) {
  constexpr std::string_view kHead =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: bare\n\n";
  raise_descriptor_limit();
  sockaddr_in address{};
  const int listener = listen_on(port, 0, PortUse::alone, address);
  tools::print(stdout, "listening {}\n", ntohs(address.sin_port));
  std::fflush(stdout);
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) fail("accept");
    // Blocking and one after the other: the client sends its request as soon as it is connected.
    const timeval patience{.tv_sec = 2, .tv_usec = 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    std::array<char, 4096> request{};
    if (recv(fd, request.data(), request.size(), 0) <= 0 ||
        send(fd, kHead.data(), kHead.size(), MSG_NOSIGNAL) < 0) {
      close(fd);
    }
  }
}

}  // namespace tocsin::bench
