#include "tools/load/publisher.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <system_error>

#include <fmt/format.h>

#include "net/clock.h"
#include "net/resolver.h"
#include "proto/assert.h"
#include "tools/load/precise_sleep.h"
#include "tools/load/publish_connection.h"
#include "tools/load/publish_plan.h"
#include "tools/load/request_template.h"

namespace tocsin::load {
namespace {

using Received = PublishConnection::Received;
using State = PublishConnection::State;

constexpr std::uint64_t kMs = 1'000'000;
constexpr std::size_t kMaxUnsent = std::size_t{64} * 1024;  // requests written ahead of the socket
// What is due so soon is waited for without sleeping: going to sleep and waking takes as long.
constexpr std::uint64_t kSpinNs = 20'000;
constexpr std::uint64_t kLongestSleepNs = 20 * kMs;  // `stop` is noticed so late
constexpr std::uint64_t kSilenceStepNs = 50 * kMs;
constexpr std::uint64_t kStopGraceNs = 1000 * kMs;  // for the answers on their way
constexpr int kConnectTimeoutS = 10;

std::string describe(int code) {
  return std::system_category().message(code);
}

struct Publisher {
  Publisher(const PublisherOptions& options, bool is_head)
      : connection(options.request.success, is_head) {}

  PublishConnection connection;
  std::uint32_t interest = 0;     // as epoll has it
  std::uint64_t progress_ns = 0;  // an answer's byte came, or the first open request was written
  bool has_answered = false;      // on this connection
};

class Run {
 public:
  // `request` outlives it.
  Run(const PublisherSetup& setup, bool is_history, const RequestTemplate& request);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  PublishResult run();

 private:
  bool find_peer();
  void loop();
  void wait();
  void serve(std::uint32_t index);
  void write(std::uint32_t index);
  bool flush(std::uint32_t index);
  bool append(std::uint32_t index);
  void read(std::uint32_t index);
  void lose(std::uint32_t index, bool hard, const std::string& why);
  void watch(std::uint32_t index, bool is_new);
  void check_silence();
  [[nodiscard]] bool is_over() const;
  void refuse(std::uint64_t requests, std::string_view why) {
    result_.refused += requests;
    if (requests > 0 && first_refusal_.empty()) first_refusal_ = why;
  }
  void fail(std::string why) {
    if (fatal_.empty()) fatal_ = std::move(why);
  }
  void fail_to_connect(int code) {
    fail(fmt::format("cannot connect to {}: {}", peer_name_, describe(code)));
  }

  const PublisherSetup& setup_;
  const LoadOptions& options_;
  const RequestTemplate& request_;
  const bool is_history_;
  std::uint64_t now_ = net::now_ns();
  PublishPlan plan_;
  std::vector<std::string> topic_names_;
  std::vector<std::unique_ptr<Publisher>> publishers_;
  std::vector<std::uint64_t> wake_;  // when to serve each; apart, because every turn scans it
  net::SocketAddress peer_;
  std::string peer_name_;
  int epoll_ = -1;
  bool is_stopped_ = false;
  std::uint64_t stopped_ns_ = 0;
  std::uint64_t outstanding_ = 0;
  std::uint64_t first_ns_ = 0;    // the first request was written
  std::uint64_t last_ns_ = 0;     // the last answer came
  std::uint64_t checked_ns_ = 0;  // for silence

  PublishResult result_;
  std::string fatal_;
  std::string first_refusal_;
  std::vector<char> scratch_;
  std::vector<std::uint64_t> answered_;
  std::vector<RequestTemplate::Item> items_;
  std::vector<std::uint64_t> numbers_;
};

Run::Run(const PublisherSetup& setup, bool is_history, const RequestTemplate& request)
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
    publishers_.push_back(std::make_unique<Publisher>(options_.publish, request.is_head()));
  }
}

Run::~Run() {
  if (epoll_ >= 0) close(epoll_);
}

