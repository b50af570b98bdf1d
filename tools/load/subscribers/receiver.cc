#include "tools/load/subscribers/receiver.h"

#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <utility>

#include "net/base/descriptor_table.h"
#include "proto/assert.h"
#include "tools/load/subscribers/receiver_impl.h"

namespace tocsin::load {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr std::uint64_t kUnansweredNs = 1'000'000'000;

bool can_come_back(const LoadOptions& options) {
  const SubscriberOptions& s = options.subscribe;
  return options.scenario == Scenario::churn || options.scenario == Scenario::herd ||
         options.scenario == Scenario::slow || options.scenario == Scenario::deploy ||
         s.churn_per_s > 0 || s.herd_after_s > 0 || s.slow_share > 0;
}

std::uint32_t share_of(std::uint32_t count, double share) {
  return static_cast<std::uint32_t>(std::lround(count * std::clamp(share, 0.0, 1.0)));
}

}  // namespace

Receiver::Impl::Impl(const ReceiverSetup& setup)
    : setup_(setup),
      options_(*setup.options),
      comes_back_(can_come_back(options_)),
      wants_history_(options_.publish.history > 0),
      slow_(share_of(setup.count, options_.subscribe.slow_share)),
      request_(options_.subscribe, options_.workload),
      checker_({.format = *setup.format,
                .latency = progress_.latency,
                .unpublished = setup.published->unpublished,
                .streams = setup.count,
                .first_index = setup.first_index,
                .topics = options_.workload.topics,
                .lanes = options_.workload.lanes(options_.publish.connections)}),
      streams_(setup.count),
      no_server_(resolve()),
      scratch_(Poller::kFront),
      pace_(setup.connects_per_s),
      slow_pace_(options_.subscribe.slow_bytes_per_s),
      churn_per_s_(options_.subscribe.churn_per_s * setup.count /
                   std::max(options_.subscribe.count, 1U)),
      random_(std::random_device{}()),
      wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  TOCSIN_ASSERT(wake_fd_ >= 0);
  thread_ = std::thread([this] { run(); });
  started_.wait(false);
}

Receiver::Impl::~Impl() {
  stop();
  close(wake_fd_);
}

void Receiver::Impl::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = write(wake_fd_, &one, sizeof one);
}

void Receiver::Impl::connect_up_to(std::uint32_t count) {
  wanted_ = std::max(wanted_.load(), std::min(count, setup_.count));
  wake();
}

void Receiver::Impl::cut(double share) {
  cut_share_ = share;
  ++cuts_wanted_;
  wake();
}

void Receiver::Impl::set_churning(bool churning) {
  churning_ = churning;
  wake();
}

void Receiver::Impl::stop() {
  stop_ = true;
  wake();
  if (thread_.joinable()) thread_.join();
}

void Receiver::Impl::run() {
  if (net::kOwnDescriptorTables) {
    TOCSIN_ASSERT(unshare(CLONE_FILES) == 0);
    // What the process had open is not this thread's business, and copies of it would stay open.
    const auto wake_fd = static_cast<unsigned>(wake_fd_);
    if (wake_fd > 3) close_range(3, wake_fd - 1, 0);
    close_range(wake_fd + 1, ~0U, 0);
  }

  auto poller = setup_.make_poller(options_.subscribe.io, wake_fd_);
  if (poller) {
    poller_ = std::move(*poller);
    io_name_ = poller_->name();
  } else {
    no_poller_ = poller.error();
  }
  started_ = true;
  started_.notify_all();
  if (!poller_) return run_refusing();
  while (!stop_.load(kRelaxed)) {
    const std::uint64_t now = net::now_ns();
    take_commands();
    churn(now);
    read_slow_streams(now);
    check_openings(now);
    start_connects(now);
    poller_->wait(timeout_ms(now), *this);
  }
  close_all();
}

