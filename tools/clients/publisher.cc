#include "tools/clients/publisher.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <random>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <simdjson.h>

#include "net/client/problem.h"
#include "net/http/option_value.h"
#include "proto/http/http_response.h"
#include "proto/text/ascii.h"
#include "tools/base/print.h"

namespace tocsin::tools {
namespace {

// A hub takes 4 MiB (limits::kMaxRequestBody); smaller requests keep a pipeline moving.
constexpr std::size_t kBatchBytes = 512U * 1024;
constexpr std::size_t kMaxInFlight = 32;
constexpr const char* kUnknown = "it is unknown whether published";
// Quick at first (a hub that restarts is back in a second), never long: somebody waits.
constexpr net::ReconnectPolicy kRetryPolicy{200, 400, 100, 5'000};

bool is_publish_key(const net::HeaderField& field) {
  return proto::equals_ignoring_case(field.name, "publish-id") ||
         proto::equals_ignoring_case(field.name, "idempotency-key");
}

std::string text_of(const simdjson::dom::object& object, std::string_view key) {
  std::string_view value;
  return object[key].get(value) == simdjson::SUCCESS ? std::string(value) : std::string();
}

}  // namespace

void Publisher::Batch::erase(std::size_t index) {
  std::size_t begin = 0;
  for (std::size_t i = 0; i < index; ++i) begin = body.find('\n', begin) + 1;
  body.erase(begin, body.find('\n', begin) + 1 - begin);
  numbers.erase(numbers.begin() + static_cast<std::ptrdiff_t>(index));
}

Publisher::Publisher(PublisherOptions options)
    : options_(std::move(options)),
      client_(options_.url, {.max_in_flight = kMaxInFlight, .tls = options_.tls}),
      backoff_(kRetryPolicy, std::random_device()()) {
  if (retries() && std::ranges::none_of(options_.headers, is_publish_key)) begin_anew();
}

bool Publisher::has_room() const {
  return !gave_up_ && waiting_.size() + sent_.size() < kMaxInFlight;
}

void Publisher::add(std::string_view json_object, std::size_t number) {
  if (current_.body.size() + json_object.size() > kBatchBytes) flush();
  current_.body.append(json_object).append("\n");
  current_.numbers.push_back(number);
  if (current_.numbers.size() >= options_.batch) flush();
}

void Publisher::flush() {
  if (!current_.numbers.empty()) waiting_.push_back(std::exchange(current_, {}));
}

bool Publisher::step(int input_fd) {
  submit_waiting();
  if (gave_up_) return false;
  std::array<pollfd, 2> fds{client_.poll_request(), {input_fd, POLLIN, 0}};
  const bool pauses = !waiting_.empty() && std::chrono::steady_clock::now() < pause_until_;
  net::system_waiter().wait(fds, pauses ? std::min(client_.deadline(), pause_until_)
                                        : client_.deadline());
  on_outcomes(client_.handle(fds[0].revents));
  return fds[1].revents != 0;
}

void Publisher::submit_waiting() {
  while (!waiting_.empty() && !gave_up_) {
    if (!ensure_connected()) continue;
    if (!client_.can_submit() || std::chrono::steady_clock::now() < pause_until_) return;
    auto batch = take_next();
    if (!batch) return;
    submit(*std::move(batch));
  }
}

// Nothing: what is under way has to be answered first.
std::optional<Publisher::Batch> Publisher::take_next() {
  auto next = waiting_.begin();
  if (anew_) {
    // Those that the hub may have under the old name are asked for first.
    next = std::ranges::find(waiting_, true, &Batch::maybe);
    if (next == waiting_.end()) {
      if (!sent_.empty()) return std::nullopt;
      begin_anew();
      next = waiting_.begin();
    }
  }
  Batch batch = std::move(*next);
  waiting_.erase(next);
  return batch;
}

void Publisher::begin_anew() {
  std::random_device random;
  name_ = fmt::format("{:08x}{:08x}{:08x}", random(), random(), random());
  next_id_ = 1;
  anew_ = false;
  for (Batch& batch : waiting_) batch.id = 0;
}

void Publisher::submit(Batch batch) {
  net::HttpRequest request{"POST", options_.url.target, options_.headers, batch.body};
  request.headers.push_back({"Content-Type", "application/x-ndjson"});
  request.headers.push_back({"Accept", "application/json"});
  if (!name_.empty()) {
    if (batch.id == 0) batch.id = next_id_++;
    request.headers.push_back({"Publish-Id", fmt::format("{}/{}", name_, batch.id)});
  }
  client_.submit(request, 0);
  sent_.push_back(std::move(batch));
}

bool Publisher::ensure_connected() {
  if (client_.is_connected()) return true;
  if (failing_since_) {
    const net::TimePoint end = *failing_since_ + options_.retry_for;
    std::this_thread::sleep_until(
        std::min(std::chrono::steady_clock::now() + backoff_.next(), end));
  }
  auto connected = client_.connect();
  answered_ = false;
  if (!connected) on_trouble(connected.error().message);
  return connected.has_value();
}

// There is no connection, or no answer that decides anything.
void Publisher::on_trouble(std::string_view why) {
  const net::TimePoint now = std::chrono::steady_clock::now();
  const bool first = !failing_since_;
  if (first) failing_since_ = now;
  if (now < *failing_since_ + options_.retry_for) {
    if (first) {
      print(options_.err, "tocsin publish: {}; trying again for {}\n", why,
            net::format_duration_ms(static_cast<std::uint64_t>(options_.retry_for.count())));
    }
    return;
  }
  gave_up_ = true;
  for (const Batch& batch : std::exchange(sent_, {})) report(batch, kUnknown, why);
  for (const Batch& batch : waiting_) {
    report(batch, batch.maybe ? kUnknown : "not published", why);
  }
  waiting_.clear();
}

void Publisher::on_outcomes(std::vector<net::HttpClient::Outcome> outcomes) {
  for (auto& outcome : outcomes) {
    Batch batch = std::move(sent_.front());
    sent_.pop_front();
    if (outcome.result) {
      answered_ = true;
      on_response(std::move(batch), *outcome.result);
    } else if (outcome.result.error().maybe_sent && name_.empty()) {
      report(batch, kUnknown, outcome.result.error().message);
    } else {
      batch.maybe |= outcome.result.error().maybe_sent;
      put_back(std::move(batch));
    }
  }
  if (!trouble_.empty()) {
    pause_until_ = std::chrono::steady_clock::now() + backoff_.next();
    on_trouble(std::exchange(trouble_, {}));
    return;
  }
  // A connection that brought answers was a good one: a server may close after each.
  const bool lost = !outcomes.empty() && !outcomes.back().result;
  if (!lost || answered_) return;
  if (waiting_.empty()) {
    failing_since_.reset();  // there is nothing to try again for, and what comes next may be far
  } else {
    on_trouble(outcomes.back().result.error().message);
  }
}

void Publisher::put_back(Batch batch) {
  const auto behind = std::ranges::upper_bound(
      waiting_, batch.numbers.front(), {}, [](const Batch& one) { return one.numbers.front(); });
  waiting_.insert(behind, std::move(batch));
}

void Publisher::on_response(Batch batch, const net::HttpResponse& response) {
  const int status = response.head.status;
  const bool good = status >= 200 && status < 300;
  const net::Problem problem = good ? net::Problem{} : net::read_problem(response.body);
  const std::string why = !problem.detail.empty()
                              ? problem.detail
                              : fmt::format("the server answered with {} {}", status,
                                            proto::reason_phrase(status));
  // Of one that may have been processed before a refusal for now says nothing.
  const bool for_now = status >= 500 || status == 429;
  if (!good && !name_.empty() && (problem.unknown || (batch.maybe && for_now))) {
    batch.maybe = true;
    put_back(std::move(batch));
    trouble_ = why;
    return;
  }
  failing_since_.reset();
  backoff_.on_alive();
  if (good) {
    if (options_.verbose) print_ids(response.body);
  } else if (status == 409 && !name_.empty() && problem.expected > 0 &&
             problem.expected != batch.id) {
    on_conflict(std::move(batch), problem.expected, why);
  } else {
    refuse(std::move(batch), problem, why);
  }
}

// Its number is not the one that the hub expects: it is not published.
void Publisher::on_conflict(Batch batch, std::uint64_t expected, std::string_view why) {
  if (expected > batch.id) return;  // it was published, so long ago that its ids are not known
  anew_ = true;
  // The hub does not know the name any more, and so not what it had of it.
  if (batch.maybe && expected == 1) {
    report(batch, kUnknown, why);
    return;
  }
  batch.maybe = false;
  batch.id = 0;
  put_back(std::move(batch));
}

void Publisher::refuse(Batch batch, const net::Problem& problem, std::string_view why) {
  anew_ = !name_.empty();
  if (problem.line >= 1 && problem.line <= batch.numbers.size()) {
    // Its number in the batch means nothing to the person; its number in the input does.
    fail(batch.numbers[problem.line - 1], why);
    batch.erase(problem.line - 1);
    batch.maybe = false;
    batch.id = 0;
    if (!batch.numbers.empty()) put_back(std::move(batch));
    return;
  }
  report(batch, problem.unknown ? kUnknown : "not published", why);
}

std::string Publisher::range(const Batch& batch) const {
  const auto [first, last] = std::pair(batch.numbers.front(), batch.numbers.back());
  if (first == last) return fmt::format("{} {}", options_.source_word, first);
  return fmt::format("{}s {} to {}", options_.source_word, first, last);
}

void Publisher::report(const Batch& batch, std::string_view what, std::string_view why) {
  failed_ += batch.numbers.size();
  print(options_.err, "tocsin publish: {}: {}: {}\n", range(batch), what, why);
}

void Publisher::fail(std::size_t number, std::string_view why) {
  ++failed_;
  print(options_.err, "tocsin publish: {} {}: not published: {}\n", options_.source_word,
             number, why);
}

// One line a request: the id of its event, or of its first and its last.
void Publisher::print_ids(const std::string& body) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(body).get(object) != simdjson::SUCCESS) return;
  const std::string first = text_of(object, "first_id");
  const std::string last = text_of(object, "last_id");
  print(options_.out, "{}\n", first == last ? first : first + ' ' + last);
  std::fflush(options_.out);
}

}  // namespace tocsin::tools
