#include "tools/load/host/server_probe.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

namespace tocsin::load {
namespace {

namespace fs = std::filesystem;

// systemd's own bound for a unit's name (UNIT_NAME_MAX).
constexpr std::size_t kMaxUnitName = 255;

std::vector<fs::path> tasks_of(pid_t pid) {
  std::vector<fs::path> tasks;
  std::error_code gone;
  for (fs::directory_iterator it(fmt::format("/proc/{}/task", pid), gone), end; !gone && it != end;
       it.increment(gone)) {
    tasks.push_back(it->path());
  }
  return tasks;
}

void add_family(pid_t pid, std::vector<pid_t>& family) {
  // Somebody may name a parent and its child.
  if (std::ranges::find(family, pid) != family.end()) return;
  family.push_back(pid);
  for (const fs::path& task : tasks_of(pid)) {
    std::ifstream file(task / "children");
    for (pid_t child = 0; file >> child;) add_family(child, family);
  }
}

std::uint64_t page_bytes() {
  return static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

// The number that `text` begins with, after blanks; 0 without one.
std::uint64_t leading_number(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// The number behind `name` in a file of "name number" lines.
std::optional<std::uint64_t> field(const fs::path& path, std::string_view name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name)) return leading_number(std::string_view(line).substr(name.size()));
  }
  return std::nullopt;
}

std::uint64_t kilobytes(const fs::path& path, std::string_view name) {
  return field(path, name).value_or(0) * 1024;
}

struct Times {
  std::uint64_t user_ns = 0;
  std::uint64_t system_ns = 0;
};

// proc_pid_stat(5), fields 14 and 15: of all threads, ended ones too.
Times times_of(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string text;
  std::getline(file, text);
  const std::size_t name_end = text.rfind(')');  // the name may hold spaces and parentheses
  if (name_end == std::string::npos) return {};
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int i = 3; i < 14; ++i) fields >> skipped;
  std::uint64_t user = 0;
  std::uint64_t system = 0;
  fields >> user >> system;
  const std::uint64_t tick_ns = 1'000'000'000ULL / static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
  return {.user_ns = user * tick_ns, .system_ns = system * tick_ns};
}

// One system call, where the threads' schedstat files would be one for each and would forget the
// threads that have ended.
std::optional<std::uint64_t> clock_of(pid_t pid) {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return {};
  return (static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000ULL) +
         static_cast<std::uint64_t>(time.tv_nsec);
}

void add_switches(pid_t pid, ServerUsage& usage) {
  for (const fs::path& task : tasks_of(pid)) {
    const fs::path status = task / "status";
    usage.voluntary_switches += field(status, "voluntary_ctxt_switches:").value_or(0);
    usage.involuntary_switches += field(status, "nonvoluntary_ctxt_switches:").value_or(0);
  }
}

void add_memory(pid_t pid, bool exact, ServerUsage& usage) {
  if (exact) {
    const fs::path rollup = fmt::format("/proc/{}/smaps_rollup", pid);
    if (const auto rss_kb = field(rollup, "Rss:")) {
      usage.rss_bytes += *rss_kb * 1024;
      usage.pss_bytes += kilobytes(rollup, "Pss:");
      return;
    }
  }
  std::ifstream statm(fmt::format("/proc/{}/statm", pid));
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  if (statm >> size >> resident) usage.rss_bytes += resident * page_bytes();
}

std::uint64_t tcp_memory_bytes() {
  std::ifstream file("/proc/net/sockstat");
  for (std::string line; std::getline(file, line);) {
    const std::size_t at = line.find(" mem ");
    if (line.starts_with("TCP:") && at != std::string::npos) {
      return leading_number(std::string_view(line).substr(at + 5)) * page_bytes();
    }
  }
  return 0;
}

void shrink_slabs() {
  std::error_code error;
  for (fs::directory_iterator it("/sys/kernel/slab", error), end; !error && it != end;
       it.increment(error)) {
    std::ofstream(it->path() / "shrink") << "1";
  }
}

