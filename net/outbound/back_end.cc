#include "net/outbound/back_end.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "net/auth/source.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

std::uint64_t since_start(TimePoint time) {
  return static_cast<std::uint64_t>(nanoseconds(time.time_since_epoch()).count());
}

BackEndAnswer no_answer(HttpError::Kind kind, std::string why) {
  return read_answer(std::unexpected(HttpError{kind, false, std::move(why)}), {}, 0, 0);
}

}  // namespace

std::uint64_t BackEndSettings::source() const {
  const Digest& trust = server.trust;
  return source_of({"webhook", server.url.to_string(),
                    {reinterpret_cast<const char*>(trust.data()), trust.size()}, terms});
}

BackEnd::BackEnd(const BackEndSettings& settings, Waiter& waiter, const Clock& clock,
                 OutboundMetrics& metrics, HttpCaller::AskName ask_name, Release release)
    : settings_(settings),
      waiter_(waiter),
      clock_(clock),
      metrics_(metrics),
      release_(std::move(release)),
      cache_(settings.cache_s == 0 ? 0 : settings.cache_bytes),
      caller_(settings.server,
              {.at_once = settings.at_once,
               .max_body_bytes = kMaxBackEndAnswer,
               .timeout_ms = settings.timeout_ms},
              waiter, std::move(ask_name)) {
  TOCSIN_ASSERT(settings.at_once > 0 && settings.timeout_ms > 0);
}

void BackEnd::ask(BackEndInquiry&& inquiry) {
  // It may have been answered since its request looked.
  if (auto known = cache_.find(inquiry.digest, clock_.unix_s())) {
    release_(inquiry.inquirer.bytes);
    (void)inquiry.inquirer.later.give(std::move(known));
    return;
  }
  const auto [question, is_new] = questions_.try_emplace(inquiry.digest);
  question->second.inquirers.push_back(std::move(inquiry.inquirer));
  if (!is_new) return;
  question->second.request = std::move(inquiry.request);
  question->second.asked = std::move(inquiry.asked);
  question->second.until = inquiry.asked_at + milliseconds(settings_.timeout_ms);
  line_.push_back(inquiry.digest);
  send_next();
}

void BackEnd::send_next() {
  while (!line_.empty() && caller_.has_room()) {
    const Digest digest = line_.front();
    line_.pop_front();
    const auto found = questions_.find(digest);
    TOCSIN_ASSERT(found != questions_.end() && !found->second.is_sent);
    found->second.is_sent = true;
    caller_.start(std::move(found->second.request), found->second.until,
                  [this, digest, sent_at = waiter_.now()](const HttpResult& result) {
                    on_answer(digest, sent_at, result);
                  });
  }
}

void BackEnd::on_answer(const Digest& digest, TimePoint sent_at, const HttpResult& result) {
  const auto took = std::chrono::duration_cast<microseconds>(waiter_.now() - sent_at);
  metrics_.call_us.record(static_cast<std::uint64_t>(took.count()));
  const auto found = questions_.find(digest);
  TOCSIN_ASSERT(found != questions_.end());
  answer(found, read_answer(result, found->second.asked, settings_.source(), clock_.unix_s()));
  send_next();
}

void BackEnd::answer(Questions::iterator question, const BackEndAnswer& answer) {
  metrics_.count(answer.outcome);
  if (!answer.fault.empty()) {
    fault_log_.write(since_start(waiter_.now()), LogLevel::warning,
                     "the webhook does not answer as it should",
                     {{"url", settings_.server.shown_url()}, {"error", answer.fault}});
  }
  const auto entry = questions_.extract(question);
  if (answer.who) cache_.put(entry.key(), *answer.who, clock_.unix_s() + settings_.cache_s);
  for (const Inquirer& inquirer : entry.mapped().inquirers) {
    release_(inquirer.bytes);
    (void)inquirer.later.give(answer.who);
  }
}

void BackEnd::give_up() {
  line_.clear();
  BackEndAnswer none = no_answer(HttpError::Kind::closed, {});
  none.fault.clear();  // it is not the back end's
  while (!questions_.empty()) answer(questions_.begin(), none);
}

TimePoint BackEnd::deadline() const {
  const TimePoint first = line_.empty() ? kNever : questions_.at(line_.front()).until;
  return std::min(first, caller_.deadline());
}

void BackEnd::handle(std::span<const pollfd> fds) {
  caller_.handle(fds);
  const TimePoint now = waiter_.now();
  while (!line_.empty() && questions_.at(line_.front()).until <= now) {
    const auto late = questions_.find(line_.front());
    line_.pop_front();
    answer(late, no_answer(HttpError::Kind::timeout, "it takes too long for so many questions"));
  }
}

}  // namespace tocsin::net
