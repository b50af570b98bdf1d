#include "net/redis/master_watch.h"

#include <poll.h>
#include <pthread.h>

#include <array>
#include <chrono>
#include <utility>

#include "net/base/thread_signals.h"

namespace tocsin::net {
namespace {

using std::chrono::milliseconds;

// Between two times that they are asked; and that they have to answer, all in all.
constexpr milliseconds kPause{250};
constexpr milliseconds kPatience{1500};

}  // namespace

MasterWatch::MasterWatch(const RedisUrl& url, RedisTrust tls, std::function<void()> news)
    : sentinels_(url, std::move(tls)), news_(std::move(news)) {
  const SignalsBlocked blocked;
  thread_ = std::thread([this] { run(); });
}

MasterWatch::~MasterWatch() {
  waiter_.stop();
  thread_.join();
}

void MasterWatch::run() {
  ::pthread_setname_np(::pthread_self(), "sentinels");
  while (!waiter_.stopped()) {
    const TimePoint begin = waiter_.now();
    if (begin == kNever) return;
    const auto named = sentinels_.ask(waiter_, begin + kPatience);
    if (named && named->configuration > configuration_.load()) {
      configuration_ = named->configuration;
      news_();
    }
    std::array<pollfd, 1> none{pollfd{-1, 0, 0}};
    if (!waiter_.stopped()) waiter_.wait(none, begin + kPause);
  }
}

}  // namespace tocsin::net
