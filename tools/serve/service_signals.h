// What signals mean to a hub that runs as a process of its own: none of those that can be caught
// ends it without a drain.
#pragma once

#include <signal.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include "net/base/mutex.h"

namespace tocsin::tools {

// Waits for signals in one thread, so that no handler runs anywhere.
//
//   SIGTERM, SIGINT, SIGQUIT   drain: somebody asks for it
//   SIGXCPU                    drain: the limit of CPU time is near, and behind it is SIGKILL
//   SIGHUP                     reload; drain, if the terminal that it was started on is gone
//   SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT, SIGXFSZ and the
//   real-time ones             nothing; they would end the process (signal(7)), and the first two
//                              are sent by those who rotate logs
//   SIGPIPE                    ignored
//
// SIGINT and SIGQUIT that the parent wanted ignored (a shell's background job) stay so, and a
// signal without a meaning here that has a handler is left to it (a profiler's). Faults (SIGSEGV
// and its like, SIGABRT: what systemd's watchdog sends) end the process with a core dump.
class ServiceSignals {
 public:
  enum class Meaning : std::uint8_t { none, drain, reload, nothing };
  struct Signal {
    int number = 0;  // 0: none came
    Meaning meaning = Meaning::none;

    [[nodiscard]] std::string name() const;  // SIGTERM
  };

  // Blocks them in the calling thread and in those that it starts; before others are started.
  ServiceSignals();
  // The next one, or none after `timeout`.
  [[nodiscard]] Signal wait(std::chrono::milliseconds timeout) const;

 private:
  [[nodiscard]] bool terminal_is_gone() const;

  sigset_t set_{};
  std::array<bool, 3> on_terminal_{};  // the standard streams, at the start
};

// While a hub starts, which may take as long as a history's server is waited for. It serves nobody
// yet, so whoever asks it to end ends the process at once, with status 0.
class StartSignals {
 public:
  // `signals` outlives it.
  explicit StartSignals(const ServiceSignals& signals);
  ~StartSignals() { static_cast<void>(end()); }

  // The hub has started, or will not: waits for the watch to end. Returns what came for a hub that
  // serves.
  [[nodiscard]] ServiceSignals::Signal end();

 private:
  void watch();

  const ServiceSignals& signals_;
  net::Mutex mutex_;
  bool over_ TOCSIN_LOCKS(guarded_by(mutex_)) = false;
  ServiceSignals::Signal came_{};  // of the watch until it has ended
  std::jthread thread_;
};

}  // namespace tocsin::tools
