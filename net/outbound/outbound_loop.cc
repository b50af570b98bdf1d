// The thread of Outbound: what it takes from others, and the loop around its sockets.
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <span>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "net/jose/key_documents.h"
#include "net/log.h"
#include "net/outbound/outbound.h"

namespace tocsin::net {
namespace {

// From the question to the end of the answer. Tokens wait so long for keys.
constexpr std::chrono::milliseconds kFetchTimeout{10'000};

}  // namespace

void Outbound::run() {
  ::pthread_setname_np(::pthread_self(), "outbound");
  News news;
  while (take_news(news)) {
    act_on(std::exchange(news, {}));
    wait_and_handle();
  }
  if (asked_ != nullptr) asked_->give_up();
}

bool Outbound::take_news(News& news) {
  const MutexLock lock(mutex_);
  if (over_) return false;
  const TimePoint now = waiter_.now();
  for (auto& [name, source] : sources_) {
    if (source.due() > now) continue;
    source.begin();
    news.due.push_back(source.settings());
  }
  for (auto one = fetchers_.begin(); one != fetchers_.end();) {
    one = sources_.contains(one->first) ? std::next(one) : fetchers_.erase(one);
  }
  for (std::size_t i = 0; i < key_waiters_.size();) {
    if (sources_.contains(key_waiters_[i].source)) {
      ++i;
      continue;
    }
    news.gone.push_back(std::move(key_waiters_[i]));
    key_waiters_.erase(key_waiters_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  news.inquiries.swap(inquiries_);
  news.found.swap(found_);
  news.back_end = back_end_;
  news.back_end_id = back_end_id_;
  return true;
}

void Outbound::act_on(News&& news) {
  if (news.back_end != asked_) {
    if (asked_ != nullptr) asked_->give_up();
    asked_ = std::move(news.back_end);
    asked_id_ = news.back_end_id;
  }
  for (const Found& found : news.found) {
    if (asked_ != nullptr && found.asker.id == asked_id_) {
      asked_->on_addresses(found.asker.serial, found.result);
    }
    for (const auto& [name, fetcher] : fetchers_) {
      if (fetcher.id == found.asker.id) {
        fetcher.caller->on_addresses(found.asker.serial, found.result);
      }
    }
  }
  for (const KeySettings& settings : news.due) fetch(settings);
  answer(std::move(news.gone), false);
  for (BackEndInquiry& inquiry : news.inquiries) {
    // One that was to be asked of another has that one's words, and credentials that are for it.
    if (asked_ != nullptr && inquiry.back_end == asked_id_) {
      asked_->ask(std::move(inquiry));
    } else {
      bytes_.fetch_sub(inquiry.inquirer.bytes);
      (void)inquiry.inquirer.later.give(std::unexpected(no_back_end()));
    }
  }
}

void Outbound::wait_and_handle() {
  fds_.assign(1, {wake_fd_, POLLIN, 0});
  TimePoint until = kNever;
  for (const auto& [name, fetcher] : fetchers_) {
    fetcher.caller->poll(fds_);
    until = std::min(until, fetcher.caller->deadline());
  }
  if (asked_ != nullptr) {
    asked_->poll(fds_);
    until = std::min(until, asked_->deadline());
  }
  {
    const MutexLock lock(mutex_);
    for (const auto& [name, source] : sources_) until = std::min(until, source.due());
  }
  waiter_.wait(fds_, until);
  if (fds_[0].revents != 0) {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(wake_fd_, &count, sizeof count);
  }
  std::span<const pollfd> left = std::span(fds_).subspan(1);
  const auto take = [&left](std::size_t count) {
    const auto first = left.first(count);
    left = left.subspan(count);
    return first;
  };
  for (const auto& [name, fetcher] : fetchers_) {
    fetcher.caller->handle(take(fetcher.caller->polled()));
  }
  if (asked_ != nullptr) asked_->handle(take(asked_->polled()));
}

void Outbound::fetch(const KeySettings& settings) {
  Fetcher& fetcher = fetchers_[settings.name()];
  // One that is busy asks for a plan that was given up and has come back.
  if (fetcher.caller == nullptr || !fetcher.caller->has_room()) {
    {
      const MutexLock lock(mutex_);
      fetcher.id = ++last_id_;
    }
    fetcher.caller = std::make_unique<HttpCaller>(
        settings.server,
        HttpCaller::Limits{.at_once = 1,
                           .max_body_bytes = kMaxKeyDocument,
                           .timeout_ms = static_cast<std::uint32_t>(kFetchTimeout.count())},
        waiter_, ask_name(fetcher.id));
  }
  fetcher.caller->start(
      SecretRequest(request_for_keys(settings.server.url)), waiter_.now() + kFetchTimeout,
      [this, settings](const HttpResult& result) { on_fetched(settings, result); });
}

void Outbound::on_fetched(const KeySettings& settings, const HttpResult& result) {
  auto fetched = read_keys(result, settings.algorithm);
  const std::string url = settings.server.shown_url();
  const std::string error = fetched ? std::string() : fetched.error();
  const std::size_t count = fetched ? fetched->keys.size() : 0;
  const std::string weak = fetched ? fmt::format("{}", fmt::join(fetched->weak, "; ")) : "";
  const std::string name = settings.name();
  // A new plan waits meanwhile.
  const MutexLock installing(install_mutex_);
  std::optional<KeySource> next;
  std::shared_ptr<const Access> renewed;
  std::vector<KeyWaiter> waiters;
  {
    const MutexLock lock(mutex_);
    const auto source = sources_.find(name);
    if (source == sources_.end() || !source->second.is_fetching()) return;
    next = source->second;
    if (next->end(std::move(fetched), waiter_.now())) renewed = make_access(&*next);
  }
  const bool has_keys = !next->keys().empty();
  metrics_.count(error.empty() ? OutboundMetrics::Fetch::fetched : OutboundMetrics::Fetch::failed);
  if (!error.empty()) {
    log::warning(has_keys ? "an issuer's keys were not fetched, the old ones count"
                          : "an issuer's keys were not fetched, its tokens are refused",
                 {{"url", url}, {"error", error}});
  } else if (renewed != nullptr) {
    log::info("an issuer's keys were fetched", {{"url", url}, {"keys", count}});
    if (!weak.empty()) {
      log::warning("some of an issuer's keys are left out", {{"url", url}, {"why", weak}});
    }
  }
  if (renewed != nullptr && install_) install_(renewed);
  // Tokens that came until now wait, and those that come from now on are judged by what shards
  // have. Nobody in between is judged by the old keys, or by some that were taken away.
  {
    const MutexLock lock(mutex_);
    sources_.find(name)->second = *std::move(next);
    if (renewed != nullptr) authority_ = renewed->authority;
    waiters = take_waiters(name);
  }
  answer(std::move(waiters), has_keys);
}

std::vector<Outbound::KeyWaiter> Outbound::take_waiters(std::string_view source) {
  const auto others =
      std::partition(key_waiters_.begin(), key_waiters_.end(),
                     [&](const KeyWaiter& waiter) { return waiter.source != source; });
  std::vector<KeyWaiter> waiters(std::make_move_iterator(others),
                                 std::make_move_iterator(key_waiters_.end()));
  key_waiters_.erase(others, key_waiters_.end());
  return waiters;
}

void Outbound::answer(std::vector<KeyWaiter>&& waiters, bool has_keys) {
  std::shared_ptr<const Authority> authority;
  {
    const MutexLock lock(mutex_);
    authority = authority_;
  }
  for (KeyWaiter& waiter : waiters) {
    auto result = authority == nullptr || !has_keys
                      ? Authenticated(std::unexpected(no_keys()))
                      : authority->check(waiter.token.view(), clock_.unix_s());
    // It may have come when the answer that it waited for was on its way: one more, if it may be.
    if (has_keys && !waiter.again && !result && may_want_another_key(result.error().cause)) {
      const MutexLock lock(mutex_);
      const auto source = sources_.find(waiter.source);
      if (source != sources_.end() && source->second.demand(waiter_.now())) {
        waiter.again = true;
        key_waiters_.push_back(std::move(waiter));
        continue;
      }
    }
    bytes_.fetch_sub(waiter.inquirer.bytes);
    (void)waiter.inquirer.later.give(std::move(result));
  }
}

}  // namespace tocsin::net
