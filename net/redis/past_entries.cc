#include "net/redis/past_entries.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <utility>

#include "net/base/clock.h"
#include "net/log.h"
#include "net/redis/master_link.h"
#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {
namespace {

using Kind = RespValue::Kind;
using std::chrono::milliseconds;

// Entries that are asked for at once: one at first, as it may have all that is wanted, then more;
// behind many bytes one again.
constexpr std::size_t kMostEntries = 16;

std::size_t bytes_of(const RespValue& entry) {
  std::size_t bytes = 0;
  for (const RespValue& field : entry.at(1).items()) bytes += field.text.size();
  return bytes;
}

}  // namespace

std::optional<core::Sequence> PastEntries::read(core::Sequence after, core::Sequence until,
                                                const core::Store::TakeEvent& take) {
  TOCSIN_ASSERT(after < until);
  PastRead read(after, until, take);
  if (!batches_.give_kept(read)) return read.above();
  const Result done = read_entries(read);
  if (done || read.has_begun()) return read.above();
  link_.reset();
  static constinit log::OncePerSecond place;
  place.write(now_ns(), LogLevel::warning, "what is older cannot be read from the history",
              {{"error", done.error().text}});
  return std::nullopt;
}

PastEntries::Result PastEntries::read_entries(PastRead& read) {
  Waiter& waiter = system_waiter();
  if (!link_) {
    auto master = open_master(options_.url, trust_, waiter,
                              waiter.now() + milliseconds(options_.connect_ms));
    if (!master) return std::unexpected(std::move(master.error()));
    link_.emplace(std::move(master->link));
  }
  const TimePoint deadline = waiter.now() + milliseconds(options_.answer_ms);
  const auto head = ask_head(deadline);
  if (!head) return std::unexpected(head.error());
  const auto epochs = head->epochs();
  if (!epochs) return std::unexpected(RedisFault{.text = "the history's epochs are damaged"});
  std::string cursor =
      to_string(EntryId{.generation = head->generation_behind(read.at()), .last = read.at()});
  for (std::size_t count = 1;;) {
    const auto reply = link_->ask(
        {"XRANGE", keys_.log, '(' + cursor, "+", "COUNT", std::to_string(count)}, waiter, deadline);
    if (!reply) return std::unexpected(reply.error());
    if (!(*reply)->is(Kind::list)) return std::unexpected(link_->fault_of(**reply));
    if ((*reply)->items().empty()) return {};
    std::size_t bytes = 0;
    for (const RespValue& entry : (*reply)->items()) {
      bytes += bytes_of(entry);
      cursor = entry.at(0).text;
      const auto stored = parse_entry(entry);
      if (stored && stored->events == 0) continue;  // an epoch begins
      const auto place = stored ? place_of(*stored, *head) : std::nullopt;
      PastBatchRef batch = place ? PastBatch::decode(*place, stored->bytes, *epochs) : nullptr;
      if (!batches_.give(std::move(batch), read)) return {};
    }
    count = bytes > limits::kMaxReplayPage ? 1 : std::min(2 * count, kMostEntries);
  }
}

std::expected<StoredHead, RedisFault> PastEntries::ask_head(TimePoint deadline) {
  const auto reply = link_->ask({"HMGET", keys_.head, "e", "g", "s", "older", "b"},
                                system_waiter(), deadline);
  if (!reply) return std::unexpected(reply.error());
  auto head = parse_stored_head(**reply);
  if (!head) return std::unexpected(link_->fault_of(**reply));
  return *std::move(head);
}

}  // namespace tocsin::net
