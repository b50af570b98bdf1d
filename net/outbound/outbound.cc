#include "net/outbound/outbound.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <span>
#include <system_error>
#include <utility>

#include "net/base/thread_signals.h"
#include "net/log.h"
#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {
namespace {

Denial too_many() {
  return {.cause = DenialCause::unavailable,
          .reason = "too many requests wait for what other servers say of them"};
}

std::size_t size_of(const HttpRequest& request) {
  std::size_t size = limits::kInquiry + request.body.size();
  for (const HeaderField& field : request.headers) size += field.name.size() + field.value.size();
  return size;
}

}  // namespace

Denial Outbound::no_keys() {
  return {.cause = DenialCause::unavailable,
          .reason = "the keys of the token's issuer are not to be had now"};
}
Denial Outbound::no_back_end() {
  return {.cause = DenialCause::unavailable,
          .reason = "nobody who knows such credentials is asked now"};
}

std::expected<std::shared_ptr<Outbound>, std::string> Outbound::create(OutboundOptions options) {
  const int wake_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd < 0) {
    return std::unexpected("no eventfd: " + std::system_category().message(errno));
  }
  return std::shared_ptr<Outbound>(new Outbound(std::move(options), wake_fd));
}

Outbound::Outbound(OutboundOptions options, int wake_fd)
    : options_(std::move(options)),
      waiter_(options_.waiter != nullptr ? *options_.waiter : system_waiter()),
      wake_fd_(wake_fd) {
  resolver_.emplace(options_.look_up, [this](Resolver::Asker asker, const LookUpResult& result) {
    const MutexLock lock(mutex_);
    found_.push_back({asker, result});
    wake();
  });
}

Outbound::~Outbound() {
  TOCSIN_ASSERT(!thread_.joinable());
  if (wake_fd_ >= 0) ::close(wake_fd_);
}

void Outbound::wake() const {
  const std::uint64_t one = 1;
  // The only failure is a counter at its end: it is readable then, too.
  [[maybe_unused]] const auto written = ::write(wake_fd_, &one, sizeof one);
}

// --- the configuration

void Outbound::configure(std::shared_ptr<const AccessPlan> plan, const Install& install) {
  const MutexLock installing(install_mutex_);
  std::shared_ptr<const Access> access;
  {
    const MutexLock lock(mutex_);
    plan_ = std::move(plan);
    std::map<std::string, KeySource, std::less<>> sources;
    if (plan_ != nullptr) {
      for (const KeySettings& settings : plan_->key_sources) {
        const std::string name = settings.name();
        const auto known = sources_.find(name);
        sources.try_emplace(name, known == sources_.end() ? KeySource(settings) : known->second);
      }
    }
    sources_ = std::move(sources);
    TOCSIN_ASSERT(sources_.size() <= limits::kMaxKeySources);
    if (plan_ == nullptr || !plan_->back_end) {
      back_end_ = nullptr;
    } else if (back_end_ == nullptr || !(back_end_->settings() == *plan_->back_end)) {
      back_end_ = make_back_end(*plan_->back_end);
    }
    access = make_access();
    authority_ = access == nullptr ? nullptr : access->authority;
    start_thread();
    wake();
  }
  install(std::move(access));
}

std::shared_ptr<const Access> Outbound::make_access(const KeySource* next) {
  if (plan_ == nullptr) return nullptr;
  std::map<std::string, std::span<const VerificationKey>, std::less<>> known;
  for (const auto& [name, source] : sources_) known.emplace(name, source.keys());
  if (next != nullptr) known[next->settings().name()] = next->keys();
  auto authority = make_authority(*plan_, [&known](std::string_view name) {
    const auto found = known.find(name);
    TOCSIN_ASSERT(found != known.end());
    return found->second;
  });
  auto access = std::make_shared<Access>(plan_->access);
  access->authority = std::move(authority);
  if (!sources_.empty() || back_end_ != nullptr) access->remote = shared_from_this();
  if (back_end_ != nullptr) access->back_end = back_end_->settings().source();
  return access;
}

std::shared_ptr<BackEnd> Outbound::make_back_end(const BackEndSettings& settings) {
  back_end_id_ = ++last_id_;
  return std::make_shared<BackEnd>(settings, waiter_, clock_, metrics_, ask_name(back_end_id_),
                                   [this](std::size_t bytes) { bytes_.fetch_sub(bytes); });
}

// In the thread, which has the callers.
HttpCaller::AskName Outbound::ask_name(std::uint64_t id) {
  return [this, id](std::uint64_t serial, const std::string& host, std::uint16_t port) {
    resolver_->start({.id = id, .serial = serial}, host, port);
  };
}

void Outbound::begin(Install install) {
  {
    const MutexLock installing(install_mutex_);
    install_ = std::move(install);
  }
  const MutexLock lock(mutex_);
  begun_ = true;
  start_thread();
}

