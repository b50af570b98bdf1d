#include "tools/serve/service_signals.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <initializer_list>
#include <utility>

#include <fmt/format.h>

#include "net/log.h"

namespace tocsin::tools {
namespace {

constexpr std::array kDrain{SIGTERM, SIGINT, SIGQUIT, SIGXCPU};
// Beside them those from SIGRTMIN to SIGRTMAX, which are known at run time.
constexpr std::array kNothing{SIGUSR1, SIGUSR2, SIGALRM,   SIGVTALRM, SIGPROF,
                              SIGIO,   SIGPWR,  SIGSTKFLT, SIGXFSZ};

// How late a hub that has started may be for the watch of its start.
constexpr std::chrono::milliseconds kWatchTurn{10};

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

StartSignals::StartSignals(const ServiceSignals& signals)
    : signals_(signals), thread_([this] { watch(); }) {}

ServiceSignals::Signal StartSignals::end() {
  {
    const net::MutexLock lock(mutex_);
    over_ = true;
  }
  if (thread_.joinable()) thread_.join();
  return std::exchange(came_, {});
}

void StartSignals::watch() {
  using Meaning = ServiceSignals::Meaning;
  ::pthread_setname_np(::pthread_self(), "start");
  while (true) {
    const ServiceSignals::Signal signal = signals_.wait(kWatchTurn);
    const net::MutexLock lock(mutex_);
    if (signal.meaning == Meaning::drain && !over_) {
      net::log::info("asked to end while it starts", {{"signal", signal.name()}});
      ::_exit(0);  // nobody is served, and what this waits for may never come
    }
    const bool counts = signal.meaning == Meaning::drain || signal.meaning == Meaning::reload;
    if (counts && came_.meaning != Meaning::drain) came_ = signal;
    if (over_) return;
  }
}

}  // namespace tocsin::tools
