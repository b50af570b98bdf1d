// What comes round at intervals, in one thread.
#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <vector>

namespace tocsin::demo {

// Not thread-safe: filled first, then run in a thread.
class Timetable {
 public:
  // `task` is to run `first` after run() began and then every `interval`.
  void every(
      std::chrono::steady_clock::duration interval, std::function<void()> task,
      std::chrono::steady_clock::duration first = std::chrono::steady_clock::duration::zero());

  // Until it is asked to stop. A round that is late does not shift those after it; rounds that were
  // missed altogether (the machine slept) are left out.
  void run(const std::stop_token& stop);

 private:
  struct Task {
    std::chrono::steady_clock::duration interval;
    std::chrono::steady_clock::duration first;
    std::function<void()> run;
    std::chrono::steady_clock::time_point due{};
  };
  std::vector<Task> tasks_;
};

}  // namespace tocsin::demo
