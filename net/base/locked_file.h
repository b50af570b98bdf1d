// A file that one process has for itself, by flock(2): no other that asks gets it meanwhile.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>

namespace tocsin::net {

class LockedFile {
 public:
  // Opens it, not yet locked. `flags`: of open(2); no link is followed; one that is made is for its
  // owner alone. The error is a sentence.
  [[nodiscard]] static std::expected<LockedFile, std::string> open(const std::string& path,
                                                                   int flags);
  // Lets the lock go, and closes the file.
  ~LockedFile();
  LockedFile(LockedFile&& other) noexcept;
  LockedFile& operator=(LockedFile&&) = delete;

  // Waits for who has it. 0; EWOULDBLOCK: somebody has it still; another error of flock(2).
  [[nodiscard]] int lock(std::chrono::milliseconds patience);
  [[nodiscard]] int descriptor() const { return fd_; }
  // When its bytes, owner, mode or names changed last (st_ctim): nanoseconds of Unix time; 0:
  // unknown.
  [[nodiscard]] std::uint64_t changed_ns() const;
  // What was written to it is on the disk; false: perhaps not.
  [[nodiscard]] bool sync();

 private:
  explicit LockedFile(int fd) : fd_(fd) {}

  int fd_;
};

}  // namespace tocsin::net
