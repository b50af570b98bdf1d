#include "net/redis/redis_reader.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "net/base/clock.h"
#include "net/log.h"
#include "net/store/batch_bytes.h"
#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {
namespace {

using Kind = RespValue::Kind;
using Fault = RedisReader::Fault;

// Milliseconds that a page waits for something to be there; then the head is looked at.
constexpr std::uint64_t kBlockMs = 500;
constexpr std::string_view kBlockText = "500";
// And for the replicas; then they are asked again.
constexpr std::uint64_t kReplicasMs = 1000;
constexpr std::string_view kReplicasText = "1000";
// How late a reply may be besides.
constexpr std::uint64_t kReplyMs = 5000;

// Entries of a page, and of one behind a page of many bytes.
constexpr std::size_t kPage = 16;
constexpr std::size_t kLargePage = 16 * limits::kMiB;

TimePoint later(TimePoint now, std::uint64_t ms) {
  return now == kNever ? kNever : now + std::chrono::milliseconds(ms);
}

std::unexpected<Fault> broken(std::string text) {
  return std::unexpected(Fault{.text = std::move(text), .lost = false});
}
std::unexpected<Fault> lost(std::string text) {
  return std::unexpected(Fault{.text = std::move(text), .lost = true});
}

}  // namespace

RedisReader::Result RedisReader::resume(const StoredHead& head, TimePoint now) {
  asked_.clear();
  page_.clear();
  if (auto goes_on = history_.judge(head); !goes_on) return lost(goes_on.error());
  cursor_ = to_string(history_.behind());
  head_ms_ = head.now_ms;
  head_at_ = now;
  return {};
}

void RedisReader::send(RedisLink& link, TimePoint now, bool wait) {
  if (!asked_.empty()) return;
  if (!page_.empty()) {  // the replicas have yet to have it
    ask_replicas(link, now);
    return;
  }
  const TimePoint deadline = later(now, kBlockMs + kReplyMs);
  link.send({"HMGET", keys_.head, "e", "s", "f"}, deadline);
  const std::string count = std::to_string(page_size_);
  std::vector<std::string_view> words{"XREAD", "COUNT", count};
  if (wait && !is_unsound()) words.insert(words.end(), {"BLOCK", kBlockText});
  words.insert(words.end(), {"STREAMS", keys_.log, cursor_});
  link.send(words, deadline);
  asked_.insert(asked_.end(), {Asked::head, Asked::page});
  waits_ = replicas_ > 0 && wait && !is_unsound();
}

// WAIT answers for what the connection itself has written, and all that the server had before
// (findings/redis-wait-after-a-read-differs.sh). So it writes something, behind the page.
void RedisReader::ask_replicas(RedisLink& link, TimePoint now) {
  const TimePoint deadline = later(now, kReplicasMs + kReplyMs);
  link.send({"EVAL", write_script(), "1", keys_.reads}, deadline);
  link.send({"WAIT", std::to_string(replicas_), kReplicasText}, deadline);
  asked_.insert(asked_.end(), {Asked::nothing, Asked::replicas});
}

std::expected<bool, RedisFault> RedisReader::are_replicas_there(RedisLink& link, Waiter& waiter) {
  const TimePoint deadline = later(waiter.now(), kReplicasMs + kReplyMs);
  const auto written =
      link.ask({"EVAL", write_script(), "1", keys_.reads}, waiter, deadline);
  if (!written) return std::unexpected(written.error());
  if ((*written)->is(Kind::error)) return std::unexpected(link.fault_of(**written));
  const auto have =
      link.ask({"WAIT", std::to_string(replicas_), kReplicasText}, waiter, deadline);
  if (!have) return std::unexpected(have.error());
  if (!(*have)->is(Kind::number)) return std::unexpected(link.fault_of(**have));
  return (*have)->number >= replicas_;
}

RedisReader::Result RedisReader::on_reply(const RespValue& reply, core::Store::Client& client,
                                          RedisPublisher::Answers& answers, TimePoint now) {
  TOCSIN_ASSERT(!asked_.empty());
  if (reply.is(Kind::error)) return broken(std::string(reply.text));
  const Asked asked = asked_.front();
  asked_.pop_front();
  switch (asked) {
    case Asked::head:
      return on_head(reply);
    case Asked::page:
      if (auto good = on_page(reply); !good) return good;
      if (!waits_) return tell_page(client, answers, now);
      keep_page();
      return {};
    case Asked::replicas:
      if (reply.number >= replicas_) return tell_page(client, answers, now);
      return {};
    case Asked::nothing:
      break;
  }
  return {};
}

RedisReader::Result RedisReader::on_head(const RespValue& reply) {
  const auto epoch = parse_count(reply.at(0));
  const auto last = parse_count(reply.at(1));
  if (!epoch || !last) return broken("the history's head is gone");
  head_epoch_ = static_cast<proto::Epoch>(*epoch);
  head_last_ = *last;
  dropped_ = std::max(dropped_, parse_count(reply.at(2)).value_or(0));
  const bool same = head_epoch_ == history_.epoch();
  if (same && head_last_ < history_.behind().last) return broken("the history's head went back");
  return {};
}

