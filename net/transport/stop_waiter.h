// Waiting that another thread can end: what a thread that connects and asks does between.
#pragma once

#include <poll.h>

#include <atomic>
#include <span>

#include "net/transport/waiter.h"

namespace tocsin::net {

// Threads: now() and wait() of one; wake() and stop() of any.
class StopWaiter final : public Waiter {
 public:
  StopWaiter();
  ~StopWaiter() override;
  StopWaiter(const StopWaiter&) = delete;
  StopWaiter& operator=(const StopWaiter&) = delete;

  // False: no descriptor was left for it.
  [[nodiscard]] bool is_good() const { return event_ >= 0; }
  // Ends a wait(), or the next one.
  void wake();
  // From now on nothing is worth waiting for: every deadline has passed.
  void stop();
  [[nodiscard]] bool stopped() const { return stopped_.load(); }

  [[nodiscard]] TimePoint now() override;
  int wait(std::span<pollfd> fds, TimePoint deadline) override;

 private:
  const int event_;
  std::atomic<bool> stopped_{false};
};

}  // namespace tocsin::net
