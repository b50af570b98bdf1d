// GET /price: prices of two shares, new ones every second.
//
// An example of a stream that its handler writes itself: what a client gets is decided here, from
// its Last-Event-ID, and not by a topic of the hub.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <random>
#include <string_view>
#include <vector>

#include "net/application.h"
#include "net/base/mutex.h"
#include "tools/demo/timestamp.h"

namespace tocsin::demo {

// Must outlive the server. Threads: any.
class Prices {
 public:
  explicit Prices(std::uint32_t seed) : random_(seed) {}

  // It refers to this object.
  [[nodiscard]] net::Route route();

  // New prices, for all who read. One thread only.
  void tick(WallClock::time_point now);

 private:
  struct Quote {
    std::string_view symbol;
    double price;
  };
  struct Round {
    std::int64_t id = 0;  // milliseconds since 1970
    std::array<Quote, 2> quotes{};
  };

  // Rounds that a client which was away gets afterwards: a minute of them.
  static constexpr std::size_t kKept = 60;

  void open(const net::StreamWriter& writer, std::int64_t last_id);
  // What of the round is above the id `after`.
  static void write(const net::StreamWriter& writer, const Round& round, std::int64_t after = 0);

  std::minstd_rand random_;
  std::array<Quote, 2> now_{Quote{"AAPL", 92.607347}, Quote{"AMZN", 73.540894}};
  net::Mutex mutex_;
  std::deque<Round> kept_ TOCSIN_LOCKS(guarded_by(mutex_));
  std::vector<net::StreamWriter> readers_ TOCSIN_LOCKS(guarded_by(mutex_));
};

}  // namespace tocsin::demo
