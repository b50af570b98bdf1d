#include "net/client/event_client.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <functional>
#include <optional>
#include <queue>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "net/base/mutex.h"
#include "net/base/thread_signals.h"
#include "net/client/event_request.h"
#include "net/client/event_stream.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

constexpr std::size_t kReadBuffer = std::size_t{64} * 1024;  // shared by all streams
constexpr int kEventsPerTurn = 256;
constexpr std::uint64_t kWakeTag = 0;  // the eventfd's; handles begin at 1

// A stream and what the loop knows of it.
struct ActiveStream {
  ActiveStream(EventSourceOptions options, EventSourceCallbacks callbacks, Url url, Waiter& waiter)
      : stream(std::move(options), std::move(callbacks), std::move(url), stopping, waiter) {}

  std::atomic<bool> stopping{false};
  EventStream stream;  // the loop's; after the stream was stopped, whoever stopped it may look

  // The loop's alone.
  std::uint64_t looked_up = 0;  // serial of the look-up that was started last
  pollfd watched{-1, 0, 0};     // what epoll was told
  std::uint64_t watched_serial = 0;
  TimePoint wake_at = kNever;  // the earliest entry in the heap of wake-up calls that counts
};

struct WakeUpCall {
  TimePoint at;
  std::uint64_t id;
  friend bool operator>(const WakeUpCall& a, const WakeUpCall& b) { return a.at > b.at; }
};

struct Found {
  Resolver::Asker asker;
  LookUpResult result;
};

std::string describe(const char* what) {
  return std::string(what) + ": " + std::system_category().message(errno);
}

}  // namespace

class EventClient::Impl {
 public:
  Impl(EventClientOptions options, int epoll_fd, int wake_fd)
      : waiter_(options.waiter != nullptr ? *options.waiter : system_waiter()),
        epoll_fd_(epoll_fd),
        wake_fd_(wake_fd),
        buffer_(kReadBuffer) {
    resolver_.emplace(
        std::move(options.look_up),
        [this](Resolver::Asker asker, const LookUpResult& result) { on_found(asker, result); });
    const SignalsBlocked blocked;  // they are for the threads of whoever uses this
    thread_ = std::thread([this] { run(); });
  }
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::expected<Handle, std::string> subscribe(EventSourceOptions options,
                                               EventSourceCallbacks callbacks);
  std::optional<std::string> unsubscribe(Handle handle);
  [[nodiscard]] std::size_t size() const;

 private:
  void wake() const;
  void on_found(Resolver::Asker asker, const LookUpResult& result);

  // The loop.
  void run();
  bool take_news();
  void wait();
  void handle_ready();
  void handle_due();
  template <typename Step>
  void with_stream(std::uint64_t id, Step step);
  void after_step(std::uint64_t id, ActiveStream& entry);
  void watch(std::uint64_t id, ActiveStream& entry) const;

  Waiter& waiter_;
  const int epoll_fd_;
  const int wake_fd_;  // an eventfd

  mutable Mutex mutex_;
  Condition step_done_;
  // Neither over nor stopped.
  std::unordered_map<std::uint64_t, std::shared_ptr<ActiveStream>> entries_
      TOCSIN_LOCKS(guarded_by(mutex_));
  std::uint64_t last_id_ TOCSIN_LOCKS(guarded_by(mutex_)) = 0;
  // The stream whose callbacks may be running; 0: none.
  std::uint64_t stepping_ TOCSIN_LOCKS(guarded_by(mutex_)) = 0;
  // News for the loop.
  std::vector<std::uint64_t> begun_ TOCSIN_LOCKS(guarded_by(mutex_));
  std::vector<std::uint64_t> stopped_ TOCSIN_LOCKS(guarded_by(mutex_));
  std::vector<Found> found_ TOCSIN_LOCKS(guarded_by(mutex_));
  bool over_ TOCSIN_LOCKS(guarded_by(mutex_)) = false;

  // The loop's alone.
  std::unordered_map<std::uint64_t, std::shared_ptr<ActiveStream>> active_;
  std::priority_queue<WakeUpCall, std::vector<WakeUpCall>, std::greater<>> wake_up_calls_;
  std::vector<char> buffer_;

  std::optional<Resolver> resolver_;  // ends before what its thread uses
  std::thread thread_;
};

