// Events that one thread of the floor's server took, on their way to the streams of another.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/base/mutex.h"

namespace tocsin::bench {

struct FloorEvent {
  std::size_t topic;
  std::string frame;
};

// The same for all threads.
using FloorEvents = std::shared_ptr<const std::vector<FloorEvent>>;

class FloorInbox {
 public:
  FloorInbox() = default;
  FloorInbox(const FloorInbox&) = delete;
  FloorInbox& operator=(const FloorInbox&) = delete;

  // Readable while there is something in it. Every table that is copied after this was made has it
  // under this number.
  [[nodiscard]] int fd() const { return fd_; }

  // From any thread.
  void put(FloorEvents events) {
    {
      const net::MutexLock lock(mutex_);
      put_.push_back(std::move(events));
    }
    eventfd_write(fd_, 1);
  }

  // By the one thread whose it is.
  std::vector<FloorEvents> take() {
    eventfd_t ignored = 0;
    eventfd_read(fd_, &ignored);
    const net::MutexLock lock(mutex_);
    return std::exchange(put_, {});
  }

 private:
  const int fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);  // open until the process ends
  net::Mutex mutex_;
  std::vector<FloorEvents> put_ TOCSIN_LOCKS(guarded_by(mutex_));
};

}  // namespace tocsin::bench
