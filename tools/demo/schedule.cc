#include "tools/demo/schedule.h"

#include <algorithm>
#include <utility>

#include "tools/stoppable_sleep.h"

namespace tocsin::demo {

void Schedule::every(Clock::duration interval, std::function<void()> task, Clock::duration first) {
  tasks_.push_back({.interval = interval, .first = first, .run = std::move(task)});
}

void Schedule::run(const std::stop_token& stop) {
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
    tools::sleep_until(stop, next);
  }
}

}  // namespace tocsin::demo
