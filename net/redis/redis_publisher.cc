#include "net/redis/redis_publisher.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <random>
#include <string_view>

#include <fmt/format.h>

#include "net/base/clock.h"
#include "net/log.h"
#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {
namespace {

using Outcome = core::StoreAnswer::Outcome;
using Kind = RespValue::Kind;

// Commits that the server has yet to answer: two hide the way there and back, the rest what a
// thread is late.
constexpr std::size_t kMaxUnanswered = 8;
// And those that wait to be read, or for replicas.
constexpr std::size_t kMaxUnderWay = 256;

// Milliseconds that a producer's number is kept: longer than anybody tries to send something again.
constexpr std::string_view kKeepNumberMs = "86400000";

// Milliseconds that WAIT waits; then it is asked again.
constexpr std::string_view kReplicasMs = "1000";

constexpr std::uint64_t kMaxStep = 16ULL * 1024 * 1024;
constexpr std::uint64_t kLeastStep = 64ULL * 1024;

// Errors before anything was written: the commit is nowhere.
constexpr std::array<std::string_view, 9> kRefusals = {
    "OOM",       "MISCONF", "NOREPLICAS", "READONLY", "LOADING",
    "WRONGTYPE", "NOPERM",  "BUSY",       "MASTERDOWN"};

// The same of a script's command, which has no code of its own.
constexpr std::string_view kNotAllowed = "The user executing the script can't";

std::string random_name() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}", device(), device());
}

// What the script is told of a key.
using KeyWords = std::array<std::string, 6>;
KeyWords words_of(const core::PublishKey& key) {
  return {key_text(key),
          std::to_string(key.number),
          content_text(key),
          std::to_string(core::kPublishKeyMs),
          std::to_string(limits::kKeptNumbers),
          std::to_string(limits::kMaxPublishKeys / limits::kPublishKey)};
}

// Of what a script's command was answered; old servers hide it in a text of their own.
std::string_view code_of(std::string_view error) {
  if (const auto script = error.find("@user_script"); script != std::string_view::npos) {
    if (const auto hidden = error.rfind(": -"); hidden != std::string_view::npos) {
      error.remove_prefix(hidden + 3);
    }
  }
  return error.substr(0, error.find(' '));
}

}  // namespace

RedisPublisher::RedisPublisher(const RedisOptions& options, const StoredKeys& keys,
                               CommitQueue& queue)
    : options_(options), keys_(keys), queue_(queue), producer_(random_name()) {}

TimePoint RedisPublisher::reply_by(TimePoint now) const {
  return now == kNever ? kNever : now + std::chrono::milliseconds(options_.answer_ms);
}

RedisPublisher::Result RedisPublisher::resume(RedisLink& link, proto::Epoch epoch, Waiter& waiter,
                                              TimePoint deadline, Answers& answers) {
  expected_.clear();
  unanswered_ = 0;
  asks_replicas_ = false;
  const bool forgotten = std::exchange(stale_, Stale::no) == Stale::producer;
  if (refusing_) abandon_refused(answers);
  epoch_ = std::to_string(epoch);
  const auto loaded = link.ask({"SCRIPT", "LOAD", publish_script()}, waiter, deadline);
  if (!loaded) return std::unexpected(loaded.error());
  if (!(*loaded)->is(Kind::text)) return std::unexpected(link.fault_of(**loaded));
  script_ = (*loaded)->text;
  const std::string key = keys_.producer(producer_);
  const auto known = link.ask({"HGET", key, "n"}, waiter, deadline);
  if (!known) return std::unexpected(known.error());
  // The key may be on its way to another node: that says nothing of the number.
  if ((*known)->is(Kind::error)) return std::unexpected(link.fault_of(**known));
  std::uint64_t number = parse_count(**known).value_or(0);
  if (forgotten || number + 1 < first_) {
    begin_anew(answers);
    number = 0;
  }
  const TimePoint reply = reply_by(waiter.now());
  bool stored = false;
  for (std::uint64_t n = first_; n < first_ + under_way_.size(); ++n) {
    const bool worked_off = n <= number;
    if (worked_off) stored = true;
    if (!worked_off || (at(n)->commit.key && !at(n)->known)) send_commit(link, n, reply);
  }
  if (options_.url.replicas == 0) return {};
  if (stored) {  // WAIT asks only for what this connection has written
    link.send({"PEXPIRE", key, kKeepNumberMs}, reply);
    expected_.push_back({.what = Expected::What::nothing});
  }
  if (!under_way_.empty()) ask_replicas(link, reply);
  return {};
}

// The server does not know what it has of this producer any more: it has lost the number, or it
// never had what was under way.
void RedisPublisher::begin_anew(Answers& answers) {
  for (const UnderWay& one : under_way_) {
    if (one.sends > 0) answer(one.commit, {.outcome = Outcome::unknown}, answers);
  }
  std::erase_if(under_way_, [](const UnderWay& one) { return one.sends > 0; });
  producer_ = random_name();
  first_ = 1;
  replicated_ = 0;
}

