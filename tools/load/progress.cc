#include "tools/load/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "tools/base/print.h"

namespace tocsin::load {
namespace {

constexpr std::string_view kClearLine = "\r\x1b[K";

std::size_t columns(std::FILE* out) {
  winsize size{};
  if (ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace

std::string short_number(double value) {
  if (value < 1000) return fmt::format("{:.{}f}", value, value < 10 && value > 0 ? 1 : 0);
  if (value < 1e6) return fmt::format("{:.1f} k", value / 1e3);
  return fmt::format("{:.1f} M", value / 1e6);
}

Progress::Progress(std::FILE* out, bool quiet)
    : out_(out), quiet_(quiet), is_terminal_(isatty(fileno(out)) == 1) {}

Progress::~Progress() {
  const net::MutexLock lock(mutex_);
  clear_line();
}

void Progress::clear_line() {
  if (quiet_ || !is_terminal_) return;
  tools::print_text(out_, kClearLine);
  std::fflush(out_);
}

void Progress::phase(std::string_view name) {
  const net::MutexLock lock(mutex_);
  phase_ = name;
  if (quiet_) return;
  if (is_terminal_) {
    tools::print(out_, "{}{} ...", kClearLine, phase_);
  } else {
    tools::print(out_, "{}\n", phase_);
  }
  std::fflush(out_);
}

void Progress::show(const Sample& sample) {
  const net::MutexLock lock(mutex_);
  const double seconds = sample.at_s - last_.at_s;
  if (!quiet_ && is_terminal_ && seconds > 0) {
    const auto rate = [&](std::uint64_t before, std::uint64_t now) {
      return short_number(static_cast<double>(now - before) / seconds);
    };
    std::string line =
        fmt::format("{:<9} {} streams, {} events/s, {} deliveries/s, p99 {:.3g} ms, lost {}",
                    phase_, sample.connected, rate(last_.published, sample.published),
                    rate(last_.delivered, sample.delivered), sample.p99_ms, sample.lost);
    line.resize(std::min(line.size(), columns(out_) - 1));  // a wrapped line is not rewritten
    tools::print(out_, "{}{}", kClearLine, line);
    std::fflush(out_);
  }
  last_ = sample;
}

void Progress::note(std::string_view text) {
  const net::MutexLock lock(mutex_);
  clear_line();
  tools::print(out_, "{}\n", text);
}

}  // namespace tocsin::load
