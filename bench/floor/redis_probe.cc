#include "bench/floor/redis_probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "net/base/clock.h"
#include "tools/base/print.h"

namespace tocsin::bench {
namespace {

constexpr std::string_view kKey = "tocsin-bench-probe";
constexpr std::size_t kTimeDigits = 20;

[[noreturn]] void fail_probe(std::string_view why) {
  tools::print(stderr, "tocsin_bench_floor: --redis: {}\n", why);
  std::exit(1);
}

class RedisConnection {
 public:
  explicit RedisConnection(std::uint16_t port)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    if (fd_ < 0 || ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      fail_probe(std::strerror(errno));
    }
  }
  ~RedisConnection() { ::close(fd_); }
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  void send(std::initializer_list<std::string_view> words) const {
    std::string bytes = fmt::format("*{}\r\n", words.size());
    for (const std::string_view word : words) {
      bytes += fmt::format("${}\r\n{}\r\n", word.size(), word);
    }
    if (::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(bytes.size())) {
      fail_probe("a command cannot be sent");
    }
  }

  // Of the reply to the only command that has none: what stands behind `mark`, and is its end.
  [[nodiscard]] std::string reply_behind(std::string_view mark, std::size_t bytes) const {
    std::string reply;
    while (true) {
      const std::size_t at = reply.find(mark);
      if (at != std::string::npos && reply.size() >= at + mark.size() + bytes) {
        return reply.substr(at + mark.size());
      }
      std::array<char, 4096> part;
      const ssize_t count = ::recv(fd_, part.data(), part.size(), 0);
      if (count <= 0) fail_probe("the server has closed a connection");
      reply.append(part.data(), static_cast<std::size_t>(count));
      if (reply.starts_with('-')) fail_probe(reply.substr(0, reply.find('\r')));
    }
  }

 private:
  const int fd_;
};

std::string id_of(std::size_t entry) {
  return fmt::format("1-{}", entry);
}

// How long each took, as it came.
void read_entries(const RedisConnection& connection, std::uint32_t bytes,
                  std::vector<std::uint64_t>& took_ns) {
  const std::string mark = fmt::format("${}\r\n", bytes);
  for (std::size_t entry = 0; entry < took_ns.size(); ++entry) {
    const std::string behind = id_of(entry);
    connection.send({"XREAD", "BLOCK", "0", "STREAMS", kKey, behind});
    const std::string data = connection.reply_behind(mark, bytes + 2);
    std::uint64_t sent_ns = 0;
    std::from_chars(data.data(), data.data() + kTimeDigits, sent_ns);
    took_ns[entry] = net::now_ns() - sent_ns;
  }
}

}  // namespace

ProbeFigures probe_redis(std::uint16_t port, std::uint32_t bytes, double rate, double seconds) {
  if (bytes < kTimeDigits) fail_probe("--bytes: too few for a time");
  const RedisConnection writer(port);
  const RedisConnection reader(port);
  const auto remove = [&] {
    writer.send({"DEL", kKey});
    static_cast<void>(writer.reply_behind("\r\n", 0));
  };
  remove();
  const auto entries = static_cast<std::size_t>(rate * seconds);
  std::vector<std::uint64_t> took_ns(std::max<std::size_t>(entries, 1));
  std::thread reading([&] { read_entries(reader, bytes, took_ns); });
  const std::string padding(bytes - kTimeDigits, 'x');
  auto due = std::chrono::steady_clock::now();
  for (std::size_t entry = 1; entry <= took_ns.size(); ++entry) {
    due += std::chrono::nanoseconds(static_cast<std::int64_t>(1e9 / rate));
    std::this_thread::sleep_until(due);
    const std::string id = id_of(entry);
    writer.send({"XADD", kKey, id, "d", fmt::format("{:020}{}", net::now_ns(), padding)});
    static_cast<void>(writer.reply_behind(id + "\r\n", 0));
  }
  reading.join();
  remove();
  std::ranges::sort(took_ns);
  const auto at = [&](std::size_t percent) {
    return static_cast<double>(took_ns[(took_ns.size() - 1) * percent / 100]) / 1000;
  };
  return {.entries = took_ns.size(), .p50_us = at(50), .p99_us = at(99)};
}

}  // namespace tocsin::bench
