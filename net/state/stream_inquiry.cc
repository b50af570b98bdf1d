#include "net/state/stream_inquiry.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "net/state/server_state.h"
#include "proto/assert.h"
#include "proto/limits.h"
#include "proto/text/number.h"

namespace tocsin::net {
namespace {

constexpr std::size_t kIdDigits = 16;

// Of an entry's other members and their names, in JSON.
constexpr std::size_t kFactsOverhead = 200;

}  // namespace

std::string StreamId::text() const {
  return fmt::format("{:0{}x}", pack(), kIdDigits);
}

std::optional<StreamId> StreamId::parse(std::string_view text) {
  const auto bits = proto::read_number<std::uint64_t>(text, 16);
  if (!bits) return std::nullopt;
  const StreamId id{.shard = static_cast<core::ShardId>(*bits >> 56),
                    .slot = static_cast<std::uint32_t>(*bits),
                    .generation = static_cast<std::uint32_t>(*bits >> 32) & 0xff'ffffU};
  const bool can_be = id.shard < limits::kMaxShards && id.slot < limits::kMaxSlots;
  return can_be && id.text() == text ? std::optional(id) : std::nullopt;
}

std::size_t StreamFacts::bytes() const {
  std::size_t size = kFactsOverhead + subject.size();
  for (const std::string& topic : topics) size += topic.size() + 3;
  return size;
}

// Once there are as many as are wanted the last one goes for each that is in front of it. One that
// went is never in front of the last one again, so it does not come back with a part of its
// streams.
void StreamsFound::count(std::string_view subject, std::size_t limit) {
  TOCSIN_ASSERT(limit > 0 && subjects.size() <= limit);
  const auto known = subjects.find(subject);
  if (known != subjects.end()) {
    ++known->second;
    return;
  }
  if (subjects.size() == limit) {
    more = true;
    const auto last = std::prev(subjects.end());
    if (subject > last->first) return;
    subjects.erase(last);
  }
  subjects.emplace(subject, 1);
}

bool StreamInquiry::begin(ServerState& state, const RequestTicket& asker,
                          StreamQuestion question) {
  if (state.inquiries.fetch_add(1) >= limits::kMaxStreamInquiries) {
    state.inquiries.fetch_sub(1);
    return false;
  }
  const auto inquiry = std::make_shared<StreamInquiry>(state, asker, std::move(question));
  for (std::size_t shard = 0; shard < state.hub.shards(); ++shard) {
    state.post({.ticket = {.shard = static_cast<core::ShardId>(shard)}, .value = inquiry});
  }
  return true;
}

StreamInquiry::StreamInquiry(ServerState& state, const RequestTicket& asker,
                             StreamQuestion question)
    : state_(state),
      asker_(asker),
      question_(std::move(question)),
      shards_left_(state.hub.shards()) {
  TOCSIN_ASSERT(question_.kind == StreamQuestion::Kind::end || question_.limit > 0);
}

StreamInquiry::~StreamInquiry() {
  const std::uint32_t before = state_.inquiries.fetch_sub(1);
  TOCSIN_ASSERT(before > 0);
}

void StreamInquiry::add(core::ShardId shard, StreamsFound&& part) {
  StreamsFound all;
  core::ShardId unfinished = 0;
  {
    const MutexLock lock(mutex_);
    TOCSIN_ASSERT(shards_left_ > 0 && shard < state_.hub.shards());
    if (part.more) unfinished_ = std::min(unfinished_, shard);
    merge(std::move(part));
    if (--shards_left_ > 0) return;
    all = std::move(found_);
    unfinished = unfinished_;
  }
  cut(all, unfinished);
  state_.post({.ticket = asker_, .value = std::make_shared<const StreamsFound>(std::move(all))});
}

// The page that all parts make together. A shard that had to stop has others behind what it said,
// so what shards behind it have said comes later.
void StreamInquiry::cut(StreamsFound& all, core::ShardId unfinished) const {
  std::ranges::sort(all.streams, [](const StreamFacts& one, const StreamFacts& other) {
    return other.id.is_behind(one.id);
  });
  std::erase_if(all.streams, [&](const StreamFacts& one) { return one.id.shard > unfinished; });
  if (all.streams.size() > question_.limit) {
    all.more = true;
    all.streams.resize(question_.limit);
  }
  while (all.subjects.size() > question_.limit) {
    all.more = true;
    all.subjects.erase(std::prev(all.subjects.end()));
  }
}

// Of each shard's subjects the first are here, so the first of all are complete.
void StreamInquiry::merge(StreamsFound&& part) {
  std::ranges::move(part.streams, std::back_inserter(found_.streams));
  for (const auto& [subject, streams] : part.subjects) found_.subjects[subject] += streams;
  found_.more = found_.more || part.more;
  found_.matching += part.matching;
  found_.anonymous += part.anonymous;
}

}  // namespace tocsin::net
