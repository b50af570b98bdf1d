// One connection: a 64-byte record for as long as it lives, and an attachment while there is more
// to remember than a cursor.
//
//   accept -> request -> stream -> closing -> free
//                  \-> linger -> closing -> free
//
// An idle stream is the record alone: its parser and buffers are gone. A million of them is a
// memory decision, hence explicit states instead of a coroutine frame each.
//
// Belongs to one shard's thread from accept to close (I4).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/hub.h"
#include "net/base/age_list.h"
#include "net/http/answer_queue.h"
#include "net/http/handler.h"
#include "net/shard/stream_body.h"
#include "net/state/request_memory.h"
#include "proto/assert.h"
#include "proto/http/framing.h"
#include "proto/http/http_request.h"

namespace tocsin::net {

struct Endpoint;

enum class State : std::uint8_t {
  free,     // the slot is on the free list
  request,  // reads and answers requests
  stream,   // receives events; nothing is read from it
  linger,   // the last answer is out; reads and drops what comes until the peer closes
  closing,  // shut down; waits for what is armed to complete, then close(2) and free
};

// Bytes that a connection is owed before anything from the log: a response, the rest of a frame
// that a full socket cut, a gap event. As the transport carries them (see StreamBody).
struct Owed {
  std::shared_ptr<const void> keep;  // holds the memory, but for a heartbeat or a pinned rest
  std::string_view bytes;
  std::optional<core::Pin> pin{};  // `bytes` are in this chunk, if the hub has not taken it back

  // The only bytes that are a literal.
  [[nodiscard]] bool is_heartbeat() const { return keep == nullptr && !pin; }
};

// Reading requests: a parser and what is between requests.
struct Exchange {
  // `memory` outlives this.
  Exchange(std::size_t max_head, std::size_t max_body, ShardRequestMemory& memory)
      : parser(max_head, max_body), shard_memory(memory) {}
  ~Exchange() { shard_memory.count(counted, 0); }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Brings the shard's count up to date.
  void count() {
    const std::string& body = parser.request().body;
    const std::uint64_t now =
        (body.empty() ? 0 : body.capacity()) + unread.size() + answers.bytes() + untaken;
    if (now == counted) return;
    shard_memory.count(counted, now);
    counted = now;
  }
  // Makes ready for the next request.
  void begin() {
    parser.begin();
    endpoint = nullptr;
    count();
  }

  // Answers are to come, or to be sent.
  [[nodiscard]] bool awaits() const { return !answers.empty() || stream != nullptr; }
  // No request is handled before some of them have been.
  [[nodiscard]] bool is_full() const {
    return stream != nullptr || answers.pending() >= limits::kMaxPendingAnswers ||
           answers.bytes() > limits::kMaxPendingReply;
  }

  proto::RequestParser parser;
  const Endpoint* endpoint = nullptr;  // whose the request in the parser is; null: no head yet
  ShardRequestMemory& shard_memory;
  std::uint64_t counted = 0;  // this connection's part of it
  std::uint64_t untaken = 0;  // bytes of answers that the socket was too full for
  AgeLinks by_hold_age;       // see Lifecycle::holders
  AnswerQueue answers;        // pending ones, and those behind them
  // The request in the parser is for a stream, which opens behind the answers in the queue.
  std::unique_ptr<Outcome> stream;
  std::string unread;          // received, and to be handled later
  bool goes_on = false;        // true exactly when the shard goes on with it in its next turn
  bool answered = false;       // a request was, before the one in the parser
  bool receiving = false;      // a receive is armed
  bool peer_finished = false;  // end of stream: answer what is there, then close
};

// What a connection remembers besides its record; absent for an idle stream.
struct Attachment {
  std::unique_ptr<Exchange> exchange;  // state request
  std::vector<Owed> owed;
  // Events were skipped behind this position: to be told when there is room.
  std::optional<core::Sequence> skipped_behind;
  bool close_when_sent = false;
  bool starved = false;                // blocked for want of kernel memory: a timer unblocks
  bool second_write = false;           // what it is sent first is to be followed by another send
  std::uint64_t deadline_ms = 0;       // 0: none
  std::uint64_t wheel_ms = 0;          // when the wheel next looks at it; 0: it does not
  std::uint64_t blocked_since_ms = 0;  // stream: nothing went out since
  AgeLinks by_age;                     // among the shard's connections that are no streams
};
static_assert(sizeof(Attachment) <= 88, "a size of malloc's");

// One cache line: a sweep over a million of them touches nothing else of an idle stream.
struct alignas(64) Connection {
  static constexpr std::uint32_t kManyTopics = 0xffff'ffff;
  static constexpr std::uint32_t kNoTopic = 0xffff'fffe;

