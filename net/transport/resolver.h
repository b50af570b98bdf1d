// Look-ups of names (net/transport/look_up.h) in a thread of their own.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "net/base/mutex.h"
#include "net/transport/look_up.h"

namespace tocsin::net {

// Looks names up in a thread of its own, which starts with the first name; one after another, each
// name once for all who wait for it.
class Resolver {
 public:
  // Who asked, in the caller's own terms.
  struct Asker {
    std::uint64_t id;
    std::uint64_t serial;
  };
  // Both are called in the resolver's thread (`done` by start() if no thread can be had). `done`
  // gets what start() was given; it may not call start().
  using Done = std::function<void(Asker asker, const LookUpResult& result)>;
  Resolver(LookUp look_up, Done done) : look_up_(std::move(look_up)), done_(std::move(done)) {}
  // Waits for the look-up that is under way.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Thread-safe.
  void start(Asker asker, const std::string& host, std::uint16_t port);

 private:
  using Name = std::pair<std::string, std::uint16_t>;
  void run();

  const LookUp look_up_;
  const Done done_;
  Mutex mutex_;
  Condition changed_;
  std::deque<Name> names_ TOCSIN_LOCKS(guarded_by(mutex_));  // to be looked up, in order
  // Who waits for which name.
  std::map<Name, std::vector<Asker>> waiting_ TOCSIN_LOCKS(guarded_by(mutex_));
  bool over_ TOCSIN_LOCKS(guarded_by(mutex_)) = false;
  std::thread thread_ TOCSIN_LOCKS(guarded_by(mutex_));  // that runs run(), if there is one
};

}  // namespace tocsin::net
