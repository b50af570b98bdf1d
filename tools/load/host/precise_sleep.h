// Sleeps that end when they should.
#pragma once

#include <sys/prctl.h>

namespace tocsin::load {

// While it lives, a sleep of the thread that made it ends some 5 to 10 us late on an idle core; by
// default the kernel may take 50 us more to join wake-ups (prctl(2), PR_SET_TIMERSLACK).
class PreciseSleep {
 public:
  PreciseSleep() : before_(prctl(PR_GET_TIMERSLACK)) { prctl(PR_SET_TIMERSLACK, 1UL); }
  ~PreciseSleep() {
    if (before_ > 0) prctl(PR_SET_TIMERSLACK, static_cast<unsigned long>(before_));
  }
  PreciseSleep(const PreciseSleep&) = delete;
  PreciseSleep& operator=(const PreciseSleep&) = delete;

 private:
  int before_;
};

}  // namespace tocsin::load