  core::Sequence cursor = 0;  // everything up to here was sent (a frame in `owed` counts as sent)
  std::unique_ptr<Attachment> attachment;
  int fd = -1;
  std::uint32_t generation = 0;    // 24 bits; bumped when the slot is freed
  std::uint32_t topic = kNoTopic;  // in LocalTopics; kManyTopics: `place` is of its set of topics
  std::uint32_t place = 0;         // in that topic's subscribers
  // The newest event when the stream opened. Replay behind it is no slowness, however old or large.
  core::Sequence opened_at = 0;
  std::uint32_t last_sent_ds = 0;  // deciseconds of the shard's clock; 0: nothing was sent yet
  std::uint32_t opened_s = 0;
  std::uint64_t peer_key = 0;  // counted by the per-address limit; 0: not counted
  State state = State::free;
  std::uint8_t armed = 0;    // requests in flight: at most a receive or hangup, and a writable
  bool blocked : 1 = false;  // true exactly when a writable (or a retry timer) is awaited
  bool ready : 1 = false;    // true exactly when the slot is in the shard's ready list
  bool batched : 1 = false;  // true exactly when the slot is in the outbox's batch (I5)
  bool hangup_armed : 1 = false;
  bool leftover : 1 = false;  // true exactly when the running sweep has yet to bring it up to date
  bool catching_up : 1 = false;  // a stream that is behind by its own doing: see Sweep
  bool finishing : 1 = false;    // a stream that ends when it has what the log has
  bool admitted : 1 = false;     // true exactly when Admission counts it
  bool routed : 1 = false;       // true exactly when the shard has a RoutedStream of the slot
  bool beat : 1 = false;         // true exactly when the last that was sent is a heartbeat
  proto::Framing framing : 2 = proto::Framing::close;  // of a stream's body; set when it opens
  // Seconds that the stream asked to be silent at most; 0: it did not, and has the hub's
  // heartbeats.
  std::uint8_t heartbeat_s = 0;

  // REQUIRES: there is an attachment.
  [[nodiscard]] Attachment& extra() const {
    TOCSIN_DEBUG_ASSERT(attachment != nullptr);
    return *attachment;
  }
  Attachment& attach() {
    if (!attachment) attachment = std::make_unique<Attachment>();
    return *attachment;
  }
  [[nodiscard]] StreamBody body() const { return StreamBody(framing); }
  [[nodiscard]] bool owes() const { return attachment && !attachment->owed.empty(); }
  // What it is owed first is the rest of a frame that is gone: its stream cannot be continued.
  [[nodiscard]] bool lost() const {
    return owes() && attachment->owed.front().pin && attachment->owed.front().pin->gone();
  }
  [[nodiscard]] bool many_topics() const { return topic == kManyTopics; }
};
static_assert(limits::kMaxHeartbeatS <= UINT8_MAX);
static_assert(sizeof(Connection) == 64, "a stream's user memory; see bench/FIGURES.md, T3");

// The connection is owed these bytes before anything else; ReadyList::add() follows.
inline void owe(Connection& connection, std::string&& bytes) {
  const auto kept = std::make_shared<const std::string>(std::move(bytes));
  connection.attach().owed.push_back({kept, *kept});
}
// The same of a piece of a stream's body: an event, or lines of comment.
inline void owe_piece(Connection& connection, std::string_view piece) {
  std::string bytes;
  connection.body().append(bytes, piece);
  owe(connection, std::move(bytes));
}

}  // namespace tocsin::net
