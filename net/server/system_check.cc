#include "net/server/system_check.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "net/base/cores.h"
#include "proto/limits.h"
#include "proto/text/number.h"

namespace tocsin::net {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

// The process' own: listeners, ring, event descriptors, log, standard streams.
constexpr std::uint64_t kOwnDescriptors = 256;

// An idle stream costs 3.6 to 4.1 KB in the kernel (socket, inode, dentry, file, poll request) and
// 0.1 KB in the process; events in flight come on top.
constexpr std::uint64_t kBytesPerStream = 6 * limits::kKiB;

// A shard's listen(2) backlog: a quarter of its completion queue.
constexpr std::uint64_t kBacklog = 4096;

// Reads the kernel's text files; everything absent or unreadable is "nothing".
class Reader {
 public:
  explicit Reader(fs::path root) : root_(std::move(root)) {}

  [[nodiscard]] std::optional<std::string> text(const fs::path& path) const {
    std::ifstream file(root_ / path.relative_path());
    if (!file) {
      return std::nullopt;
    }
    return std::string(std::istreambuf_iterator<char>(file), {});
  }

  // The numbers of a file, separated by white space; "max" and "unlimited" are kUnlimited.
  [[nodiscard]] std::vector<std::uint64_t> numbers(const fs::path& path) const {
    std::vector<std::uint64_t> result;
    std::istringstream words(text(path).value_or(""));
    for (std::string word; words >> word;) {
      if (const auto number = to_number(word)) {
        result.push_back(*number);
      }
    }
    return result;
  }

  [[nodiscard]] std::optional<std::uint64_t> number(const fs::path& path) const {
    const auto all = numbers(path);
    return all.empty() ? std::nullopt : std::optional(all.front());
  }

  [[nodiscard]] static std::optional<std::uint64_t> to_number(std::string_view word) {
    if (word == "max" || word == "unlimited") {
      return kUnlimited;
    }
    return proto::read_number<std::uint64_t>(word);
  }

 private:
  fs::path root_;
};

// The hard limit of "Max open files" (proc_pid_limits(5)); the service raises the soft one itself.
[[nodiscard]] std::optional<std::uint64_t> descriptor_limit(const Reader& reader) {
  constexpr std::string_view kName = "Max open files";
  std::istringstream lines(reader.text("/proc/self/limits").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(kName)) {
      std::istringstream words(line.substr(kName.size()));
      std::string soft;
      std::string hard;
      words >> soft >> hard;
      return Reader::to_number(hard);
    }
  }
  return std::nullopt;
}

[[nodiscard]] std::optional<std::uint64_t> memory_available(const Reader& reader) {
  constexpr std::string_view kName = "MemAvailable:";
  std::istringstream lines(reader.text("/proc/meminfo").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(kName)) {
      std::istringstream words(line.substr(kName.size()));
      std::uint64_t kib = 0;
      if (words >> kib) {
        return kib * limits::kKiB;
      }
    }
  }
  return std::nullopt;
}

// The smallest memory.max from our control group up to the root (cgroup v2).
[[nodiscard]] std::optional<std::uint64_t> memory_limit(const Reader& reader) {
  std::istringstream lines(reader.text("/proc/self/cgroup").value_or(""));
  std::optional<std::uint64_t> least;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("0::/")) {
      continue;
    }
    for (fs::path group = line.substr(4); !group.empty(); group = group.parent_path()) {
      if (const auto limit = reader.number("/sys/fs/cgroup" / group / "memory.max")) {
        least = std::min(least.value_or(kUnlimited), *limit);
      }
    }
  }
  return least;
}

// Collects what is too low.
class Findings {
 public:
  void require(std::string name, std::optional<std::uint64_t> current, std::uint64_t needed,
               std::string why, std::string fix) {
    if (current && *current < needed) {
      list_.push_back({std::move(name), *current, needed, std::move(why), std::move(fix)});
    }
  }
  void require_sysctl(const Reader& reader, std::string_view name, std::uint64_t needed,
                      std::string why) {
    std::string path = fmt::format("/proc/sys/{}", name);
    std::ranges::replace(path, '.', '/');
    require(std::string(name), reader.number(path), needed, std::move(why),
            fmt::format("sysctl -w {}={}", name, needed));
  }
  void add(Finding finding) { list_.push_back(std::move(finding)); }
  [[nodiscard]] std::vector<Finding> take() { return std::move(list_); }

 private:
  std::vector<Finding> list_;
};

[[nodiscard]] std::uint64_t with_tenth(std::uint64_t number) {
  return number + (number + 9) / 10;
}

void check_descriptors(Findings& findings, const Reader& reader, std::uint64_t streams,
                       std::uint32_t shards) {
  const std::uint64_t per_shard = descriptors_per_shard(streams, shards);
  findings.require(
      "RLIMIT_NOFILE", descriptor_limit(reader), per_shard,
      fmt::format("each of {} shards keeps its streams in a descriptor table of its "
                  "own",
                  shards),
      fmt::format("LimitNOFILE={} in the unit, or ulimit -n {}", per_shard, per_shard));
  findings.require_sysctl(reader, "fs.nr_open", per_shard,
                          "no limit of descriptors can be set above it");
  findings.require_sysctl(reader, "fs.file-max", per_shard * shards,
                          "every stream is an open file of the whole system");
}

