// Notices that Sentinels have made another server the master: the one before may take commands for
// seconds yet, all of which will be thrown away.
//
// Threads: one of its own, which asks them; the rest any.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

#include "net/redis/redis_url.h"
#include "net/redis/sentinels.h"
#include "net/transport/stop_waiter.h"

namespace tocsin::net {

class MasterWatch {
 public:
  // `url` outlives it. `news`: configuration() has risen.
  MasterWatch(const RedisUrl& url, RedisTrust tls, std::function<void()> news);
  ~MasterWatch();
  MasterWatch(const MasterWatch&) = delete;
  MasterWatch& operator=(const MasterWatch&) = delete;

  // The newest one that is known (Sentinels::Named); 0: none yet.
  [[nodiscard]] std::uint64_t configuration() const { return configuration_.load(); }

 private:
  void run();

  Sentinels sentinels_;
  const std::function<void()> news_;
  StopWaiter waiter_;
  std::atomic<std::uint64_t> configuration_{0};
  std::thread thread_;
};

}  // namespace tocsin::net