void RedisPublisher::send(RedisLink& link, TimePoint now) {
  TOCSIN_ASSERT(!script_.empty());  // it was resumed
  if (stale_ != Stale::no) return;
  const TimePoint deadline = reply_by(now);
  bool sent = false;
  while (!refusing_ && unanswered_ < kMaxUnanswered && under_way_.size() < kMaxUnderWay) {
    auto commit = queue_.take();
    if (!commit) break;
    under_way_.push_back({.commit = *std::move(commit)});
    send_commit(link, first_ + under_way_.size() - 1, deadline);
    sent = true;
  }
  if (options_.url.replicas == 0 || under_way_.empty()) return;
  const bool all = replicated_ >= first_ + under_way_.size() - 1;
  if (sent || (!asks_replicas_ && !all && unanswered_ == 0)) ask_replicas(link, deadline);
}

void RedisPublisher::send_commit(RedisLink& link, std::uint64_t number, TimePoint deadline) {
  TOCSIN_ASSERT(at(number) != nullptr);
  UnderWay& one = *at(number);
  if (one.sent_us == 0) one.sent_us = now_ns() / 1000;
  ++one.sends;
  const std::uint64_t step =
      options_.keep_bytes == 0
          ? kMaxStep
          : std::clamp(options_.keep_bytes / 16, kLeastStep, kMaxStep);
  const std::optional<core::PublishKey>& key = one.commit.key;
  const std::array texts{keys_.producer(producer_), std::to_string(number),
                         std::to_string(one.commit.events), std::to_string(options_.keep_bytes),
                         std::to_string(options_.keep_age_ms), std::to_string(step)};
  std::vector<std::string_view> words{"EVALSHA", script_,  key ? "6" : "4", keys_.head,
                                      keys_.log, texts[0], keys_.marks};
  if (key) words.insert(words.end(), {keys_.publish_keys, keys_.publish_times});
  words.insert(words.end(), {epoch_, texts[1], texts[2], one.commit.bytes, producer_,
                             kKeepNumberMs, texts[3], texts[4], texts[5]});
  const auto key_words = key ? words_of(*key) : KeyWords{};
  if (key) words.insert(words.end(), key_words.begin(), key_words.end());
  link.send(words, deadline);
  expected_.push_back({.what = Expected::What::commit, .number = number});
  ++unanswered_;
}

void RedisPublisher::ask_replicas(RedisLink& link, TimePoint deadline) {
  link.send({"WAIT", std::to_string(options_.url.replicas), kReplicasMs}, deadline);
  expected_.push_back(
      {.what = Expected::What::replicas, .number = first_ + under_way_.size() - 1});
  asks_replicas_ = true;
}

RedisPublisher::UnderWay* RedisPublisher::at(std::uint64_t number) {
  if (number < first_ || number - first_ >= under_way_.size()) return nullptr;
  return &under_way_[number - first_];
}

RedisPublisher::Result RedisPublisher::on_reply(const RespValue& reply, Answers& answers) {
  auto taken = take_reply(reply, answers);
  if (taken && stale_ == Stale::epoch && unanswered_ == 0) {
    return std::unexpected(RedisFault{"the history goes on in another epoch"});
  }
  return taken;
}

RedisPublisher::Result RedisPublisher::take_reply(const RespValue& reply, Answers& answers) {
  TOCSIN_ASSERT(!expected_.empty());
  const Expected expected = expected_.front();
  expected_.pop_front();
  if (expected.what == Expected::What::nothing) return {};
  if (expected.what == Expected::What::replicas) {
    asks_replicas_ = std::ranges::any_of(expected_, [](const Expected& one) {
      return one.what == Expected::What::replicas;
    });
    const bool enough = reply.is(Kind::number) && reply.number >= options_.url.replicas;
    if (enough) replicated_ = std::max(replicated_, expected.number);
    settle(answers);
    return {};
  }
  TOCSIN_ASSERT(unanswered_ > 0);
  --unanswered_;
  if (reply.is(Kind::error)) return on_error(expected.number, reply.text, answers);
  UnderWay* const one = at(expected.number);
  if (reply.is(Kind::list) && one != nullptr) {
    one->known = parse_finding(reply);
    settle(answers);
  }
  return {};  // it is acknowledged when it is read
}