EventClient::Impl::~Impl() {
  TOCSIN_ASSERT(std::this_thread::get_id() != thread_.get_id());
  {
    const MutexLock lock(mutex_);
    over_ = true;
    for (const auto& [id, entry] : entries_) entry->stopping = true;
  }
  wake();
  thread_.join();
  resolver_.reset();  // its thread uses wake_fd_
  ::close(wake_fd_);
  ::close(epoll_fd_);
}

std::expected<EventClient::Handle, std::string> EventClient::Impl::subscribe(
    EventSourceOptions options, EventSourceCallbacks callbacks) {
  auto url = check_options(options);
  if (!url) return std::unexpected(std::move(url.error()));
  auto entry = std::make_shared<ActiveStream>(std::move(options), std::move(callbacks),
                                              std::move(*url), waiter_);
  std::uint64_t id = 0;
  {
    const MutexLock lock(mutex_);
    id = ++last_id_;
    entries_.emplace(id, std::move(entry));
    begun_.push_back(id);
  }
  wake();
  return Handle{id};
}

std::optional<std::string> EventClient::Impl::unsubscribe(Handle handle) {
  const auto id = static_cast<std::uint64_t>(handle);
  const MutexLock lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return std::nullopt;
  const std::shared_ptr<ActiveStream> entry = std::move(found->second);
  entries_.erase(found);
  entry->stopping = true;
  stopped_.push_back(id);
  wake();
  // From here on the loop begins no step of this stream; one may be under way.
  if (std::this_thread::get_id() != thread_.get_id()) {
    while (stepping_ == id) step_done_.wait(mutex_);
  }
  return entry->stream.last_event_id();
}

std::size_t EventClient::Impl::size() const {
  const MutexLock lock(mutex_);
  return entries_.size();
}

void EventClient::Impl::wake() const {
  const std::uint64_t one = 1;
  // The only failure is a counter at its end: it is readable then, too.
  [[maybe_unused]] const auto written = ::write(wake_fd_, &one, sizeof one);
}

// In the resolver's thread.
void EventClient::Impl::on_found(Resolver::Asker asker, const LookUpResult& result) {
  {
    const MutexLock lock(mutex_);
    found_.push_back({asker, result});
  }
  wake();
}

void EventClient::Impl::run() {
  while (take_news()) {
    handle_due();
    wait();
    handle_ready();
  }
  active_.clear();
}

// False: the client is being destroyed.
bool EventClient::Impl::take_news() {
  std::vector<std::uint64_t> begun;
  std::vector<std::uint64_t> stopped;
  std::vector<Found> looked_up;
  {
    const MutexLock lock(mutex_);
    if (over_) return false;
    begun.swap(begun_);
    stopped.swap(stopped_);
    looked_up.swap(found_);
    for (const std::uint64_t id : begun) {
      if (const auto found = entries_.find(id); found != entries_.end()) {
        active_.insert(*found);
      }
    }
  }
  for (const std::uint64_t id : stopped) active_.erase(id);
  for (const std::uint64_t id : begun) {
    with_stream(id, [this](EventStream& stream) { stream.handle(0, buffer_); });
  }
  for (Found& found : looked_up) {
    with_stream(found.asker.id, [&](EventStream& stream) {
      stream.on_addresses(found.asker.serial, std::move(found.result));
    });
  }
  return true;
}

void EventClient::Impl::handle_due() {
  // At most those that are there now: others must have their turn, whatever these lead to.
  for (std::size_t left = wake_up_calls_.size(); left > 0; --left) {
    const WakeUpCall call = wake_up_calls_.top();
    if (call.at > waiter_.now()) return;
    wake_up_calls_.pop();
    const auto found = active_.find(call.id);
    if (found == active_.end() || found->second->wake_at != call.at) continue;
    found->second->wake_at = kNever;  // heard; after_step orders the next one
    with_stream(call.id, [this](EventStream& stream) {
      // A deadline that has moved on (every event moves it) only needs another call.
      if (stream.deadline() <= waiter_.now()) stream.handle(0, buffer_);
    });
  }
}

// Through poll(2), so that a fake clock can stand in for it; epoll_wait(2) then does not wait.
void EventClient::Impl::wait() {
  const TimePoint next = wake_up_calls_.empty() ? kNever : wake_up_calls_.top().at;
  pollfd fd{epoll_fd_, POLLIN, 0};
  waiter_.wait({&fd, 1}, next);
}

