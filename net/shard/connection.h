// One connection, a record of 64 bytes: the peer, which is the socket and all about getting bytes
// to it and from it, and the stream, which is a place in the log.
//
//   accept -> request -> stream -> closing -> free
//                  \-> linger -> closing -> free
//
// An idle stream is the record alone: its parser and buffers are gone. A million of them is a
// memory decision, hence explicit states instead of a coroutine frame each.
//
// Functions take the part that they need, and the slot if they hand it on; only what needs both
// parts takes the connection.
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
#include "net/base/ip_address.h"
#include "net/http/answer_queue.h"
#include "net/http/handler.h"
#include "net/shard/stream_body.h"
#include "net/state/request_memory.h"
#include "proto/assert.h"
#include "proto/http/framing.h"
#include "proto/http/http_request.h"
#include "proto/limits.h"
#include "proto/text/wipe.h"

namespace tocsin::net {

enum class State : std::uint8_t {
  free,     // the slot is on the free list
  request,  // reads and answers requests
  stream,   // receives events; nothing is read from it
  linger,   // the last answer is out; reads and drops what comes until the peer closes
  closing,  // shut down; waits for what is armed to complete, then close(2) and free
};

// Requests of a peer, one after another: the parser, and what there is between it and the answers.
// Ends when the last answer is out or a stream opens.
struct Exchange {
  // `memory` outlives this.
  explicit Exchange(ShardRequestMemory& memory)
      : parser(limits::kMaxRequestHead, limits::kMaxRequestBody), shard_memory(memory) {}
  ~Exchange() {
    proto::wipe(unread);
    shard_memory.count(counted, 0);
  }
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
    asked = {};
    count();
  }

  // Answers are to come, or to be sent.
  [[nodiscard]] bool awaits() const { return !answers.empty() || stream != nullptr || held; }
  // No request is handled before some of them have been.
  [[nodiscard]] bool is_full() const {
    return stream != nullptr || held || answers.pending() >= limits::kMaxPendingAnswers ||
           answers.bytes() > limits::kMaxPendingReply;
  }

  proto::RequestParser parser;
  Asked asked;  // of the request in the parser
  IpAddress address;  // of the peer, once a limit asks for it
  ShardRequestMemory& shard_memory;
  std::uint64_t counted = 0;  // this connection's part of it
  std::uint64_t untaken = 0;  // bytes of answers that the socket was too full for
  AgeLinks by_hold_age;       // see Lifecycle::holders
  AnswerQueue answers;        // pending ones, and those behind them
  // The request in the parser is for a stream, which opens behind the answers in the queue.
  std::unique_ptr<Outcome> stream;
  std::string unread;          // received, and to be handled later
  bool held = false;           // who asks, for the request in the parser, is being found out
  bool goes_on = false;        // true exactly when the shard goes on with it in its next turn
  bool answered = false;       // a request was, before the one in the parser
  bool receiving = false;      // a receive is armed
  bool peer_finished = false;  // end of stream: answer what is there, then close
};

// Bytes that a peer is owed before anything from the log: a response, the rest of a frame that a
// full socket cut, a gap event. As the transport carries them (see StreamBody).
struct Owed {
  std::shared_ptr<const void> keep;  // holds the memory, but for a heartbeat or a pinned rest
  std::string_view bytes;
  std::optional<core::Pin> pin{};  // `bytes` are in this page, if the hub has not taken it back

  // The only bytes that are a literal.
  [[nodiscard]] bool is_heartbeat() const { return keep == nullptr && !pin; }
};

// What a peer has while it reads requests, is owed something or has a deadline: not while it is an
// idle stream.
struct Attachment {
  std::unique_ptr<Exchange> exchange;  // state request
  std::vector<Owed> owed;
  std::uint64_t deadline_ms = 0;       // 0: none
  std::uint64_t wheel_ms = 0;          // when the wheel next looks at it; 0: it does not
  std::uint64_t blocked_since_ms = 0;  // stream: nothing went out since
  // Stream, blocked: events were skipped behind this position, to be told when there is room.
  std::optional<core::Sequence> skipped_behind;
  AgeLinks by_age;               // among the shard's connections that are no streams
  bool close_when_sent = false;  // the last answer is owed, or to come
  bool starved = false;          // blocked for want of kernel memory: a timer unblocks
  bool second_write = false;     // what it is sent first is to be followed by another send
};
static_assert(sizeof(Attachment) <= 88, "a size of malloc's");