std::map<std::string, std::uint64_t> slab_caches() {
  std::map<std::string, std::uint64_t> caches;
  std::ifstream file("/proc/slabinfo");
  for (std::string line; std::getline(file, line);) {
    // name active objs size objs/slab pages/slab : tunables . . . : slabdata active_slabs slabs .
    std::istringstream fields(line);
    std::string name;
    std::string skipped;
    std::uint64_t pages_per_slab = 0;
    std::uint64_t slabs = 0;
    fields >> name;
    for (int i = 0; i < 4; ++i) fields >> skipped;
    fields >> pages_per_slab;
    for (int i = 0; i < 8; ++i) fields >> skipped;
    if (fields >> slabs) caches[name] = slabs * pages_per_slab * page_bytes();
  }
  return caches;
}

// systemd.unit(5): letters, digits and :-_.\ and @. A leading '-' would be read as an option, and
// *, ? and [ would make a pattern.
bool is_unit_name(std::string_view name) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@";
  return !name.empty() && name.size() <= kMaxUnitName && name.front() != '-' &&
         name.find_first_not_of(kAllowed) == std::string_view::npos;
}

std::string read_all(int descriptor) {
  std::string text;
  std::array<char, 4096> piece{};
  for (;;) {
    const ssize_t count = ::read(descriptor, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(count));
  }
}

struct Output {
  int status = 0;  // of waitpid()
  std::string text;
};

// Runs a program of PATH and reads what it writes to standard output and standard error. No shell.
std::expected<Output, std::string> run(std::vector<std::string> words) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
    return std::unexpected(fmt::format("pipe: {}", std::strerror(errno)));
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, pipe[1], STDERR_FILENO);
  pid_t child = 0;
  const int error =
      ::posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(pipe[1]);
  Output output;
  if (error == 0) {
    output.text = read_all(pipe[0]);
    while (::waitpid(child, &output.status, 0) < 0 && errno == EINTR) {
    }
  }
  ::close(pipe[0]);
  if (error != 0) return std::unexpected(fmt::format("{}: {}", words[0], std::strerror(error)));
  return output;
}

std::uint64_t beyond(std::uint64_t now, std::uint64_t earlier) {
  return now > earlier ? now - earlier : 0;
}

}  // namespace

ServerUsage ServerUsage::since(const ServerUsage& earlier) const {
  ServerUsage used = *this;
  used.cpu_ns = beyond(cpu_ns, earlier.cpu_ns);
  used.user_ns = beyond(user_ns, earlier.user_ns);
  used.system_ns = beyond(system_ns, earlier.system_ns);
  used.voluntary_switches = beyond(voluntary_switches, earlier.voluntary_switches);
  used.involuntary_switches = beyond(involuntary_switches, earlier.involuntary_switches);
  return used;
}

std::expected<pid_t, std::string> ServerProbe::main_pid(const std::string& unit) {
  if (!is_unit_name(unit)) {
    return std::unexpected(fmt::format("'{}' is no name of a systemd unit", unit));
  }
  const auto output = run({"systemctl", "show", "--property", "MainPID", "--value", "--", unit});
  if (!output) return std::unexpected(output.error());
  std::string_view answer = output->text;
  answer = answer.substr(0, answer.find('\n'));
  if (output->status != 0) {
    return std::unexpected(fmt::format("systemctl show {}: {}", unit, answer));
  }
  pid_t pid = 0;
  const char* const last = answer.data() + answer.size();
  const auto [end, error] = std::from_chars(answer.data(), last, pid);
  if (error != std::errc() || end != last || pid < 0) {
    return std::unexpected(fmt::format("systemctl show {}: '{}' is no process", unit, answer));
  }
  if (pid == 0) {
    return std::unexpected(fmt::format("{} has no main process: is it running?", unit));
  }
  return pid;
}

std::vector<pid_t> ServerProbe::family() const {
  std::vector<pid_t> family;
  for (const pid_t pid : pids_) add_family(pid, family);
  return family;
}

ServerUsage ServerProbe::usage(bool with_memory) const {
  ServerUsage usage;
  for (const pid_t pid : family()) {
    const Times times = times_of(pid);
    usage.user_ns += times.user_ns;
    usage.system_ns += times.system_ns;
    usage.cpu_ns += clock_of(pid).value_or(times.user_ns + times.system_ns);
    add_switches(pid, usage);
    add_memory(pid, with_memory, usage);
  }
  return usage;
}

KernelMemory kernel_memory(bool shrink) {
  if (shrink) shrink_slabs();
  return {.slab_bytes = kilobytes("/proc/meminfo", "Slab:"),
          .socket_bytes = tcp_memory_bytes(),
          .caches = slab_caches()};
}

}  // namespace tocsin::load
