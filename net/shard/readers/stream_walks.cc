#include "net/shard/readers/stream_walks.h"

#include <algorithm>

#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {

void StreamWalks::slice() {
  if (walks_.empty()) return;
  const std::uint64_t until_us = shard_.slice_end_us();
  while (!walks_.empty()) {
    Walk& walk = walks_.front();
    if (!go_on(walk, until_us)) return;
    walk.inquiry->add(shard_.id, std::move(walk.found));
    walks_.pop_front();
  }
}

// True: it is at its end.
bool StreamWalks::go_on(Walk& walk, std::uint64_t until_us) {
  constexpr std::uint32_t kBetweenLooks = 64;
  const StreamQuestion& question = walk.inquiry->question();
  const StreamFilter& filter = question.filter;
  std::uint32_t end = shard_.table.size();
  if (filter.id) {  // one slot, of one shard
    if (filter.id->shard != shard_.id || filter.id->slot >= end) return true;
    walk.next = std::max(walk.next, filter.id->slot);
    end = filter.id->slot + 1;
  }
  if (question.after_stream) {
    if (question.after_stream->shard > shard_.id) return true;
    const bool here = question.after_stream->shard == shard_.id;
    if (here) walk.next = std::max(walk.next, question.after_stream->slot + 1);
  }
  while (walk.next < end) {
    const std::uint32_t slot = walk.next++;
    bool acted = false;
    if (matches(filter, slot, shard_.table[slot])) {
      if (is_full(walk)) {
        walk.found.more = true;
        return true;
      }
      acted = act(walk, slot);
    }
    if ((acted || slot % kBetweenLooks == 0) && shard_.clock.now_us() > until_us) return false;
  }
  return true;
}

bool StreamWalks::matches(const StreamFilter& filter, std::uint32_t slot,
                          const Connection& connection) {
  if (!connection.peer.is_stream()) return false;
  if (filter.id && filter.id->generation != connection.peer.generation) return false;
  if (filter.subject && readers_.subject(slot) != *filter.subject) return false;
  if (!filter.topic) return true;
  return std::ranges::any_of(shard_.topics.cursors(connection.stream),
                             [&](const core::TopicCursor& at) {
                               return at.topic->name == *filter.topic;
                             });
}

bool StreamWalks::is_full(const Walk& walk) const {
  const bool list = walk.inquiry->question().kind == StreamQuestion::Kind::list;
  return list && (walk.found.streams.size() == walk.inquiry->question().limit ||
                  walk.bytes >= limits::kMaxAdminPage);
}

// True: that took its time.
bool StreamWalks::act(Walk& walk, std::uint32_t slot) {
  const StreamQuestion& question = walk.inquiry->question();
  ++walk.found.matching;
  switch (question.kind) {
    case StreamQuestion::Kind::list:
      walk.found.streams.push_back(facts_of(slot));
      walk.bytes += walk.found.streams.back().bytes();
      return true;
    case StreamQuestion::Kind::count: {
      const std::string_view subject = readers_.subject(slot);
      if (subject.empty()) {
        ++walk.found.anonymous;
      } else if (subject > question.after_subject) {
        walk.found.count(subject, question.limit);
      }
      return false;
    }
    case StreamQuestion::Kind::end:
      lifecycle_.withdraw_stream(slot, question.reason);
      return true;
  }
  return false;
}

StreamId StreamWalks::id_of(std::uint32_t slot) const {
  return {.shard = shard_.id, .slot = slot, .generation = shard_.table[slot].peer.generation};
}

StreamFacts StreamWalks::facts_of(std::uint32_t slot) {
  const auto& [peer, stream] = shard_.table[slot];
  TOCSIN_ASSERT(peer.is_stream());
  const auto cursors = shard_.topics.cursors(stream);
  const IpAddress client = readers_.client(slot);
  StreamFacts facts{.id = id_of(slot),
                    .subject = std::string(readers_.subject(slot)),
                    .age_s = readers_.age_s(slot),
                    .address = (client.is_known() ? client : shard_.io.peer_ip(peer.fd)).text(),
                    .position = {shard_.state.hub.epoch(), stream.cursor}};
  for (const core::TopicCursor& at : cursors) {
    if (!at.topic->is_direct()) facts.topics.push_back(at.topic->name);
  }
  const core::Hub::Behind behind = shard_.state.hub.with(
      [&](const core::Hub& hub) { return hub.behind(cursors, stream.cursor); });
  facts.behind_bytes = behind.bytes;
  if (behind.since) facts.behind_ms = shard_.now_ms - std::min(shard_.now_ms, *behind.since);
  return facts;
}

}  // namespace tocsin::net
