// Ends a program that follows a stream: on a signal, when nobody reads its output any more, or when
// its time is up; also while nothing arrives.
#pragma once

#include <signal.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

namespace tocsin::tools {

// The signals by which somebody or a terminal that goes away asks a program to end: SIGINT,
// SIGTERM, SIGHUP, but for those that are ignored (in a shell's background job, by nohup). All
// others keep their usual effect; SIGQUIT (Ctrl-\\) ends at once.
[[nodiscard]] sigset_t stop_signals();

// While one exists, the stop_signals() are blocked in the creating thread and in those that it
// starts, and a thread of its own waits for them. REQUIRES: created and destroyed in the same
// thread. To be created before others are started that must not die of these signals.
class StopWatcher {
 public:
  enum class Cause : std::uint8_t { none, signal, output_closed, timeout };

  // `stop` is called at most once, in the watcher's thread. `out_fd`: the output, not owned.
  // The error is in words (no descriptor or thread left).
  [[nodiscard]] static std::expected<std::unique_ptr<StopWatcher>, std::string> create(
      int out_fd, std::optional<std::chrono::milliseconds> timeout, std::function<void()> stop);
  ~StopWatcher();
  StopWatcher(const StopWatcher&) = delete;
  StopWatcher& operator=(const StopWatcher&) = delete;

  // From any thread.
  [[nodiscard]] Cause cause() const { return cause_.load(std::memory_order_acquire); }
  // Readable from the moment that `stop` is about to be called.
  [[nodiscard]] int stopped_fd() const { return stopped_fd_; }

 private:
  StopWatcher(int out_fd, std::function<void()> stop);
  void watch(std::optional<std::chrono::milliseconds> timeout);

  const std::thread::id creator_ = std::this_thread::get_id();
  int out_fd_;
  std::function<void()> stop_;
  sigset_t old_mask_{};
  int signal_fd_ = -1;
  int stopped_fd_ = -1;  // eventfd: something happened
  int done_fd_ = -1;     // eventfd: the destructor wants the thread to end
  std::atomic<Cause> cause_{Cause::none};
  std::thread thread_;
};

}  // namespace tocsin::tools
