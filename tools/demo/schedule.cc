#include "tools/demo/schedule.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace tocsin::demo {

void Schedule::every(Clock::duration interval, std::function<void()> task, Clock::duration first) {
  tasks_.push_back({.interval = interval, .first = first, .run = std::move(task)});
}

void Schedule::run(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;  // by the stop token only
  const auto begin = Clock::now();
  for (Task& task : tasks_) task.due = begin + task.first;
  while (!stop.stop_requested()) {
    auto next = Clock::time_point::max();
    for (Task& task : tasks_) {
      const auto now = Clock::now();
      if (task.due <= now && !stop.stop_requested()) {
        task.run();
        task.due += task.interval * ((now - task.due) / task.interval + 1);
      }
      next = std::min(next, task.due);
    }
    std::unique_lock lock(mutex);
    wake.wait_until(lock, stop, next, [] { return false; });
  }
}

}  // namespace tocsin::demo
