#include "net/state/past/past_reader.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "net/base/thread_signals.h"
#include "net/log.h"
#include "net/state/server_state.h"
#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {
namespace {

// Between two tries of what cannot be read, where nobody wants anything else.
constexpr std::chrono::milliseconds kPause{1000};

}  // namespace

PastTurn::~PastTurn() {
  if (reader_ != nullptr) reader_->give_back(*page_);
}

void PastReader::attach(core::Store& store) {
  TOCSIN_ASSERT(store_ == nullptr);
  store_ = &store;
}

void PastReader::start(core::Store& store) {
  if (store.floor() == core::Store::kNoPast) return;
  attach(store);
  const SignalsBlocked blocked;  // they are for the threads of whoever uses this
  thread_ = std::thread([this] { run(); });
}

void PastReader::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

std::uint64_t PastReader::ask(const Ask& ask) {
  TOCSIN_ASSERT(ask.after < ask.until);
  const MutexLock lock(mutex_);
  line_.emplace(++asks_, ask);
  metrics_.waiting.add();
  if (line_.size() == 1) changed_.notify_one();
  return asks_;
}

void PastReader::withdraw(std::uint64_t number) {
  const MutexLock lock(mutex_);
  if (leave(number)) metrics_.waiting.sub();
}

void PastReader::give_back(const PastPage& page) {
  const MutexLock lock(mutex_);
  TOCSIN_ASSERT(turns_ > 0 && turn_bytes_ >= page.bytes());
  --turns_;
  turn_bytes_ -= page.bytes();
  metrics_.running.sub();
  changed_.notify_one();
}

// --- the thread ---

void PastReader::run() {
  ::pthread_setname_np(::pthread_self(), "past");
  while (true) {
    {
      const MutexLock lock(mutex_);
      while (!stopping_ && !may_serve()) changed_.wait(mutex_);
      if (stopping_) break;
    }
    if (serve() == Served::unreadable) pause();  // not where others want something
  }
  kept_.clear();
}

bool PastReader::may_serve() const {
  const bool asked = !line_.empty() || !unreadable_.empty();
  return asked && turns_ < limits::kMaxReplays && turn_bytes_ < limits::kMaxReplayBytes;
}

// It stays where it is until it has its turn.
PastReader::Line::value_type PastReader::next() {
  TOCSIN_ASSERT(may_serve());
  const bool again = line_.empty() || served_ >= limits::kMaxReplays;
  if (unreadable_.empty() || !again) return *line_.begin();
  auto at = unreadable_.upper_bound(retried_);
  if (at == unreadable_.end()) at = unreadable_.begin();
  retried_ = at->first;
  return *at;
}

bool PastReader::leave(std::uint64_t number) {
  return line_.erase(number) + unreadable_.erase(number) > 0;
}

PastReader::Served PastReader::serve() {
  std::optional<Line::value_type> asked;
  {
    const MutexLock lock(mutex_);
    if (!may_serve()) return Served::nobody;
    asked.emplace(next());
  }
  Page page = page_for(asked->second);
  if (page == nullptr) {
    set_aside(*asked);
    return Served::unreadable;
  }
  ++served_;
  hand_out(*asked, std::move(page));
  return Served::one;
}

// It could not be read.
void PastReader::set_aside(const Line::value_type& asked) {
  if (can_read_) log::error("the history cannot be read: who resumes in it waits");
  can_read_ = false;
  served_ = 0;
  const MutexLock lock(mutex_);
  if (auto node = line_.extract(asked.first)) unreadable_.insert(std::move(node));
}

// Null: the store cannot be read.
PastReader::Page PastReader::page_for(const Ask& ask) {
  if (Page page = find(ask)) return page;
  Page page = read(ask);
  if (page != nullptr && page->events() > 0) kept_.keep(page, page->bytes());
  return page;
}

// One that is there and has the first event that was asked for, or the oldest that is kept.
PastReader::Page PastReader::find(const Ask& ask) {
  const core::Sequence after = std::max(ask.after, store_->floor());
  Page page = kept_.find([after](const Page& one) {
    return one->above() <= after && after < one->last();
  });
  if (page == nullptr) return nullptr;
  const MutexLock lock(mutex_);
  metrics_.pages_shared.add();
  return page;
}

PastReader::Page PastReader::read(const Ask& ask) {
  const auto page = std::make_shared<PastPage>();
  const auto above = store_->read(
      ask.after, ask.until,
      [&](proto::EventId id, const core::NewEvent& event) { return page->take(id, event); });
  const MutexLock lock(mutex_);
  if (!above) {
    metrics_.failures.add();
    return nullptr;
  }
  page->begin_behind(*above);
  metrics_.pages_read.add();
  metrics_.events_read.add(page->events());
  return page;
}

void PastReader::hand_out(const Line::value_type& asked, Page page) {
  const auto& [number, ask] = asked;
  {
    const MutexLock lock(mutex_);
    const bool wanted = leave(number);
    if (!can_read_ && unreadable_.empty()) {
      can_read_ = true;
      log::info("the history can be read again");
    }
    if (!wanted) return;  // withdrawn meanwhile
    metrics_.waiting.sub();
    metrics_.running.add();
    ++turns_;
    turn_bytes_ += page->bytes();
  }
  state_.post({.ticket = {.shard = ask.shard, .slot = ask.slot, .generation = ask.generation},
               .value = PastTurn(*this, number, std::move(page))});
}

void PastReader::pause() {
  const auto end = std::chrono::steady_clock::now() + kPause;
  const MutexLock lock(mutex_);
  while (!stopping_ && line_.empty() && changed_.wait_until(mutex_, end)) {}
}

}  // namespace tocsin::net
