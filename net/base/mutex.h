// Locks that clang can check: which lock guards what stands in the code, and -Wthread-safety (on
// wherever clang compiles) refuses whoever uses it without. The standard library's own mutex says
// nothing of the kind, so no other file uses it.
//
//   Mutex mutex_;
//   int count_ TOCSIN_LOCKS(guarded_by(mutex_)) = 0;
//   void grow() TOCSIN_LOCKS(requires_capability(mutex_));
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

// `attribute`: one of https://clang.llvm.org/docs/ThreadSafetyAnalysis.html. Other compilers know
// none of them.
#ifdef __clang__
#define TOCSIN_LOCKS(attribute) __attribute__((attribute))
#else
#define TOCSIN_LOCKS(attribute)
#endif

namespace tocsin::net {

class TOCSIN_LOCKS(capability("mutex")) Mutex {
 public:
  void lock() TOCSIN_LOCKS(acquire_capability()) { mutex_.lock(); }
  void unlock() TOCSIN_LOCKS(release_capability()) { mutex_.unlock(); }

 private:
  friend class Condition;
  std::mutex mutex_;
};

// Holds `mutex`, which outlives it, until the end of its block. May be let go and taken again in
// between.
class TOCSIN_LOCKS(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) TOCSIN_LOCKS(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() TOCSIN_LOCKS(release_capability()) {
    if (held_) mutex_.unlock();
  }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void lock() TOCSIN_LOCKS(acquire_capability()) {
    mutex_.lock();
    held_ = true;
  }
  void unlock() TOCSIN_LOCKS(release_capability()) {
    held_ = false;
    mutex_.unlock();
  }

 private:
  Mutex& mutex_;
  bool held_ = true;
};

// Something that is guarded by a Mutex has changed.
class Condition {
 public:
  // Lets `mutex` go while it waits. May return for no reason: wait in a loop that looks.
  void wait(Mutex& mutex) TOCSIN_LOCKS(requires_capability(mutex)) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    changed_.wait(lock);
    lock.release();  // the caller's again
  }
  // The same, and no longer than until `end`; false: that has come.
  bool wait_until(Mutex& mutex, std::chrono::steady_clock::time_point end)
      TOCSIN_LOCKS(requires_capability(mutex)) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    const bool in_time = changed_.wait_until(lock, end) == std::cv_status::no_timeout;
    lock.release();
    return in_time;
  }
  void notify_one() { changed_.notify_one(); }
  void notify_all() { changed_.notify_all(); }

 private:
  std::condition_variable changed_;
};

}  // namespace tocsin::net