// Which of the host's addresses answers is found out once, so that a wrong URL is told at once.
bool Run::find_peer() {
  const net::Url& url = options_.publish.request.url;
  const auto addresses = net::look_up(url.host, url.port);
  if (!addresses) {
    fail(addresses.error().message);
    return false;
  }
  PublishConnection& first = publishers_[0]->connection;
  int code = 0;
  for (const net::SocketAddress& address : *addresses) {
    peer_ = address;
    code = first.connect_and_wait(address, kConnectTimeoutS * 1000);
    if (code == 0) break;
    first.close(false);
  }
  if (code == ETIMEDOUT) {
    fail(fmt::format("no connection to {} within {} s", peer_name_, kConnectTimeoutS));
  } else if (code != 0) {
    fail_to_connect(code);
  } else {
    watch(0, true);
  }
  return code == 0;
}

PublishResult Run::run() {
  const PreciseSleep precise_sleep;
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) {
    fail("epoll: " + describe(errno));
  } else if (find_peer()) {
    loop();
  }
  for (auto& publisher : publishers_) {
    refuse(publisher->connection.outstanding(), "a request was not answered");
  }
  result_.timeouts = plan_.timeouts();
  result_.gave_up = !plan_.gave_up().empty();
  if (result_.gave_up) fail(plan_.gave_up());
  if (first_ns_ != 0) result_.duration_ns = std::max(last_ns_, first_ns_) - first_ns_;
  result_.error = fatal_.empty() ? first_refusal_ : fatal_;
  const std::uint64_t unwritten = is_stopped_ || !fatal_.empty() ? 0 : plan_.unwritten();
  if (unwritten > 0 && result_.error.empty()) {
    result_.error = fmt::format(
        "the rate was not reached: {} events that were due have not been written", unwritten);
  }
  return std::move(result_);
}

bool Run::is_over() const {
  if (!fatal_.empty()) return true;
  if (!is_stopped_ && !plan_.is_over(now_)) return false;
  return outstanding_ == 0 || (is_stopped_ && now_ - stopped_ns_ >= kStopGraceNs);
}

void Run::loop() {
  while (!is_over()) {
    wait();
    if (!is_stopped_ && setup_.stop != nullptr && setup_.stop->load(std::memory_order_relaxed)) {
      is_stopped_ = true;
      stopped_ns_ = now_;
    }
    for (std::uint32_t i = 0; i < wake_.size() && fatal_.empty(); ++i) {
      if (wake_[i] <= now_) write(i);
    }
    check_silence();
  }
}

