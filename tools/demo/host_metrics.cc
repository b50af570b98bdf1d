#include "tools/demo/host_metrics.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <vector>

namespace tocsin::demo {
namespace {

std::string read_file(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t begin = text.find_first_not_of(separators);
    if (begin == std::string_view::npos) return words;
    text.remove_prefix(begin);
    const std::size_t end = std::min(text.find_first_of(separators), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

template <typename Number>
Number number(std::string_view text) {
  Number value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

double per_second(std::uint64_t before, std::uint64_t now, double seconds) {
  return now < before ? 0 : static_cast<double>(now - before) / seconds;
}

}  // namespace

// cpu  user nice system idle iowait irq softirq steal guest guest_nice
void HostSample::read_stat(std::string_view proc_stat) {
  constexpr std::size_t kIdle = 4;
  constexpr std::size_t kIoWait = 5;
  constexpr std::size_t kSteal = 8;  // guests' time is in user time already
  const auto words = split(proc_stat.substr(0, proc_stat.find('\n')), " ");
  if (words.size() <= kSteal || words.front() != "cpu") return;
  std::uint64_t all = 0;
  for (std::size_t i = 1; i <= kSteal; ++i) all += number<std::uint64_t>(words[i]);
  cpu_all_ticks = all;
  cpu_busy_ticks =
      all - number<std::uint64_t>(words[kIdle]) - number<std::uint64_t>(words[kIoWait]);
}

void HostSample::read_meminfo(std::string_view proc_meminfo) {
  for (const std::string_view line : split(proc_meminfo, "\n")) {
    const auto words = split(line, " ");
    if (words.size() < 2) continue;
    const std::uint64_t bytes = number<std::uint64_t>(words[1]) * 1024;
    if (words[0] == "MemTotal:") memory_total_bytes = bytes;
    if (words[0] == "MemAvailable:") memory_available_bytes = bytes;
  }
}

void HostSample::read_loadavg(std::string_view proc_loadavg) {
  load1 = number<double>(proc_loadavg.substr(0, proc_loadavg.find(' ')));
}

// "  eth0: received-bytes packets errs drop fifo frame compressed multicast sent-bytes ..."
void HostSample::read_net_dev(std::string_view proc_net_dev) {
  constexpr std::size_t kReceived = 1;
  constexpr std::size_t kSent = 9;
  received_bytes = sent_bytes = loopback_bytes = 0;
  for (const std::string_view line : split(proc_net_dev, "\n")) {
    const auto words = split(line, " :");
    if (!line.contains(':') || words.size() <= kSent) continue;
    const std::uint64_t received = number<std::uint64_t>(words[kReceived]);
    if (words.front() == "lo") {
      loopback_bytes += received;  // what is sent there is received there
    } else {
      received_bytes += received;
      sent_bytes += number<std::uint64_t>(words[kSent]);
    }
  }
}

HostSample sample_host() {
  HostSample sample{.taken = std::chrono::steady_clock::now()};
  sample.read_stat(read_file("/proc/stat"));
  sample.read_meminfo(read_file("/proc/meminfo"));
  sample.read_loadavg(read_file("/proc/loadavg"));
  sample.read_net_dev(read_file("/proc/net/dev"));
  return sample;
}

std::optional<HostRates> rates(const HostSample& before, const HostSample& now) {
  const double seconds = std::chrono::duration<double>(now.taken - before.taken).count();
  if (seconds <= 0 || now.cpu_all_ticks <= before.cpu_all_ticks) return {};
  const double busy = per_second(before.cpu_busy_ticks, now.cpu_busy_ticks, 1);
  const double all = per_second(before.cpu_all_ticks, now.cpu_all_ticks, 1);
  return HostRates{
      // Time that was waited for disks goes back now and then (proc(5)).
      .cpu_percent = std::min(100.0, 100 * busy / all),
      .received_bytes_per_s = per_second(before.received_bytes, now.received_bytes, seconds),
      .sent_bytes_per_s = per_second(before.sent_bytes, now.sent_bytes, seconds),
      .loopback_bytes_per_s = per_second(before.loopback_bytes, now.loopback_bytes, seconds)};
}

}  // namespace tocsin::demo
