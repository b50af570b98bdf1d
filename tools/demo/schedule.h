// What comes round at intervals, in one thread.
#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <vector>

namespace tocsin::demo {

// Not thread-safe: filled first, then run in a thread.
class Schedule {
 public:
  using Clock = std::chrono::steady_clock;

  // `task` is to run `first` after run() began and then every `interval`.
  void every(Clock::duration interval, std::function<void()> task,
             Clock::duration first = Clock::duration::zero());

  // Until it is asked to stop. A round that is late does not shift those after it; rounds that were
  // missed altogether (the machine slept) are left out.
  void run(const std::stop_token& stop);

 private:
  struct Task {
    Clock::duration interval;
    Clock::duration first;
    std::function<void()> run;
    Clock::time_point due{};
  };
  std::vector<Task> tasks_;
};

}  // namespace tocsin::demo