void Run::wait() {
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

void Run::serve(std::uint32_t index) {
  PublishConnection& connection = publishers_[index]->connection;
  if (connection.state() == State::connecting) {
    if (const int code = connection.finish_connect(); code != 0) fail_to_connect(code);
  } else if (connection.state() == State::open) {
    read(index);
  }
  wake_[index] = 0;
}

void Run::watch(std::uint32_t index, bool is_new) {
  Publisher& publisher = *publishers_[index];
  const bool wants_write =
      publisher.connection.state() == State::connecting || publisher.connection.has_unsent();
  const std::uint32_t interest = wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN;
  if (!is_new && interest == publisher.interest) return;
  publisher.interest = interest;
  epoll_event event{.events = interest, .data = {.u32 = index}};
  const int operation = is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  if (epoll_ctl(epoll_, operation, publisher.connection.fd(), &event) != 0) {
    fail("epoll: " + describe(errno));
  }
}

// Events that are due, as far as they may be in flight; then sleeps until more are, or an answer.
void Run::write(std::uint32_t index) {
  const PublisherOptions& publish = options_.publish;
  const PublishConnection& connection = publishers_[index]->connection;
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

// False: not all could be sent, which epoll will tell, or the run is over.
bool Run::flush(std::uint32_t index) {
  Publisher& publisher = *publishers_[index];
  PublishConnection& connection = publisher.connection;
  if (!connection.has_unsent()) {
    if (connection.state() == State::open) watch(index, false);
    return true;
  }
  if (connection.state() == State::closed) {
    if (const int code = connection.connect(peer_); code != 0) {
      fail_to_connect(code);
      return false;
    }
    publisher.has_answered = false;
    publisher.progress_ns = now_;
    watch(index, true);
  }
  if (connection.state() == State::connecting) return false;
  const int code = connection.flush();
  // Whatever broke it, read() finds the answers that came before, and the end.
  if (code != 0 && code != EAGAIN) read(index);
  if (connection.state() == State::open) watch(index, false);
  return code == 0;
}

bool Run::append(std::uint32_t index) {
  Publisher& publisher = *publishers_[index];
  const auto events = plan_.next(
      index, now_, {.outstanding = outstanding_, .refused = result_.refused}, wake_[index]);
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
    if (!is_history_ && options_.publish.mode == PublishMode::rate) {
      result_.lateness.record(now_ - event.due_ns);
    }
  }
  setup_.progress->events.fetch_add(events.size(), std::memory_order_release);
  request_.append(publisher.connection.buffer(), items_, [&](std::size_t i, char* out) {
    const PlannedEvent& event = events[i];
    setup_.format->write({.lane = event.lane, .number = numbers_[i], .due_ns = event.due_ns},
                         event.bytes, out);
  });
  if (publisher.connection.outstanding() == 0) publisher.progress_ns = now_;
  publisher.connection.commit(due_ns);
  if (first_ns_ == 0) first_ns_ = now_;
  result_.events += events.size();
  ++result_.requests;
  ++outstanding_;
  return true;
}

void Run::read(std::uint32_t index) {
  Publisher& publisher = *publishers_[index];
  PublishConnection& connection = publisher.connection;
  if (connection.state() != State::open) return;
  now_ = net::now_ns();
  const std::uint64_t bad_before = connection.answers().bad();
  const std::uint64_t outstanding_before = connection.outstanding();
  const Received received = connection.receive(scratch_, answered_);
  if (received == Received::nothing) return;
  const int code = errno;
  for (const std::uint64_t due_ns : answered_) result_.answered.record(now_ - due_ns);
  publisher.progress_ns = now_;
  if (connection.outstanding() < outstanding_before) {
    outstanding_ -= outstanding_before - connection.outstanding();
    publisher.has_answered = true;
    last_ns_ = now_;
  }
  const AnswerReader& answers = connection.answers();
  refuse(answers.bad() - bad_before, answers.first_bad());
  if (received == Received::no_http) {
    fail(answers.error());
  } else if (received == Received::broken) {
    lose(index, false, "the connection broke before the answer: " + describe(code));
  } else if (received == Received::closed) {
    lose(index, false, "the server closed the connection before the answer");
  } else if (answers.is_last()) {
    lose(index, true, "the server closes each connection after an answer; use one in flight");
  }
}

// The connection has ended; the next request makes a new one. One that ended without a single
// answer ends the run: it would be the same again and again.
void Run::lose(std::uint32_t index, bool hard, const std::string& why) {
  Publisher& publisher = *publishers_[index];
  const std::uint64_t lost = publisher.connection.close(hard);
  outstanding_ -= lost;
  refuse(lost, why);
  if (lost > 0 && !publisher.has_answered) fail(why);
  wake_[index] = 0;
}

void Run::check_silence() {
  if (now_ - checked_ns_ < kSilenceStepNs) return;
  checked_ns_ = now_;
  const double limit_ns = setup_.answer_timeout_s * 1e9;
  for (const auto& publisher : publishers_) {
    if (publisher->connection.outstanding() == 0) continue;
    if (static_cast<double>(now_ - std::min(now_, publisher->progress_ns)) < limit_ns) continue;
    const bool is_connecting = publisher->connection.state() == State::connecting;
    fail(fmt::format("the server at {} has not answered for {} s: {} was waited for", peer_name_,
                     setup_.answer_timeout_s,
                     is_connecting ? "a connection" : "the answer to a publish request"));
    return;
  }
}

PublishResult start(const PublisherSetup& setup, bool is_history) {
  const PublisherOptions& options = setup.options->publish;
  TOCSIN_ASSERT(options.connections > 0 && options.batch > 0 && options.in_flight > 0);
  TOCSIN_ASSERT(setup.progress->submitted.size() ==
                setup.options->workload.lanes(options.connections));
  auto request = RequestTemplate::compile(options.request, options.batch);
  if (request) return Run(setup, is_history, *request).run();
  PublishResult result;
  result.error = std::move(request.error());
  return result;
}

}  // namespace

PublishResult publish_history(const PublisherSetup& setup) {
  return setup.options->publish.history == 0 ? PublishResult() : start(setup, true);
}

PublishResult publish(const PublisherSetup& setup) {
  return setup.options->publish.mode == PublishMode::none ? PublishResult() : start(setup, false);
}

}  // namespace tocsin::load
