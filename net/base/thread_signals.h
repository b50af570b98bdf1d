// Threads that a library starts must not take the signals of the program that it serves.
#pragma once

#include <signal.h>

namespace tocsin::net {

// Blocks every signal in this thread while it lives; a thread that starts then inherits the mask
// (pthread_sigmask(3)).
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace tocsin::net
