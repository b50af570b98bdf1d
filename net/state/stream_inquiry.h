// What is asked of all shards about their streams, or to be done to them, and what came of it. Each
// shard says its part once, when it comes to it (net/shard/readers/stream_walks.h); the last one
// posts all of it to whoever has asked, as the answer that it waits for. No shard waits.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/own_events.h"
#include "core/shard_set.h"
#include "net/base/mutex.h"
#include "net/state/mailbox.h"
#include "proto/sse/event_id.h"

namespace tocsin::net {

struct ServerState;

// Names a stream of the hub; not used again for long.
struct StreamId {
  core::ShardId shard = 0;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;  // of the slot, 24 bits

  [[nodiscard]] std::uint64_t pack() const {
    return std::uint64_t{shard} << 56 | std::uint64_t{generation} << 32 | slot;
  }
  // Sixteen hexadecimal digits: more than a number of JSON can be sure of.
  [[nodiscard]] std::string text() const;
  // Nothing: no stream has such a name.
  [[nodiscard]] static std::optional<StreamId> parse(std::string_view text);

  // Pages of a list are in this order: a slot's stream may change in between.
  [[nodiscard]] bool is_behind(const StreamId& other) const {
    return shard != other.shard ? shard > other.shard : slot > other.slot;
  }
};

// Which streams: those of which all holds that is said.
struct StreamFilter {
  std::optional<StreamId> id{};
  std::optional<std::string> subject{};
  std::optional<std::string> topic{};  // one of those that it reads
};

struct StreamQuestion {
  enum class Kind : std::uint8_t {
    list,   // what is known of each
    count,  // how many each subject has
    end,    // they end, with an event `expired` and this reason
  };
  Kind kind = Kind::list;
  StreamFilter filter{};
  // list, count: at most so many streams or subjects, behind those of the page before.
  std::size_t limit = 0;
  std::optional<StreamId> after_stream{};
  std::string after_subject{};
  core::RightLoss reason = core::RightLoss::disconnected;  // end
};

// What is known of a stream.
struct StreamFacts {
  StreamId id;
  std::string subject{};                 // empty: nobody's in particular
  std::optional<std::uint32_t> age_s{};  // nothing: it is not known
  std::vector<std::string> topics{};
  std::string address{};           // of the client (TrustedProxies); empty: it is not known
  proto::EventId position{};       // everything up to here was sent
  std::uint64_t behind_bytes = 0;  // what was not, on the wire
  // For how long the first of that has been there; nothing: there is none.
  std::optional<std::uint64_t> behind_ms{};

  // About what it takes in an answer.
  [[nodiscard]] std::size_t bytes() const;
};

// What was found, of one shard or of all.
struct StreamsFound {
  std::vector<StreamFacts> streams{};  // list, in the order of is_behind()
  // count: the first of them in the order of their bytes, with all their streams.
  std::map<std::string, std::uint64_t, std::less<>> subjects{};
  bool more = false;            // list, count: there are others behind these
  std::uint64_t matching = 0;   // count, end: streams, all of them
  std::uint64_t anonymous = 0;  // count: of these, nobody's in particular

  // One more stream of a subject that is behind the page before. Keeps the first `limit`.
  void count(std::string_view subject, std::size_t limit);
};

// Threads: any.
class StreamInquiry {
 public:
  // The question goes to every shard; the answer is for the request of this ticket. False: there
  // are limits::kMaxStreamInquiries, and nobody was asked.
  [[nodiscard]] static bool begin(ServerState& state, const RequestTicket& asker,
                                  StreamQuestion question);

  StreamInquiry(ServerState& state, const RequestTicket& asker, StreamQuestion question);
  ~StreamInquiry();
  StreamInquiry(const StreamInquiry&) = delete;
  StreamInquiry& operator=(const StreamInquiry&) = delete;

  [[nodiscard]] const StreamQuestion& question() const { return question_; }
  // The part of a shard, once.
  void add(core::ShardId shard, StreamsFound&& part);

 private:
  void merge(StreamsFound&& part) TOCSIN_LOCKS(requires_capability(mutex_));
  void cut(StreamsFound& all, core::ShardId unfinished) const;

  ServerState& state_;  // outlives its mailboxes, which outlive this
  const RequestTicket asker_;
  const StreamQuestion question_;
  Mutex mutex_;
  std::size_t shards_left_ TOCSIN_LOCKS(guarded_by(mutex_));
  // The first shard that has more than it has said; none has less.
  core::ShardId unfinished_ TOCSIN_LOCKS(guarded_by(mutex_)) = UINT32_MAX;
  StreamsFound found_ TOCSIN_LOCKS(guarded_by(mutex_));
};

}  // namespace tocsin::net
