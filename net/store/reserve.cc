#include "net/store/reserve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace tocsin::net {

bool Reserve::take() {
  if (whole_ || bytes_ == 0) return whole_ = true;
  const int fd = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return false;
  struct stat status{};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(fd);
    errno = EEXIST;  // what is there is somebody else's
    return false;
  }
  // Blocks that are the file's own, whatever is in them: where the file system cannot say so it
  // writes to each. Of a reserve of another size what is too much goes.
  const auto size = static_cast<off_t>(bytes_);
  int error = ::ftruncate(fd, 0) != 0 ? errno : ::posix_fallocate(fd, 0, size);
  if (error == 0 && ::fsync(fd) != 0) error = errno;
  ::close(fd);
  whole_ = error == 0;
  if (!whole_) give_up();
  errno = error;
  return whole_;
}

std::uint64_t Reserve::free_bytes() const {
  const std::filesystem::path folder = std::filesystem::path(path_).parent_path();
  std::error_code ignored;
  return std::filesystem::space(folder.empty() ? "." : folder, ignored).available;
}

void Reserve::give_up() {
  whole_ = false;
  ::unlink(path_.c_str());
}

}  // namespace tocsin::net
