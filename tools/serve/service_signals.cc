#include "tools/serve/service_signals.h"

#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <initializer_list>

#include <fmt/format.h>

namespace tocsin::tools {
namespace {

constexpr std::array kDrain{SIGTERM, SIGINT, SIGQUIT, SIGXCPU};
// Beside them those from SIGRTMIN to SIGRTMAX, which are known at run time.
constexpr std::array kNothing{SIGUSR1, SIGUSR2, SIGALRM,   SIGVTALRM, SIGPROF,
                              SIGIO,   SIGPWR,  SIGSTKFLT, SIGXFSZ};

using SignalHandler = void (*)(int);

SignalHandler handler_of(int signal) {
  struct sigaction action{};
  ::sigaction(signal, nullptr, &action);
  return action.sa_handler;
}

}  // namespace

std::string ServiceSignals::Signal::name() const {
  const char* name = ::sigabbrev_np(number);
  return name != nullptr ? fmt::format("SIG{}", name) : fmt::format("signal {}", number);
}

ServiceSignals::ServiceSignals() {
  ::sigemptyset(&set_);
  for (const int signal : {SIGHUP, SIGTERM, SIGXCPU}) ::sigaddset(&set_, signal);
  for (const int signal : {SIGINT, SIGQUIT}) {
    if (handler_of(signal) != SIG_IGN) ::sigaddset(&set_, signal);
  }
  const auto take = [this](int signal) {
    if (handler_of(signal) == SIG_DFL) ::sigaddset(&set_, signal);
  };
  std::ranges::for_each(kNothing, take);
  for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) take(signal);
  ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  for (int fd = 0; fd < 3; ++fd) on_terminal_[static_cast<std::size_t>(fd)] = ::isatty(fd) == 1;
}

ServiceSignals::Signal ServiceSignals::wait(std::chrono::milliseconds timeout) const {
  const timespec time{.tv_sec = timeout.count() / 1000,
                      .tv_nsec = timeout.count() % 1000 * 1'000'000};
  const int number = ::sigtimedwait(&set_, nullptr, &time);
  if (number <= 0) return {};
  if (number == SIGHUP) return {number, terminal_is_gone() ? Meaning::drain : Meaning::reload};
  const bool drain = std::ranges::find(kDrain, number) != kDrain.end();
  return {number, drain ? Meaning::drain : Meaning::nothing};
}

// A terminal that was hung up fails every request (EIO), also this one.
bool ServiceSignals::terminal_is_gone() const {
  for (int fd = 0; fd < 3; ++fd) {
    if (on_terminal_[static_cast<std::size_t>(fd)] && ::isatty(fd) != 1) return true;
  }
  return false;
}

}  // namespace tocsin::tools
