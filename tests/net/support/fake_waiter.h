// A clock that moves only when a test says so, over real descriptors.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "net/base/mutex.h"
#include "net/transport/waiter.h"

namespace tocsin::net {

class FakeWaiter final : public Waiter {
 public:
  enum class Sleeps {
    jump,  // a wait for a single descriptor (a client's pause between attempts) passes at once
    stand,
  };

  explicit FakeWaiter(Sleeps sleeps = Sleeps::jump)
      : sleeps_(sleeps), moved_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~FakeWaiter() override { ::close(moved_fd_); }
  FakeWaiter(const FakeWaiter&) = delete;
  FakeWaiter& operator=(const FakeWaiter&) = delete;

  TimePoint now() override {
    const MutexLock lock(mutex_);
    return now_;
  }

  int wait(std::span<pollfd> fds, TimePoint deadline) override {
    if (fds.size() == 1 && sleeps_ == Sleeps::jump) {
      const int ready = ::poll(fds.data(), fds.size(), 0);
      const MutexLock lock(mutex_);
      if (ready == 0 && deadline > now_) now_ = deadline;
      return ready;
    }
    std::vector<pollfd> all(fds.begin(), fds.end());
    all.push_back({moved_fd_, POLLIN, 0});
    while (true) {
      bool passed = false;
      {
        const MutexLock lock(mutex_);
        drain();
        deadline_ = deadline;
        ++turns_;
        entered_.notify_all();
        passed = now_ >= deadline;
      }
      ::poll(all.data(), all.size(), passed ? 0 : -1);
      int ready = 0;
      for (std::size_t i = 0; i < fds.size(); ++i) {
        fds[i].revents = all[i].revents;
        ready += all[i].revents != 0 ? 1 : 0;
      }
      if (ready > 0 || passed) return ready;
    }
  }

  void advance(std::chrono::milliseconds by) {
    const MutexLock lock(mutex_);
    now_ += by;
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(moved_fd_, &one, sizeof one);
  }

  // Waits that were begun or gone on with.
  [[nodiscard]] std::uint64_t turns() const {
    const MutexLock lock(mutex_);
    return turns_;
  }

  // Blocks until the client waits with exactly this deadline: it has dealt with what came before.
  void await_deadline(TimePoint deadline) {
    const MutexLock lock(mutex_);
    while (deadline_ != deadline) entered_.wait(mutex_);
  }

  // Blocks until the client waits with a later deadline than this.
  void await_deadline_after(TimePoint deadline) {
    const MutexLock lock(mutex_);
    while (deadline_ <= deadline) entered_.wait(mutex_);
  }

 private:
  void drain() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(moved_fd_, &count, sizeof count);
  }

  const Sleeps sleeps_;
  const int moved_fd_;
  mutable Mutex mutex_;
  Condition entered_;
  std::uint64_t turns_ TOCSIN_LOCKS(guarded_by(mutex_)) = 0;
  TimePoint now_ TOCSIN_LOCKS(guarded_by(mutex_)){std::chrono::hours(1)};
  TimePoint deadline_ TOCSIN_LOCKS(guarded_by(mutex_)){};  // of the wait entered last
};

}  // namespace tocsin::net
