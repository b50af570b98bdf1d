#include "net/server/history_choice.h"

#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <random>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "core/memory_store.h"
#include "net/io/listener.h"
#include "net/redis/redis_check.h"
#include "net/redis/redis_store.h"
#include "net/store/history_path.h"
#include "net/store/history_reader.h"
#include "net/store/sqlite_store.h"
#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {
namespace {

constexpr std::string_view kMemory = "memory";
constexpr std::string_view kSqlite = "sqlite:";

// statfs(2): NFS, SMB and CIFS, 9P, Ceph.
constexpr std::array<std::uint64_t, 5> kNetworkDisks{0x6969, 0xfe534d42, 0xff534d42, 0x01021997,
                                                     0x00c36400};
// SQLite's log, and a large commit in it.
constexpr std::uint64_t kWalRoom = 96 * limits::kMiB;

// What no topic keeps for so long need not come back; 0: some topic has no limit.
std::uint64_t longest_age_ms(const ServerOptions& options) {
  std::uint64_t longest_s = options.history_age_s;
  bool any_is_endless = longest_s == 0;
  for (const TopicNamespace& space : options.namespaces) {
    const std::uint64_t age_s = space.options.history_age_s.value_or(options.history_age_s);
    any_is_endless = any_is_endless || age_s == 0;
    longest_s = std::max(longest_s, age_s);
  }
  return any_is_endless ? 0 : longest_s * 1000;
}

// REQUIRES: history_fault() had none.
RedisOptions redis_options(const ServerOptions& options) {
  auto url = parse_redis_url(options.history);
  TOCSIN_ASSERT(url);
  return {.url = *std::move(url),
          .keep_bytes = options.history_file_bytes,
          .keep_age_ms = std::uint64_t{options.history_file_age_s} * 1000,
          .load_bytes = options.history_total_bytes};
}

}  // namespace

std::string history_fault(std::string_view history) {
  if (history == kMemory) return {};
  if (is_redis_url(history)) {
    const auto url = parse_redis_url(history);
    return url ? std::string() : "is no address of a history: " + url.error();
  }
  if (!history.starts_with(kSqlite)) return "is neither memory, sqlite:PATH nor redis://HOST/NAME";
  const std::string_view path = history.substr(kSqlite.size());
  if (path.empty()) return "names no file";
  // SQLite has files without a name for the former, and addresses for the latter.
  const bool special = path.starts_with(':') || path.starts_with("file:");
  return special || path.contains('\0') ? "names no file of a disk" : "";
}

std::string history_text(std::string_view history) {
  if (!is_redis_url(history)) return std::string(history);
  const auto url = parse_redis_url(history);
  return url ? url->to_string() : std::string(history.substr(0, history.find("://") + 3)) + "...";
}

HistoryFileOptions history_file_options(const ServerOptions& options) {
  TOCSIN_ASSERT(options.history.starts_with(kSqlite));
  return {.path = options.history.substr(kSqlite.size()),
          .sync = options.history_sync,
          .max_bytes = options.history_file_bytes,
          .max_age_ms = std::uint64_t{options.history_file_age_s} * 1000,
          .load_bytes = options.history_total_bytes,
          .load_age_ms = longest_age_ms(options),
          .patience = kListenPatience};  // of whom has our address, too
}

std::vector<std::string> history_warnings(const ServerOptions& options) {
  std::vector<std::string> warnings;
  if (options.history == kMemory) return warnings;
  if (is_redis_url(options.history)) {
    auto weak = check_redis(redis_options(options));
    return weak ? *std::move(weak) : std::vector{weak.error()};
  }
  namespace fs = std::filesystem;
  const HistoryFileOptions file = history_file_options(options);
  const auto place = place_of_history(file.path);
  if (!place) {
    warnings.push_back(fmt::format("{}: {}", file.path, place.error()));
    return warnings;
  }
  const std::string folder = fs::path(*place).parent_path().string();
  struct statfs disk{};
  if (::statfs(folder.c_str(), &disk) != 0) {
    warnings.push_back(fmt::format("{}: {}", folder, std::strerror(errno)));
    return warnings;
  }
  const auto type = static_cast<std::uint64_t>(disk.f_type);
  if (std::ranges::find(kNetworkDisks, type & 0xffffffff) != kNetworkDisks.end()) {
    warnings.push_back(fmt::format("{} is on a network's file system, whose locks and syncs SQLite "
                                   "cannot rely on",
                                   folder));
  }
  std::error_code absent;
  if (const auto size = fs::file_size(*place, absent); !absent && size > 0) {
    const auto judged = HistoryReader::open(*place);
    if (!judged) warnings.push_back(judged.error());
  }
  std::string exposed = exposure_of_history(*place);
  if (!exposed.empty()) warnings.push_back(std::move(exposed));
  std::error_code none;
  std::uint64_t has = 0;
  for (const char* end : {"", "-wal", ".reserve"}) {
    const std::uintmax_t size = fs::file_size(*place + end, none);
    if (!none) has += size;
  }
  const std::uint64_t room = has + disk.f_bavail * static_cast<std::uint64_t>(disk.f_bsize);
  const std::uint64_t needed = file.max_bytes / 4 * 5 + file.reserve_bytes + kWalRoom;
  if (room < needed) {
    warnings.push_back(fmt::format("{} has room for {} MiB, and history_file_bytes with all beside "
                                   "it may take {} MiB",
                                   folder, room / limits::kMiB, needed / limits::kMiB));
  }
  return warnings;
}

std::expected<std::unique_ptr<core::Store>, std::string> open_history(
    const ServerOptions& options) {
  if (options.history == kMemory) {
    return std::make_unique<core::MemoryStore>(static_cast<proto::Epoch>(std::random_device{}()));
  }
  if (is_redis_url(options.history)) return RedisStore::open(redis_options(options));
  return SqliteStore::open(history_file_options(options));
}

}  // namespace tocsin::net
