// A sleep that ends as soon as its thread is asked to stop.
#pragma once

#include <chrono>
#include <condition_variable>
#include <stop_token>

#include "net/base/mutex.h"

namespace tocsin::tools {

// Until `end` or until `stop` is requested, whichever comes first. time_point::max(): only the
// latter.
inline void wait_for_stop(const std::stop_token& stop, std::chrono::steady_clock::time_point end) {
  net::Mutex mutex;  // guards nothing: nobody but `stop` wakes
  net::MutexLock lock(mutex);
  std::condition_variable_any().wait_until(lock, stop, end, [] { return false; });
}

}  // namespace tocsin::tools