void Receiver::Impl::run_refusing() {
  while (!stop_.load()) {
    for (const std::uint32_t wanted = wanted_.load(); next_ < wanted; ++next_) {
      refusals_.add({"no poller", no_poller_});
    }
    progress_.refused = next_;
    progress_.tried = next_;
    cuts_done_ = cuts_wanted_.load();
    progress_.cuts_done = cuts_done_;
    pollfd woken{.fd = wake_fd_, .events = POLLIN, .revents = 0};
    poll(&woken, 1, -1);
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t n = read(wake_fd_, &count, sizeof count);
  }
}

void Receiver::Impl::take_commands() {
  const std::uint32_t cuts = cuts_wanted_.load();
  while (cuts_done_ != cuts) {
    do_cut(cut_share_.load());
    ++cuts_done_;
    progress_.cuts_done.store(cuts_done_, kRelaxed);
  }
  if (!churning_.load(kRelaxed) || churn_per_s_ <= 0) {
    next_churn_ns_ = 0;
  } else if (next_churn_ns_ == 0) {
    next_churn_ns_ = net::now_ns();
  }
}

// Milliseconds until something is due; commands end the wait by themselves.
int Receiver::Impl::timeout_ms(std::uint64_t now) const {
  constexpr std::uint64_t kNever = ~std::uint64_t{0};
  std::uint64_t due = kNever;
  const bool ramps = next_ < wanted_.load(kRelaxed) || !cut_slots_.empty();
  if (ramps && may_connect()) due = std::min(due, pace_.next_ns());
  if (!returns_.empty()) due = std::min(due, returns_.front().due_ns);
  if (next_churn_ns_ > 0) due = std::min(due, next_churn_ns_);
  if (slow_ > 0) due = std::min(due, slow_pace_.next_ns());
  if (!openings_.empty()) due = std::min(due, next_check_ns_);
  if (due == kNever) return -1;
  return due <= now ? 0 : static_cast<int>(((due - now) / 1'000'000) + 1);
}

void Receiver::Impl::close_all() {
  const std::uint64_t now = net::now_ns();
  for (const auto& [slot, opening] : openings_) {
    const Stream& stream = streams_[slot];
    const std::uint64_t waited_ns = now - opening.started_ns;
    // One that was coming back just now is nothing to tell of.
    if (stream.attempt > 1 && waited_ns < kUnansweredNs) continue;
    ++(stream.state == State::connecting ? unanswered_.connecting : unanswered_.heads);
    unanswered_.longest_ns = std::max(unanswered_.longest_ns, waited_ns);
  }
  for (const auto& [slot, since_ns] : away_) {
    streams_[slot].is_lacking = true;
    progress_.outage.record(now - since_ns);
  }
  for (std::uint32_t slot = 0; slot < streams_.size(); ++slot) close_stream(slot);
  poller_->flush();
  poller_.reset();
}

CheckTotals Receiver::Impl::finish() const {
  CheckTotals totals = checker_.totals();
  totals.bytes = progress_.bytes.load();
  for (std::uint32_t slot = slow_; slot < streams_.size(); ++slot) {
    const Stream& stream = streams_[slot];
    if (!stream.is_begun) continue;
    if (stream.has_left) {
      checker_.lanes().settle(slot, totals);
    } else {
      checker_.lanes().finish(slot, *setup_.published, stream.is_lacking, totals);
    }
  }
  return totals;
}

Receiver::Receiver(const ReceiverSetup& setup) : impl_(std::make_unique<Impl>(setup)) {}
Receiver::~Receiver() = default;

void Receiver::connect_up_to(std::uint32_t count) {
  impl_->connect_up_to(count);
}
void Receiver::cut(double share) {
  impl_->cut(share);
}
void Receiver::set_churning(bool churning) {
  impl_->set_churning(churning);
}
void Receiver::stop() {
  impl_->stop();
}
const ReceiverProgress& Receiver::progress() const {
  return impl_->progress();
}
std::string Receiver::io_name() const {
  return impl_->io_name();
}
CheckTotals Receiver::finish() const {
  return impl_->finish();
}
const Refusals& Receiver::refusals() const {
  return impl_->refusals();
}
const Unanswered& Receiver::unanswered() const {
  return impl_->unanswered();
}

}  // namespace tocsin::load
