#include "tools/load/publishers/publisher.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "proto/assert.h"
#include "tools/load/host/precise_sleep.h"
#include "tools/load/publishers/publisher_run.h"

namespace tocsin::load {
namespace {

using Received = PublishConnection::Received;
using State = PublishConnection::State;

constexpr std::uint64_t kMs = 1'000'000;
constexpr std::size_t kMaxUnsent = std::size_t{64} * 1024;  // requests written ahead of the socket
// What is due so soon is waited for without sleeping: going to sleep and waking takes as long.
constexpr std::uint64_t kSpinNs = 20'000;
constexpr std::uint64_t kLongestSleepNs = 20 * kMs;  // `stop` is noticed so late
constexpr std::uint64_t kStopGraceNs = 1000 * kMs;   // for the answers on their way

}  // namespace

PublisherRun::PublisherRun(const PublisherSetup& setup, bool is_history,
                           const RequestTemplate& request)
    : setup_(setup),
      options_(*setup.options),
      request_(request),
      is_history_(is_history),
      plan_(setup, is_history, request.mixes_topics(), now_),
      wake_(options_.publish.connections, 0),
      scratch_(std::size_t{64} * 1024) {
  const Workload& workload = options_.workload;
  const net::Url& url = options_.publish.request.url;
  peer_name_ = fmt::format("{} port {}", url.host, url.port);
  topic_names_.reserve(workload.topics);
  for (std::uint32_t i = 0; i < workload.topics; ++i) {
    topic_names_.push_back(workload.topic_name(i));
  }
  for (std::uint32_t i = 0; i < options_.publish.connections; ++i) {
    senders_.push_back(std::make_unique<Sender>(options_.publish, request.is_head()));
  }
}

PublisherRun::~PublisherRun() {
  if (epoll_ >= 0) close(epoll_);
}

PublishFigures PublisherRun::run() {
  const PreciseSleep precise_sleep;
  if (find_peer()) loop();
  finish();
  return std::move(result_);
}

void PublisherRun::finish() {
  std::uint64_t unsent = 0;
  for (auto& sender : senders_) {
    const PublishConnection::Cut cut = sender->connection.close(false);
    if (cut.requests > 0) note_trouble("a request was not answered");
    write_off(*sender, cut.events, Fate::uncertain);
    unsent += sender->unanswered.size();
    write_off(*sender, sender->unanswered.size(), Fate::unsent);
    if (sender->away_ns != 0) {
      result_.longest_away_ns = std::max(result_.longest_away_ns, now_ - sender->away_ns);
    }
  }
  result_.timeouts = plan_.timeouts();
  result_.gave_up = !plan_.gave_up().empty();
  if (result_.gave_up) fail(plan_.gave_up());
  if (first_ns_ != 0) result_.duration_ns = std::max(last_ns_, first_ns_) - first_ns_;
  const std::uint64_t unwritten = is_stopped_ ? 0 : plan_.unwritten() + unsent;
  if (unwritten > 0) {
    fail(fmt::format("the rate was not reached: {} events that were due have not been written",
                     unwritten));
  }
  result_.ended_early = !fatal_.empty();
  result_.error = fatal_.empty() ? first_trouble_ : fatal_;
}

bool PublisherRun::is_over() const {
  if (!fatal_.empty()) return true;
  if (!is_stopped_ && !plan_.is_over(now_)) return false;
  return outstanding_ == 0 || (is_stopped_ && now_ - stopped_ns_ >= kStopGraceNs);
}

void PublisherRun::loop() {
  while (!is_over()) {
    wait();
    if (!is_stopped_ && setup_.stop != nullptr && setup_.stop->load(std::memory_order_relaxed)) {
      is_stopped_ = true;
      stopped_ns_ = now_;
    }
    for (std::uint32_t i = 0; i < wake_.size() && fatal_.empty(); ++i) {
      if (wake_[i] <= now_) write(i);
    }
    check_connections();
  }
}

void PublisherRun::wait() {
  std::array<epoll_event, 64> events;
  const std::uint64_t due = *std::ranges::min_element(wake_);
  now_ = net::now_ns();
  std::uint64_t sleep_ns = 0;
  if (due > now_ + kSpinNs) sleep_ns = std::min(due - now_, kLongestSleepNs);
  const timespec timeout{.tv_sec = 0, .tv_nsec = static_cast<long>(sleep_ns)};
  const int count = epoll_pwait2(epoll_, events.data(), events.size(), &timeout, nullptr);
  now_ = net::now_ns();
  for (int i = 0; i < count; ++i) serve(events[static_cast<std::size_t>(i)].data.u32);
}

void PublisherRun::serve(std::uint32_t index) {
  PublishConnection& connection = senders_[index]->connection;
  if (connection.state() == State::connecting) {
    if (const int code = connection.finish_connect(); code != 0) fail_to_connect(index, code);
  } else if (connection.state() == State::open) {
    read(index);
  }
  wake_[index] = 0;
}

// Events that are due, as far as they may be in flight; then sleeps until more are, or an answer.
void PublisherRun::write(std::uint32_t index) {
  const PublishLoad& publish = options_.publish;
  const PublishConnection& connection = senders_[index]->connection;
  wake_[index] = kNever;
  // Only behind an empty buffer: what is due while the socket is full is written, and its lateness
  // measured, when there is room for it.
  while (flush(index) && !is_stopped_) {
    bool any = false;
    while (connection.outstanding() < publish.in_flight && connection.unsent_bytes() < kMaxUnsent &&
           append(index)) {
      any = true;
    }
    if (!any) return;
    now_ = net::now_ns();
  }
}

bool PublisherRun::append(std::uint32_t index) {
  Sender& sender = *senders_[index];
  const auto events =
      plan_.next(index, now_, {.outstanding = outstanding_, .refused = failed_}, wake_[index]);
  if (events.empty()) return false;
  const std::uint32_t topics = options_.workload.topics;
  items_.clear();
  numbers_.clear();
  std::uint64_t due_ns = kNever;
  for (const PlannedEvent& event : events) {
    items_.push_back({topic_names_[event.lane % topics], event.bytes});
    due_ns = std::min(due_ns, event.due_ns);
    // This thread alone writes them. Raised first: a receiver may have the event before send(2)
    // returns here.
    auto& submitted = setup_.progress->submitted[event.lane];
    numbers_.push_back(submitted.load(std::memory_order_relaxed));
    submitted.store(numbers_.back() + 1, std::memory_order_release);
    sender.unanswered.push_back({event.lane, numbers_.back()});
    if (!is_history_ && options_.publish.mode == PublishMode::rate) {
      result_.lateness.record(now_ - event.due_ns);
    }
  }
  setup_.progress->events.fetch_add(events.size(), std::memory_order_release);
  request_.append(sender.connection.buffer(), items_, [&](std::size_t i, char* out) {
    const PlannedEvent& event = events[i];
    setup_.format->write({.lane = event.lane, .number = numbers_[i], .due_ns = event.due_ns},
                         event.bytes, out);
  });
  if (sender.connection.outstanding() == 0) sender.progress_ns = now_;
  sender.connection.commit(due_ns, events.size());
  if (first_ns_ == 0) first_ns_ = now_;
  result_.events += events.size();
  ++result_.requests;
  ++outstanding_;
  return true;
}

void PublisherRun::read(std::uint32_t index) {
  Sender& sender = *senders_[index];
  PublishConnection& connection = sender.connection;
  if (connection.state() != State::open) return;
  now_ = net::now_ns();
  const std::uint64_t bad_before = connection.answers().bad();
  const Received received = connection.receive(scratch_, answered_);
  if (received == Received::nothing) return;
  const int code = errno;
  sender.progress_ns = now_;
  for (const PublishConnection::Answered& answered : answered_) {
    result_.answered.record(now_ - answered.due_ns);
    if (answered.is_good) {
      settle(sender, answered.events);
    } else {
      write_off(sender, answered.events, Fate::refused);
    }
  }
  outstanding_ -= answered_.size();
  if (!answered_.empty()) on_answer(sender);
  const AnswerReader& answers = connection.answers();
  result_.refused += answers.bad() - bad_before;
  failed_ += answers.bad() - bad_before;
  if (answers.bad() > bad_before) note_trouble(answers.first_bad());
  if (received == Received::no_http) {
    fail(answers.error());
  } else if (received == Received::broken) {
    lose(index, false,
         "the connection broke before the answer: " + std::system_category().message(code));
  } else if (received == Received::closed) {
    lose(index, false, "the server closed the connection before the answer");
  } else if (answers.is_last()) {
    lose(index, true, "the server closes each connection after an answer; use one in flight");
  }
}

void PublisherRun::settle(Sender& sender, std::size_t events) {
  sender.unanswered.erase(sender.unanswered.begin(),
                          sender.unanswered.begin() + static_cast<std::ptrdiff_t>(events));
}

// The first so many of the unanswered ones.
void PublisherRun::write_off(Sender& sender, std::size_t events, Fate fate) {
  for (std::size_t i = 0; i < events; ++i) {
    setup_.progress->unpublished.add(sender.unanswered[i].lane, sender.unanswered[i].number);
  }
  settle(sender, events);
  switch (fate) {
    case Fate::refused:
      result_.events_refused += events;
      break;
    case Fate::uncertain:
      result_.uncertain += events;
      break;
    case Fate::unsent:
      result_.events -= events;
      break;
  }
}

namespace {

PublishFigures start(const PublisherSetup& setup, bool is_history) {
  const PublishLoad& options = setup.options->publish;
  TOCSIN_ASSERT(options.connections > 0 && options.batch > 0 && options.in_flight > 0);
  TOCSIN_ASSERT(setup.progress->submitted.size() ==
                setup.options->workload.lanes(options.connections));
  auto request = RequestTemplate::compile(options.request, options.batch);
  if (request) return PublisherRun(setup, is_history, *request).run();
  PublishFigures result;
  result.error = std::move(request.error());
  return result;
}

}  // namespace

PublishFigures publish_history(const PublisherSetup& setup) {
  return setup.options->publish.history == 0 ? PublishFigures() : start(setup, true);
}

PublishFigures publish(const PublisherSetup& setup) {
  return setup.options->publish.mode == PublishMode::none ? PublishFigures() : start(setup, false);
}

}  // namespace tocsin::load