void EventClient::Impl::handle_ready() {
  std::array<epoll_event, kEventsPerTurn> events;
  const int count = epoll_wait(epoll_fd_, events.data(), kEventsPerTurn, 0);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.u64 == kWakeTag) {
      std::uint64_t times = 0;
      [[maybe_unused]] const auto got = ::read(wake_fd_, &times, sizeof times);
      continue;
    }
    with_stream(event.data.u64, [&](EventStream& stream) {
      // The bits of EPOLLIN, EPOLLOUT, EPOLLERR and EPOLLHUP are those of poll(2).
      stream.handle(static_cast<short>(event.events), buffer_);
    });
  }
}

// Runs `step` with the stream unless it was stopped or is unknown; callbacks run only in here.
template <typename Step>
void EventClient::Impl::with_stream(std::uint64_t id, Step step) {
  const auto found = active_.find(id);
  if (found == active_.end()) return;
  const std::shared_ptr<ActiveStream> entry = found->second;
  {
    const MutexLock lock(mutex_);
    if (entry->stopping) return;
    TOCSIN_ASSERT(stepping_ == 0);  // no step within a step
    stepping_ = id;
  }
  step(entry->stream);
  {
    const MutexLock lock(mutex_);
    stepping_ = 0;
    if (entry->stream.is_over()) entries_.erase(id);
  }
  step_done_.notify_all();
  after_step(id, *entry);
}

// Arranges for the stream's next step.
void EventClient::Impl::after_step(std::uint64_t id, ActiveStream& entry) {
  EventStream& stream = entry.stream;
  if (entry.stopping) return;  // take_news removes it
  if (stream.is_over()) {
    active_.erase(id);
    return;
  }
  const Url* name = stream.wants_addresses();
  if (name != nullptr && entry.looked_up != stream.look_up_serial()) {
    entry.looked_up = stream.look_up_serial();
    resolver_->start({id, entry.looked_up}, name->host, name->port);
  }
  watch(id, entry);
  if (stream.deadline() < entry.wake_at) {
    entry.wake_at = stream.deadline();
    wake_up_calls_.push({entry.wake_at, id});
  }
}

void EventClient::Impl::watch(std::uint64_t id, ActiveStream& entry) const {
  const pollfd wanted = entry.stream.poll_request();
  const bool same_socket =
      wanted.fd == entry.watched.fd && entry.watched_serial == entry.stream.socket_serial();
  if (same_socket && wanted.events == entry.watched.events) return;
  TOCSIN_ASSERT(id != kWakeTag);
  entry.watched = wanted;
  entry.watched_serial = entry.stream.socket_serial();
  if (wanted.fd < 0) return;  // closing it took it out of epoll
  epoll_event event{};
  event.events = static_cast<std::uint32_t>(wanted.events);
  event.data.u64 = id;
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, wanted.fd, &event) != 0) {
    // A new socket. ENOMEM and ENOSPC leave it unwatched: its deadline ends the attempt.
    epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, wanted.fd, &event);
  }
}

EventClient::EventClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EventClient::~EventClient() = default;

std::expected<std::unique_ptr<EventClient>, std::string> EventClient::create(
    EventClientOptions options) {
  const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) return std::unexpected(describe("no epoll descriptor"));
  const int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeTag;
  if (wake_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, wake_fd, &event) != 0) {
    std::string why = describe("no eventfd");
    if (wake_fd >= 0) ::close(wake_fd);
    ::close(epoll_fd);
    return std::unexpected(std::move(why));
  }
  try {
    return std::unique_ptr<EventClient>(
        new EventClient(std::make_unique<Impl>(std::move(options), epoll_fd, wake_fd)));
  } catch (const std::system_error& error) {
    ::close(wake_fd);
    ::close(epoll_fd);
    return std::unexpected("no thread: " + error.code().message());
  }
}

std::expected<EventClient::Handle, std::string> EventClient::subscribe(
    EventSourceOptions options, EventSourceCallbacks callbacks) {
  return impl_->subscribe(std::move(options), std::move(callbacks));
}
std::optional<std::string> EventClient::unsubscribe(Handle handle) {
  return impl_->unsubscribe(handle);
}
std::size_t EventClient::size() const {
  return impl_->size();
}

}  // namespace tocsin::net
