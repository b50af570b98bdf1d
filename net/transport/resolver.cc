#include "net/transport/resolver.h"

#include <system_error>

#include "net/base/thread_signals.h"
#include "proto/assert.h"

namespace tocsin::net {

Resolver::~Resolver() {
  std::thread thread;
  {
    const MutexLock lock(mutex_);
    over_ = true;
    thread.swap(thread_);
  }
  changed_.notify_one();
  if (thread.joinable()) thread.join();
}

void Resolver::start(Asker asker, const std::string& host, std::uint16_t port) {
  MutexLock lock(mutex_);
  TOCSIN_ASSERT(!over_);
  const auto [waiting, added] = waiting_.try_emplace({host, port});
  waiting->second.push_back(asker);
  if (added) names_.push_back(waiting->first);
  changed_.notify_one();
  if (thread_.joinable()) return;
  try {
    const SignalsBlocked blocked;  // they are for the threads of whoever uses this
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    waiting_.clear();
    names_.clear();
    lock.unlock();
    done_(asker, std::unexpected(SocketError{
                     SocketError::Kind::resolve,
                     std::string("no thread for a look-up: ") + error.code().message()}));
  }
}

void Resolver::run() {
  MutexLock lock(mutex_);
  while (true) {
    while (!over_ && names_.empty()) changed_.wait(mutex_);
    if (over_) return;
    const Name name = names_.front();
    names_.pop_front();
    lock.unlock();
    const LookUpResult result = look_up_(name.first, name.second);
    lock.lock();
    // Who asked meanwhile gets this answer, too.
    const auto askers = waiting_.extract(name);
    TOCSIN_ASSERT(!askers.empty() && !askers.mapped().empty());
    lock.unlock();
    for (const Asker asker : askers.mapped()) done_(asker, result);
    lock.lock();
  }
}

}  // namespace tocsin::net
