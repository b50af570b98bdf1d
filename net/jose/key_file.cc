#include "net/jose/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "net/jose/key_documents.h"

namespace tocsin::net {
namespace {

class OpenFile {
 public:
  // Not waiting: what is no file (a pipe) may have nobody at its other end.
  explicit OpenFile(const std::string& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

std::unexpected<std::string> failed(const std::string& path) {
  return std::unexpected(
      path + " cannot be read: " + std::error_code(errno, std::generic_category()).message());
}

std::string words_of(const std::string& path, const char* what, mode_t mode) {
  char octal[8];
  std::snprintf(octal, sizeof octal, "%04o", static_cast<unsigned>(mode & 07777U));
  return path + " can be " + what + " by everybody (mode " + octal + ")";
}

// A group may read it: that is how a service gets the file of another user.
KeyFile key_file(Secret&& bytes, int fd, const std::string& path, mode_t mode) {
  KeyFile file{
      .bytes = std::move(bytes), .exposure = {}, .changeable = changeable_by_all(fd, path)};
  file.exposure = (mode & S_IROTH) != 0 ? words_of(path, "read", mode) : file.changeable;
  return file;
}

}  // namespace

std::string changeable_by_all(int fd, const std::string& path) {
  struct stat status{};
  if (::fstat(fd, &status) == 0 && (status.st_mode & S_IWOTH) != 0) {
    return words_of(path, "changed", status.st_mode);
  }
  // Where a link leads, and where the link itself is.
  std::error_code none;
  const auto there = std::filesystem::canonical(path, none);
  for (auto folder : {there, std::filesystem::absolute(path, none)}) {
    while (folder.has_relative_path()) {
      folder = folder.parent_path();
      const bool known = ::stat(folder.c_str(), &status) == 0;
      if (known && (status.st_mode & S_IWOTH) != 0 && (status.st_mode & S_ISVTX) == 0) {
        return words_of(folder.string(), "changed", status.st_mode);
      }
    }
  }
  return {};
}

std::expected<KeyFile, std::string> read_key_file(const std::string& path) {
  const OpenFile file(path);
  if (file.fd() < 0) return failed(path);
  struct stat status{};
  if (::fstat(file.fd(), &status) != 0) return failed(path);
  if (!S_ISREG(status.st_mode)) return std::unexpected(path + " is no regular file");
  // One byte more than is allowed: the file may be growing. In place, so that no copy is left
  // behind.
  std::string bytes(kMaxKeyDocument + 1, '\0');
  std::size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t got = ::read(file.fd(), bytes.data() + size, bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      auto error = failed(path);
      Secret::wipe(bytes);
      return error;
    }
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  bytes.resize(size);
  Secret secret(std::move(bytes));
  if (size > kMaxKeyDocument) return std::unexpected(path + " is too large for a key");
  return key_file(std::move(secret), file.fd(), path, status.st_mode);
}

}  // namespace tocsin::net