// As soon as there is something to do.
void Outbound::start_thread() {
  if (!begun_ || over_ || thread_.joinable() || (sources_.empty() && back_end_ == nullptr)) return;
  try {
    const SignalsBlocked blocked;  // they are for the threads of whoever uses this
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    over_ = true;  // nobody waits in vain
    log::error("no thread that asks other servers", {{"error", error.code().message()}});
  }
}

void Outbound::stop() {
  {
    const MutexLock lock(mutex_);
    over_ = true;
    wake();
  }
  if (thread_.joinable()) thread_.join();
  resolver_.reset();  // its thread uses wake_fd_
  {
    const MutexLock installing(install_mutex_);
    install_ = nullptr;
  }
  std::vector<KeyWaiter> waiters;
  std::vector<BackEndInquiry> inquiries;
  {
    const MutexLock lock(mutex_);
    waiters.swap(key_waiters_);
    inquiries.swap(inquiries_);
    back_end_ = nullptr;
    fetchers_.clear();
    asked_ = nullptr;
    ::close(std::exchange(wake_fd_, -1));
  }
  for (const KeyWaiter& waiter : waiters) {
    (void)waiter.inquirer.later.give(std::unexpected(no_keys()));
  }
  for (const BackEndInquiry& inquiry : inquiries) {
    (void)inquiry.inquirer.later.give(std::unexpected(no_back_end()));
  }
}

// --- what shards ask

// False: too much waits already.
bool Outbound::take_room(std::size_t bytes) {
  if (bytes_.fetch_add(bytes) + bytes <= limits::kMaxInquiries) return true;
  bytes_.fetch_sub(bytes);
  metrics_.crowded.add();
  return false;
}

std::optional<Authenticated> Outbound::ask_back_end(const BackEndQuestion& question,
                                                    const AuthenticationRequest& request,
                                                    std::int64_t now_s) {
  std::string target;
  std::uint64_t back_end = 0;
  {
    const MutexLock lock(mutex_);
    if (back_end_ == nullptr) return std::unexpected(no_back_end());
    target = back_end_->settings().server.url.target;
    back_end = back_end_id_;
  }
  SecretRequest words = words_for(question, target);
  const Digest digest = digest_of(words.view());
  const std::size_t bytes = size_of(words.view());
  const MutexLock lock(mutex_);
  if (over_ || back_end_ == nullptr || back_end_id_ != back_end) {
    return std::unexpected(no_back_end());
  }
  if (auto known = back_end_->find(digest, now_s)) {
    metrics_.cached.add();
    return known;
  }
  if (!take_room(bytes)) return std::unexpected(too_many());
  inquiries_.push_back({.back_end = back_end,
                        .digest = digest,
                        .request = std::move(words),
                        .asked = right_of(question),
                        .asked_at = waiter_.now(),
                        .inquirer = {.later = LaterAuthentication(request), .bytes = bytes}});
  wake();
  return std::nullopt;
}

std::optional<Authenticated> Outbound::ask_for_keys(const KeyQuestion& question,
                                                    const AuthenticationRequest& request,
                                                    std::int64_t now_s) {
  Denial denial = question.denial;
  const Authority* asked = question.authority;
  std::shared_ptr<const Authority> newest;
  MutexLock lock(mutex_);
  const auto is_fetching = [&]() TOCSIN_LOCKS(requires_capability(mutex_)) {
    const auto source = sources_.find(question.source);
    return source != sources_.end() && source->second.is_fetching();
  };
  // The shard may have yet to hear of new keys, and others may come meanwhile.
  while (!is_fetching() && authority_ != nullptr && authority_.get() != asked) {
    newest = authority_;
    lock.unlock();
    auto known = newest->check(question.token, now_s);
    if (known || !may_want_another_key(known.error().cause)) return known;
    denial = std::move(known).error();
    asked = newest.get();
    lock.lock();
  }
  const auto source = sources_.find(question.source);
  if (over_ || source == sources_.end()) return std::unexpected(no_keys());
  if (!source->second.demand(waiter_.now())) {
    return std::unexpected(source->second.keys().empty() ? no_keys() : denial);
  }
  const std::size_t bytes = limits::kInquiry + question.token.size();
  if (!take_room(bytes)) return std::unexpected(too_many());
  key_waiters_.push_back({.source = std::string(question.source),
                          .token = Secret(std::string(question.token)),
                          .inquirer = {.later = LaterAuthentication(request), .bytes = bytes}});
  wake();
  return std::nullopt;
}

std::string Outbound::missing() const {
  const MutexLock lock(mutex_);
  for (const auto& [name, source] : sources_) {
    if (source.keys().empty()) {
      return "waiting for the keys of " + source.settings().server.shown_url();
    }
  }
  return {};
}

}  // namespace tocsin::net