// Every packet looks its socket up in a table of hash chains, and each link of a chain is a cache
// miss: at eight sockets a bucket a delivery costs a third more CPU than at one (measured). The
// table's size is fixed when the kernel boots, or when a network namespace is made; negative in a
// namespace that uses the table of the first (Documentation/networking/ip-sysctl).
void check_socket_table(Findings& findings, const Reader& reader, std::uint64_t streams) {
  auto text = reader.text("/proc/sys/net/ipv4/tcp_ehash_entries").value_or("");
  if (text.starts_with('-')) text.erase(0, 1);
  if (text.ends_with('\n')) text.pop_back();
  // A power of two; the kernel takes 16 M at most.
  const std::uint64_t needed = std::min<std::uint64_t>(std::bit_ceil(streams / 2), 1U << 24);
  findings.require("net.ipv4.tcp_ehash_entries", Reader::to_number(text), needed,
                   "every packet walks a chain of the table of TCP sockets, which costs CPU",
                   fmt::format("boot with thash_entries={0}, or run in a network namespace that is "
                               "made after sysctl -w net.ipv4.tcp_child_ehash_entries={0}",
                               needed));
}

void check_network(Findings& findings, const Reader& reader, std::uint64_t streams) {
  findings.require_sysctl(reader, "net.core.somaxconn", std::min(streams, kBacklog),
                          "it cuts the listening queues, and a reconnecting crowd then waits for "
                          "TCP's retransmission");
  findings.require_sysctl(
      reader, "net.ipv4.tcp_max_syn_backlog",
      std::min<std::uint64_t>(65'536, std::max<std::uint64_t>(streams / 16, 128)),
      "half-open connections beyond it are dropped or fall back to SYN cookies");
  // "low pressure high" in pages; a socket with anything queued takes at least one.
  if (const auto pages = reader.numbers("/proc/sys/net/ipv4/tcp_mem"); pages.size() == 3) {
    findings.require(
        "net.ipv4.tcp_mem (pressure, pages)", pages[1], streams,
        "an event on its way takes a page of each socket, and past the mark the "
        "kernel cuts buffers",
        fmt::format("sysctl -w net.ipv4.tcp_mem=\"{} {} {}\"", streams, streams * 2, streams * 3));
  }
  check_socket_table(findings, reader, streams);
  findings.require_sysctl(reader, "net.netfilter.nf_conntrack_max", with_tenth(streams),
                          "the firewall tracks connections and silently drops the next one");
}

void check_uring(Findings& findings, const Reader& reader, const ServerOptions& options) {
  const auto disabled = reader.number("/proc/sys/kernel/io_uring_disabled");
  if (options.io != IoChoice::epoll && disabled.value_or(0) != 0) {
    findings.add({"kernel.io_uring_disabled", *disabled, 0,
                  *disabled == 1 ? "io_uring is kept for privileged processes, epoll is used"
                                 : "io_uring is switched off, epoll is used",
                  "sysctl -w kernel.io_uring_disabled=0, or set io = \"epoll\""});
  }
}

void check_memory(Findings& findings, const Reader& reader, const ServerOptions& options,
                  const Demand& demand) {
  const auto needed = [&](std::uint64_t streams) {
    return streams * kBytesPerStream + options.history_total_bytes;
  };
  const std::string why =
      "a stream takes up to 6 KiB, most of it in the kernel, and the history "
      "its own";
  findings.require("available memory (bytes)", memory_available(reader),
                   needed(demand.streams - demand.open), why,
                   "lower max_connections or history_total_bytes, or add memory");
  findings.require("memory.max of the control group (bytes)", memory_limit(reader),
                   needed(demand.streams), why,
                   fmt::format("MemoryMax={} in the unit", needed(demand.streams)));
}

}  // namespace

std::string Finding::text() const {
  return fmt::format("{} is {}, needs {}: {}; {}", name, current, needed, why, fix);
}

std::uint64_t descriptors_per_shard(std::uint64_t streams, std::uint32_t shards) {
  const std::uint64_t share = (streams + shards - 1) / shards;
  const std::uint64_t requests =
      std::min<std::uint64_t>(limits::kMaxRequestConnections, std::max<std::uint64_t>(share, 64));
  return with_tenth(share) + requests + kOwnDescriptors;
}

std::vector<Finding> check_system(const ServerOptions& options, const Demand& demand,
                                  std::uint32_t shards, const std::filesystem::path& root) {
  const Reader reader(root);
  Findings findings;
  check_descriptors(findings, reader, demand.streams, shards);
  check_memory(findings, reader, options, demand);
  check_network(findings, reader, demand.streams);
  check_uring(findings, reader, options);
  return findings.take();
}

std::expected<std::uint64_t, std::string> raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return std::unexpected(std::generic_category().message(errno));
  }
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
      return std::unexpected(std::generic_category().message(errno));
    }
  }
  return limit.rlim_cur;
}

std::uint32_t shard_count(std::uint32_t wanted) {
  if (wanted != 0) {
    return wanted;
  }
  return static_cast<std::uint32_t>(std::min(allowed_cores().size(), limits::kMaxShards));
}

}  // namespace tocsin::net