// The other end: a socket, what is under way on it, and what it is to get before anything else.
struct Peer {
  std::unique_ptr<Attachment> attachment;
  // The address that it is counted by (IpAddress::client_key()): its own, and as a stream its
  // client's, which a proxy may have named; 0: by none.
  std::uint64_t key = 0;
  int fd = -1;
  std::uint32_t generation = 0;    // 24 bits; bumped when the slot is freed
  std::uint32_t last_sent_ds = 0;  // deciseconds of the shard's clock; 0: nothing was sent yet
  State state = State::free;
  std::uint8_t armed = 0;    // requests in flight: at most a receive or hangup, and a writable
  bool blocked : 1 = false;  // true exactly when a writable (or a retry timer) is awaited
  bool ready : 1 = false;    // true exactly when the slot is in the shard's ready list
  bool batched : 1 = false;  // true exactly when the slot is in the outbox's batch (I5)
  bool hangup_armed : 1 = false;
  bool admitted : 1 = false;  // true exactly when Admission counts it as a stream
  bool beat : 1 = false;      // true exactly when the last that was sent is a heartbeat
  proto::Framing framing : 2 = proto::Framing::close;  // of a stream's body; set when it opens

  // REQUIRES: there is an attachment.
  [[nodiscard]] Attachment& extra() const {
    TOCSIN_DEBUG_ASSERT(attachment != nullptr);
    return *attachment;
  }
  Attachment& attach() {
    if (!attachment) attachment = std::make_unique<Attachment>();
    return *attachment;
  }
  [[nodiscard]] bool is_stream() const { return state == State::stream; }
  [[nodiscard]] StreamBody body() const { return StreamBody(framing); }
  [[nodiscard]] bool owes() const { return attachment && !attachment->owed.empty(); }
  // What it is owed first is the rest of a frame that is gone: its stream cannot be continued.
  [[nodiscard]] bool lost() const {
    return owes() && attachment->owed.front().pin && attachment->owed.front().pin->gone();
  }

  // It is owed these bytes before anything else; ReadyList::add() follows.
  void owe(std::string&& bytes) {
    const auto kept = std::make_shared<const std::string>(std::move(bytes));
    attach().owed.push_back({kept, *kept});
  }
  // The same of a piece of its stream's body: an event, or lines of comment.
  void owe_piece(std::string_view piece) {
    std::string bytes;
    body().append(bytes, piece);
    owe(std::move(bytes));
  }
  void owe_heartbeat() { attach().owed.push_back({nullptr, body().heartbeat()}); }
};
static_assert(sizeof(Peer) == 32);

// What a subscriber has, and what it is to get until when. Means something in state stream.
struct Stream {
  static constexpr std::uint32_t kManyTopics = 0xffff'ffff;
  static constexpr std::uint32_t kNoTopic = 0xffff'fffe;

  core::Sequence cursor = 0;  // everything up to here was sent (a frame in Attachment::owed, too)
  // The newest event when it opened, or was last given a page that is older than memory. Replay
  // behind it is no slowness, however old or large.
  core::Sequence opened_at = 0;
  std::uint32_t topic = kNoTopic;  // in LocalTopics; kManyTopics: `place` is of its set of topics
  std::uint32_t place = 0;         // in that topic's subscribers
  // Seconds of the shard's clock behind which it is finished; 0: it has no end. See
  // Streams::end_of_life_s.
  std::uint32_t ends_s = 0;
  // Seconds that it asked to be silent at most; 0: it did not, and has the hub's heartbeats.
  std::uint8_t heartbeat_s = 0;
  bool leftover : 1 = false;  // true exactly when the running sweep has yet to bring it up to date
  bool catching_up : 1 = false;  // behind by its own doing: see Sweep
  bool finishing : 1 = false;    // ends when it has what the log has
  bool routed : 1 = false;       // true exactly when the shard has a RoutedStream of the slot
  bool expires : 1 = false;      // `ends_s` is when its client's credential expires
  bool replaying : 1 = false;    // true exactly when the shard has a Replay of the slot
  // Two bits are left.

  [[nodiscard]] bool many_topics() const { return topic == kManyTopics; }
};
static_assert(limits::kMaxHeartbeatS <= UINT8_MAX);
static_assert(sizeof(Stream) == 32);

// One cache line: a sweep over a million of them touches nothing else of an idle stream.
struct alignas(64) Connection {
  Peer peer;
  Stream stream;
};
static_assert(sizeof(Connection) == 64, "a stream's user memory; see bench/FIGURES.md, T3");

}  // namespace tocsin::net
