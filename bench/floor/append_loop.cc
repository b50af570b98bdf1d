#include "bench/floor/append_loop.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "net/base/clock.h"
#include "tools/base/print.h"

namespace tocsin::bench {
namespace {

[[noreturn]] void fail_append(const std::string& path) {
  tools::print(stderr, "tocsin_bench_floor: {}: {}\n", path, std::strerror(errno));
  std::exit(1);
}

void append(int fd, const std::string& path, const std::string& bytes) {
  for (std::size_t written = 0; written < bytes.size();) {
    const ssize_t part = ::write(fd, bytes.data() + written, bytes.size() - written);
    if (part < 0) fail_append(path);
    written += static_cast<std::size_t>(part);
  }
  if (::fdatasync(fd) != 0) fail_append(path);
}

}  // namespace

AppendFigures append_and_sync(const std::string& path, std::uint64_t bytes, double seconds) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) fail_append(path);
  const std::string data(bytes, 'x');
  append(fd, path, data);  // the file's first blocks
  std::vector<std::uint64_t> times_ns;
  const std::uint64_t begin_ns = net::now_ns();
  std::uint64_t now_ns = begin_ns;
  while (static_cast<double>(now_ns - begin_ns) < seconds * 1e9) {
    append(fd, path, data);
    const std::uint64_t end_ns = net::now_ns();
    times_ns.push_back(end_ns - now_ns);
    now_ns = end_ns;
  }
  ::close(fd);
  ::unlink(path.c_str());
  std::ranges::sort(times_ns);
  const auto at = [&](std::size_t percent) {
    return static_cast<double>(times_ns[(times_ns.size() - 1) * percent / 100]) / 1000;
  };
  return {.appends_per_s = static_cast<double>(times_ns.size()) * 1e9 /
                           static_cast<double>(now_ns - begin_ns),
          .p50_us = at(50),
          .p99_us = at(99)};
}

}  // namespace tocsin::bench
