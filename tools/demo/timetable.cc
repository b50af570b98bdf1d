#include "tools/demo/timetable.h"

#include <algorithm>
#include <utility>

#include "tools/base/stoppable_sleep.h"

namespace tocsin::demo {

void Timetable::every(std::chrono::steady_clock::duration interval, std::function<void()> task,
                      std::chrono::steady_clock::duration first) {
  tasks_.push_back({.interval = interval, .first = first, .run = std::move(task)});
}

void Timetable::run(const std::stop_token& stop) {
  const auto begin = std::chrono::steady_clock::now();
  for (Task& task : tasks_) task.due = begin + task.first;
  while (!stop.stop_requested()) {
    auto next = std::chrono::steady_clock::time_point::max();
    for (Task& task : tasks_) {
      const auto now = std::chrono::steady_clock::now();
      if (task.due <= now && !stop.stop_requested()) {
        task.run();
        task.due += task.interval * ((now - task.due) / task.interval + 1);
      }
      next = std::min(next, task.due);
    }
    tools::wait_for_stop(stop, next);
  }
}

}  // namespace tocsin::demo
