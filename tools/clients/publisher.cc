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
#include "tools/base/print.h"

namespace tocsin::tools {
namespace {

// A hub takes 4 MiB (limits::kMaxRequestBody); smaller requests keep a pipeline moving.
constexpr std::size_t kBatchBytes = 512U * 1024;
constexpr std::size_t kMaxInFlight = 32;
constexpr const char* kUnknown = "it is unknown whether published";
// Quick at first (a hub that restarts is back in a second), never long: somebody waits.
constexpr net::ReconnectPolicy kRetryPolicy{200, 400, 100, 5'000};

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
      backoff_(kRetryPolicy, std::random_device()()) {}

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
  net::system_waiter().wait(fds, client_.deadline());
  on_outcomes(client_.handle(fds[0].revents));
  return fds[1].revents != 0;
}

void Publisher::submit_waiting() {
  while (!waiting_.empty() && !gave_up_) {
    if (!ensure_connected()) continue;
    if (!client_.can_submit()) return;
    net::HttpRequest request{"POST", options_.url.target, options_.headers, waiting_.front().body};
    request.headers.push_back({"Content-Type", "application/x-ndjson"});
    request.headers.push_back({"Accept", "application/json"});
    client_.submit(request, 0);
    sent_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
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
  if (!connected) on_connection_lost(connected.error().message);
  return connected.has_value();
}

void Publisher::on_connection_lost(std::string_view why) {
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
  for (const Batch& batch : waiting_) report(batch, "not published", why);
  waiting_.clear();
}

void Publisher::on_outcomes(std::vector<net::HttpClient::Outcome> outcomes) {
  std::vector<Batch> again;
  for (auto& outcome : outcomes) {
    Batch batch = std::move(sent_.front());
    sent_.pop_front();
    if (outcome.result) {
      answered_ = true;
      failing_since_.reset();
      backoff_.on_alive();
      batch = on_response(std::move(batch), *outcome.result);
      if (!batch.numbers.empty()) again.push_back(std::move(batch));
    } else if (outcome.result.error().maybe_sent) {
      report(batch, kUnknown, outcome.result.error().message);
    } else {
      again.push_back(std::move(batch));
    }
  }
  waiting_.insert(waiting_.begin(), std::make_move_iterator(again.begin()),
                  std::make_move_iterator(again.end()));
  // A connection that brought answers was a good one: a server may close after each.
  const bool lost = !outcomes.empty() && !outcomes.back().result;
  if (!lost || answered_) return;
  if (waiting_.empty()) {
    failing_since_.reset();  // there is nothing to try again for, and what comes next may be far
  } else {
    on_connection_lost(outcomes.back().result.error().message);
  }
}

Publisher::Batch Publisher::on_response(Batch batch, const net::HttpResponse& response) {
  const int status = response.head.status;
  if (status >= 200 && status < 300) {
    if (options_.verbose) print_ids(response.body);
    return {};
  }
  const net::Problem problem = net::read_problem(response.body);
  std::string why = problem.detail;
  if (why.empty()) {
    why = fmt::format("the server answered with {} {}", status, proto::reason_phrase(status));
  }
  if (problem.line >= 1 && problem.line <= batch.numbers.size()) {
    // Its number in the batch means nothing to the person; its number in the input does.
    fail(batch.numbers[problem.line - 1], why);
    batch.erase(problem.line - 1);
    return batch;
  }
  report(batch, problem.unknown ? kUnknown : "not published", why);
  return {};
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