RedisReader::Result RedisReader::on_page(const RespValue& reply) {
  TOCSIN_ASSERT(page_.empty());
  const auto entries = reply.at(0).at(1).items();
  if (entries.empty()) {
    // Everything that the head speaks of was there when the page was asked for.
    const core::Sequence last = history_.behind().last;
    if (head_epoch_ != history_.epoch() || head_last_ != last) {
      if (!is_unsound()) {
        begin_unsound(fmt::format(
            "the stream has nothing behind event {}, and the history goes on to {}", last,
            head_last_));
      }
      unsound_to_ = std::max(unsound_to_, head_last_);
    }
    return is_unsound() ? end_unsound() : Result{};
  }
  std::size_t bytes = 0;
  for (const RespValue& entry : entries) {
    page_.push_back({.id = std::string(entry.at(0).text), .stored = parse_entry(entry)});
    for (const RespValue& field : entry.at(1).items()) bytes += field.text.size();
    if (page_.back().stored) head_last_ = std::max(head_last_, page_.back().stored->id.last);
  }
  page_size_ = bytes > kLargePage ? 1 : kPage;
  return {};
}

// The reply ends.
void RedisReader::keep_page() {
  for (PageEntry& entry : page_) {
    if (!entry.stored) continue;
    entry.bytes = entry.stored->bytes;
    entry.producer = entry.stored->producer;
    entry.stored->bytes = entry.bytes;
    entry.stored->producer = entry.producer;
  }
}

RedisReader::Result RedisReader::tell_page(core::Store::Client& client,
                                           RedisPublisher::Answers& answers, TimePoint now) {
  for (const PageEntry& entry : std::exchange(page_, {})) {
    cursor_ = entry.id;
    const std::optional<StoredEntry>& stored = entry.stored;
    if (!stored || (stored->events > 0 && !history_.may_have(stored->id))) {
      static constinit log::OncePerSecond place;
      place.write(now_ns(), LogLevel::warning, "an entry of the history is none of a hub's",
                  {{"id", cursor_}});
      continue;
    }
    if (!is_unsound()) {
      auto told = tell_entry(*stored, client, answers, now);
      if (told) continue;
      begin_unsound(std::move(told.error().text));
    }
    look_through(*stored);
  }
  if (is_unsound() && history_.behind().last >= unsound_until_) return end_unsound();
  return {};
}

void RedisReader::begin_unsound(std::string why) {
  unsound_ = std::move(why);
  unsound_until_ = head_last_;
  unsound_to_ = history_.behind().last;
}

// Nobody is told of it.
void RedisReader::look_through(const StoredEntry& entry) {
  const core::Sequence behind = history_.behind().last;
  const core::Sequence before = entry.id.last - entry.events;
  const bool sound = before >= behind &&
                     (entry.events == 0 || read_events(entry.bytes, entry.events, epochs_));
  if (!sound) {
    unsound_to_ = std::max(entry.id.last, behind);
    history_.skip({.generation = entry.id.generation, .last = unsound_to_});
    return;
  }
  if (before > behind) unsound_to_ = before;
  history_.skip({.generation = entry.id.generation, .last = before});
  const bool follows = entry.events == 0 ? history_.follow_open(entry).has_value()
                                         : history_.follow(entry).has_value();
  TOCSIN_ASSERT(follows);
  if (const auto journal = history_.journal()) epochs_ = journal->epochs();
}

RedisReader::Result RedisReader::end_unsound() const {
  return lost(fmt::format("{}; a hub that starts begins behind event {}", unsound_, unsound_to_));
}

bool RedisReader::note_unsound(RedisLink& link, Waiter& waiter, TimePoint deadline) {
  if (link.unanswered() > 0) return false;
  const auto reply = link.ask({"EVAL", drop_script(), "1", keys_.head, std::to_string(head_epoch_),
                               std::to_string(unsound_to_)},
                              waiter, deadline);
  return reply && !(*reply)->is(Kind::error);
}

RedisReader::Result RedisReader::tell_opening(const StoredEntry& entry,
                                              core::Store::Client& client) {
  const auto forked = history_.follow_open(entry);
  if (!forked) return lost(forked.error());
  if (!*forked) return {};
  const auto journal = history_.journal();
  if (!journal) return lost("its epochs are damaged");
  epochs_ = journal->epochs();
  client.forked(entry.opens);
  return {};
}

RedisReader::Result RedisReader::tell_entry(const StoredEntry& entry, core::Store::Client& client,
                                            RedisPublisher::Answers& answers, TimePoint now) {
  if (entry.events == 0) return tell_opening(entry, client);
  auto events = read_events(entry.bytes, entry.events, epochs_);
  if (!events) return lost(fmt::format("its entry {} is damaged", cursor_));
  const auto place = history_.follow(entry);
  if (!place) return lost(place.error());
  TOCSIN_ASSERT(place->events() == events->size());
  const Commit* own = publisher_.find(entry);
  const auto received = static_cast<core::ReceiptUs>(now_ns() / 1000);
  for (std::size_t i = 0; i < events->size(); ++i) {
    (*events)[i].received =
        own != nullptr && own->received.size() == events->size() ? own->received[i] : received;
  }
  client.committed(*place, *events, age_ms(entry, now));
  publisher_.on_applied(entry, *place, answers);
  return {};
}

// By the server's clock, so that those of the hubs may differ.
std::uint64_t RedisReader::age_ms(const StoredEntry& entry, TimePoint now) const {
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(now - head_at_);
  const std::uint64_t there =
      head_ms_ + static_cast<std::uint64_t>(std::max<std::int64_t>(since.count(), 0));
  return there - std::min(there, entry.time_ms);
}

}  // namespace tocsin::net