RedisPublisher::Result RedisPublisher::on_error(std::uint64_t number, std::string_view error,
                                                Answers& answers) {
  UnderWay* one = at(number);
  const std::string_view code = code_of(error);
  const Stale stale = one == nullptr ? Stale::no : staleness(*one, code);
  if (stale != Stale::no) {
    if (stale_ == Stale::no || stale == Stale::epoch) stale_ = stale;
    --one->sends;
    not_there(number);
    return {};
  }
  const bool refused = std::ranges::find(kRefusals, code) != kRefusals.end() ||
                       error.contains(kNotAllowed) ||
                       (refusing_ && code == "NUMBER");
  // What was sent before by another connection may be on its way yet: that it is refused now says
  // nothing of then.
  if (one == nullptr || one->sends != 1 || !refused || stale_ != Stale::no) {
    return std::unexpected(RedisFault{std::string(error), is_lasting(error)});
  }
  static constinit log::OncePerSecond place;
  place.write(now_ns(), LogLevel::warning, "the history's server refuses events",
              {{"error", error}});
  one->refused = true;
  refusing_ = true;
  answer(one->commit, {.outcome = Outcome::refused}, answers);
  not_there(number);
  if (unanswered_ > 0) return {};
  // They are the newest, and nothing of them is on its way: their numbers are free again.
  while (!under_way_.empty() && under_way_.back().refused) under_way_.pop_back();
  TOCSIN_ASSERT(std::ranges::none_of(under_way_, &UnderWay::refused));
  refusing_ = false;
  return {};
}

// What the server has to be told before the commit is sent again, whose refusal says that nothing
// of this send is there. What was sent before may be on its way yet, so only what was sent once
// goes again in another epoch, or from another producer. The numbers behind a refused commit do
// not follow, also where somebody has loaded the script meanwhile.
RedisPublisher::Stale RedisPublisher::staleness(const UnderWay& one, std::string_view code) const {
  if (refusing_) return Stale::no;
  if (code == "NOSCRIPT" || (stale_ == Stale::script && code == "NUMBER")) return Stale::script;
  if (one.sends != 1) return Stale::no;
  if (code == "EPOCH") return Stale::epoch;
  return code == "NUMBER" ? Stale::producer : Stale::no;
}

// Of whatever has the number next, the replies to come say nothing.
void RedisPublisher::not_there(std::uint64_t number) {
  for (Expected& later : expected_) {
    if (later.what == Expected::What::replicas) later.number = std::min(later.number, number - 1);
  }
}

// The connection was lost before everything behind a refused commit was answered. None of that can
// come any more, as its numbers do not follow, as long as nobody gets the number that is free.
void RedisPublisher::abandon_refused(Answers& answers) {
  const auto first = std::ranges::find_if(under_way_, &UnderWay::refused);
  TOCSIN_ASSERT(first != under_way_.end());
  for (auto one = first; one != under_way_.end(); ++one) {
    if (!one->refused) answer(one->commit, {.outcome = Outcome::refused}, answers);
  }
  under_way_.erase(first, under_way_.end());
  refusing_ = false;
  begin_anew(answers);
}

const Commit* RedisPublisher::find(const StoredEntry& entry) const {
  if (entry.producer != producer_ || entry.number < first_ ||
      entry.number - first_ >= under_way_.size()) {
    return nullptr;
  }
  const Commit& commit = under_way_[entry.number - first_].commit;
  return commit.events == entry.events ? &commit : nullptr;
}

void RedisPublisher::on_applied(const StoredEntry& entry, const core::Place& place,
                                Answers& answers) {
  if (find(entry) == nullptr) return;
  at(entry.number)->place = place;
  settle(answers);
}

void RedisPublisher::settle(Answers& answers) {
  while (!under_way_.empty()) {
    const UnderWay& one = under_way_.front();
    if (!one.place && !one.known) return;
    if (options_.url.replicas > 0 && first_ > replicated_) return;
    TOCSIN_ASSERT(!one.refused);
    if (one.place) {
      settle_applied(one, answers);
    } else {
      answer(one.commit, *one.known, answers);
    }
    under_way_.pop_front();
    ++first_;
  }
}

void RedisPublisher::settle_applied(const UnderWay& one, Answers& answers) {
  TOCSIN_ASSERT(one.place->events() == one.commit.events);
  core::Place place = *one.place;
  for (const Commit::Part& part : one.commit.parts) {
    place.last = place.first + part.events - 1;
    answers.emplace_back(part.ticket,
                         core::StoreAnswer{.outcome = Outcome::committed, .place = place});
    place.first = place.last + 1;
  }
  figures_.push_back({.batches = one.commit.parts.size(),
                      .events = one.commit.events,
                      .took_us = now_ns() / 1000 - one.sent_us});
  queue_.release(one.commit);
}

void RedisPublisher::answer(const Commit& commit, const core::StoreAnswer& outcome,
                            Answers& answers) {
  for (const Commit::Part& part : commit.parts) answers.emplace_back(part.ticket, outcome);
  queue_.release(commit);
}

void RedisPublisher::give_up(Answers& answers) {
  if (refusing_) abandon_refused(answers);
  begin_anew(answers);
  for (const UnderWay& one : under_way_) {
    answer(one.commit, {.outcome = Outcome::refused}, answers);
  }
  under_way_.clear();
}

}  // namespace tocsin::net
