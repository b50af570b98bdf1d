#include "net/base/locked_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "proto/assert.h"

namespace tocsin::net {

std::expected<LockedFile, std::string> LockedFile::open(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return std::unexpected(fmt::format("{}: {}", path, std::strerror(errno)));
  return LockedFile(fd);
}

LockedFile::LockedFile(LockedFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

// The lock would go with the last descriptor of the file, and every shard's table has one.
LockedFile::~LockedFile() {
  if (fd_ < 0) return;
  ::flock(fd_, LOCK_UN);
  ::close(fd_);
}

int LockedFile::lock(std::chrono::milliseconds patience) {
  TOCSIN_ASSERT(fd_ >= 0);
  constexpr int kAgainMs = 10;
  const auto end = std::chrono::steady_clock::now() + patience;
  while (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK || std::chrono::steady_clock::now() >= end) return errno;
    ::poll(nullptr, 0, kAgainMs);
  }
  return 0;
}

std::uint64_t LockedFile::changed_ns() const {
  TOCSIN_ASSERT(fd_ >= 0);
  struct stat status{};
  if (::fstat(fd_, &status) != 0) return 0;
  return static_cast<std::uint64_t>(status.st_ctim.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(status.st_ctim.tv_nsec);
}

bool LockedFile::sync() {
  return ::fsync(fd_) == 0;
}

}  // namespace tocsin::net
