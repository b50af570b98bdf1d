#include "net/store/witness.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>

#include <fmt/format.h>

#include "net/store/crc32c.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

// As it is in the file, which is of one machine: its numbers are in that machine's order.
struct Record {
  std::array<char, 8> magic{'t', 'o', 'c', 's', 'i', 'n', 'w', '1'};
  std::uint64_t file = 0;
  std::uint64_t sequence = 0;
  std::uint32_t epoch = 0;
  std::uint32_t pid = 0;
  std::uint8_t synced = 0;
  std::uint8_t closed = 0;
  std::array<char, 42> boot{};  // a UUID; the rest is NUL
  std::uint32_t crc = 0;        // of all before it

  [[nodiscard]] std::uint32_t checksum() const {
    return crc32c({reinterpret_cast<const char*>(this), offsetof(Record, crc)});
  }
};
static_assert(sizeof(Record) == 80, "no padding, whose bytes would be anything");

std::optional<Record> read_record(int fd) {
  Record record;
  if (::pread(fd, &record, sizeof(record), 0) != ssize_t{sizeof(record)}) return std::nullopt;
  if (record.magic != Record{}.magic || record.crc != record.checksum()) return std::nullopt;
  return record;
}

Testimony testimony_of(const Record& record) {
  const auto end = std::ranges::find(record.boot, '\0');
  return {.newest = {.epoch = record.epoch, .sequence = record.sequence},
          .file = record.file,
          .synced = record.synced != 0,
          .closed = record.closed != 0,
          .boot = std::string(record.boot.begin(), end)};
}

// False: somebody has it; or errno says why.
bool lock(int fd, std::chrono::milliseconds patience) {
  constexpr int kAgainMs = 10;
  const auto end = std::chrono::steady_clock::now() + patience;
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK || std::chrono::steady_clock::now() >= end) return false;
    ::poll(nullptr, 0, kAgainMs);
  }
  return true;
}

// That the directory has the file's name. What of it fails shows as a witness that is missing.
void sync_directory(const std::string& path) {
  const std::string directory = std::filesystem::path(path).parent_path().string();
  const int fd = ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  static_cast<void>(::fsync(fd));
  ::close(fd);
}

}  // namespace

std::expected<Witness, std::string> Witness::take(const std::string& path,
                                                   std::chrono::milliseconds patience) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return std::unexpected(fmt::format("{}: {}", path, std::strerror(errno)));
  Witness witness(fd);
  static_cast<void>(::fchmod(fd, 0600));  // who may read it can lock it
  const bool locked = lock(fd, patience);
  const int error = errno;
  const std::optional<Record> record = read_record(fd);
  if (!locked && error != EWOULDBLOCK) {
    return std::unexpected(fmt::format("{}: cannot be locked: {}", path, std::strerror(error)));
  }
  if (!locked) {
    return std::unexpected(fmt::format("{} is locked: another hub has this history open{}", path,
                                       record ? fmt::format(", process {}", record->pid) : ""));
  }
  if (record) {
    witness.before_ = testimony_of(*record);
  } else {
    sync_directory(path);
  }
  return witness;
}

Witness::Witness(Witness&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), before_(std::move(other.before_)) {}

// The lock goes with the last descriptor of the file, and every shard's table has one.
Witness::~Witness() {
  if (fd_ < 0) return;
  ::flock(fd_, LOCK_UN);
  ::close(fd_);
}

bool Witness::testify(const Testimony& testimony) {
  TOCSIN_ASSERT(fd_ >= 0);
  Record record{.file = testimony.file,
                .sequence = testimony.newest.sequence,
                .epoch = testimony.newest.epoch,
                .pid = static_cast<std::uint32_t>(::getpid()),
                .synced = testimony.synced,
                .closed = testimony.closed};
  std::ranges::copy(std::string_view(testimony.boot).substr(0, record.boot.size()),
                    record.boot.begin());
  record.crc = record.checksum();
  return ::pwrite(fd_, &record, sizeof(record), 0) == ssize_t{sizeof(record)};
}

bool Witness::testify_and_sync(const Testimony& testimony) {
  return testify(testimony) && ::fdatasync(fd_) == 0;
}

std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

}  // namespace tocsin::net
