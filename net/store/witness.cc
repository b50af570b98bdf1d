#include "net/store/witness.h"

#include <fcntl.h>
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

// What later versions say besides; those before read and write a Record alone.
struct Said {
  Record record{};
  std::uint64_t changed_ns = 0;
  std::uint32_t unused = 0;
  std::uint32_t crc = 0;  // of all before it

  [[nodiscard]] std::uint32_t checksum() const {
    return crc32c({reinterpret_cast<const char*>(this), offsetof(Said, crc)});
  }
};
static_assert(sizeof(Said) == 96, "no padding");

std::optional<Said> read_said(int fd) {
  Said said;
  const ssize_t bytes = ::pread(fd, &said, sizeof(said), 0);
  const Record& record = said.record;
  if (bytes < ssize_t{sizeof(Record)}) return std::nullopt;
  if (record.magic != Record{}.magic || record.crc != record.checksum()) return std::nullopt;
  if (bytes < ssize_t{sizeof(said)} || said.crc != said.checksum()) said.changed_ns = 0;
  return said;
}

Testimony testimony_of(const Said& said) {
  const Record& record = said.record;
  const auto end = std::ranges::find(record.boot, '\0');
  return {.newest = {.epoch = record.epoch, .sequence = record.sequence},
          .file = record.file,
          .synced = record.synced != 0,
          .closed = record.closed != 0,
          .changed_ns = said.changed_ns,
          .boot = std::string(record.boot.begin(), end)};
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
  auto file = LockedFile::open(path, O_RDWR | O_CREAT);
  if (!file) return std::unexpected(file.error());
  static_cast<void>(::fchmod(file->descriptor(), 0600));  // who may read it can lock it
  const int error = file->lock(patience);
  Witness witness(*std::move(file));
  const std::optional<Said> said = read_said(witness.file_.descriptor());
  if (error != 0 && error != EWOULDBLOCK) {
    return std::unexpected(fmt::format("{}: cannot be locked: {}", path, std::strerror(error)));
  }
  if (error != 0) {
    return std::unexpected(fmt::format("{} is locked: another hub has this history open{}", path,
                                       said ? fmt::format(", process {}", said->record.pid) : ""));
  }
  if (said) {
    witness.before_ = testimony_of(*said);
  } else {
    sync_directory(path);
  }
  return witness;
}

bool Witness::testify(const Testimony& testimony) {
  Said said{.changed_ns = testimony.changed_ns};
  said.record = {.file = testimony.file,
                 .sequence = testimony.newest.sequence,
                 .epoch = testimony.newest.epoch,
                 .pid = static_cast<std::uint32_t>(::getpid()),
                 .synced = testimony.synced,
                 .closed = testimony.closed};
  std::ranges::copy(std::string_view(testimony.boot).substr(0, said.record.boot.size()),
                    said.record.boot.begin());
  said.record.crc = said.record.checksum();
  said.crc = said.checksum();
  return ::pwrite(file_.descriptor(), &said, sizeof(said), 0) == ssize_t{sizeof(said)};
}

bool Witness::testify_and_sync(const Testimony& testimony) {
  return testify(testimony) && ::fdatasync(file_.descriptor()) == 0;
}

std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

}  // namespace tocsin::net
