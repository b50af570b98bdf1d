// The send path: what a connection is owed and what the log has for it go out in one send; sends go
// out in batches.
//
// Live delivery, catch-up after a reconnect, the rest of a frame that a full socket cut, an HTTP
// answer: all are "bytes owed, then the log above the cursor". Within a batch all subscribers at
// one position send the same memory, looked up once.
//
// The rest of a frame is copied if it is small; a larger one is a Pin of its page, which the hub
// may take back (core/page_list.h). No page is held between two turns.
//
// What the log's bytes look like to a peer, and what of them it has got, is StreamBody's to say.
//
// A stream that replays what the log has no more (Replays) is sent pieces of a page that was made
// of what the store keeps, in the same way; the rest of a frame is copied, however large.
//
// A cursor moves only by what the kernel took, on the batch's results; nothing is assumed (I6).
//
// Latency is counted here, from the receipt of a publish request to the moment at which the kernel
// has the event for a subscriber: once for each send, of the oldest event in it, so that coalescing
// never makes it look better. What was published before the stream opened (a replay) is left out.
//
// Threads: the shard's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string_view>
#include <vector>

#include "net/base/clock.h"
#include "net/io/io.h"
#include "net/shard/connection_table.h"
#include "net/shard/local_topics.h"
#include "net/state/metrics.h"
#include "net/state/shared_hub.h"

namespace tocsin::net {

class Replays;

enum class Delivery : std::uint8_t {
  done,     // nothing more to send now
  more,     // all was taken, and there is more
  blocked,  // the socket is full; the rest stays owed
  starved,  // the kernel has no memory for it now; ask again later
  failed,   // the connection is broken
  gap,      // events above the cursor are neither in the log nor in its page; nothing was sent
  lost,     // the rest of a frame that it was sent a part of is gone; nothing was sent
};

class Outbox {
 public:
  // Told of each push()ed slot's fate, during push() or flush(). Must not push from there.
  class Owner {
   public:
    virtual void on_delivery(std::uint32_t slot, Delivery outcome) = 0;

   protected:
    ~Owner() = default;
  };

  // All outlive the outbox.
  Outbox(ConnectionTable& table, LocalTopics& topics, SharedHub& hub, Replays& replays, Io& io,
         const Clock& clock, ShardMetrics& metrics, Owner& owner);

  // Puts a slot's next send into the batch; a full batch is flushed. REQUIRES: neither blocked nor
  // in the batch.
  void push(std::uint32_t slot);
  // Hands the batch to the kernel.
  void flush();

  // Ends a stream's body: what it is owed of a frame that was cut, `last`, whole pieces of the body
  // as StreamBody has them, and StreamBody::end(). False: the socket did not take all of it, so
  // that only a reset can tell its reader that something is missing.
  [[nodiscard]] bool send_end(const Peer& peer, std::string_view last = {});

  // The topic's pointer ends: what was read from it is found no more.
  void forget(const core::Topic& topic);

  // A turn of the loop: time for Peer::last_sent_ds. After it nothing that was read is held:
  // the shard may sleep for long, and what it read may be outdated.
  void begin_turn(std::uint32_t now_ds);
  void end_turn();

 private:
  // A stretch of the log, looked up once for all that stand at the same position and whose bodies
  // are framed alike.
  struct Read {
    const core::Topic* topic = nullptr;  // null: of several topics, not shared
    StreamBody body{proto::Framing::close};
    core::Sequence above = 0;  // cursors [above, first) read this
    core::Sequence first = 0;
    core::ReceiptUs received = 0;  // of the first
    std::uint32_t live_sends = 0;  // of the running batch: those that are no replay
    core::Sequence last = 0;
    std::size_t bytes = 0;  // of `vectors`
    std::uint32_t events = 0;
    bool more = false;
    bool past = false;  // of a page of the store's
    std::vector<core::Piece> pieces;
    std::vector<iovec> vectors;  // of the pieces
  };
  static constexpr std::size_t kNoRead = ~std::size_t{0};
  struct Item {
    std::uint32_t slot;
    std::size_t read;  // index in reads_, or kNoRead
  };

  // kNoRead with `status` end or gap where there is nothing to send.
  std::size_t read_for(const Stream& stream, StreamBody body, core::ReadStatus& status);
  std::size_t read_log(std::span<const core::TopicCursor> topics, core::Sequence cursor,
                       StreamBody body, core::ReadStatus& status);
  std::size_t read_past(std::uint32_t slot, Stream& stream, StreamBody body,
                        core::ReadStatus& status);
  std::size_t note_read(StreamBody body, bool more);
  void forget_reads();
  void add(std::uint32_t slot, Peer& peer, std::size_t read);
  Delivery settle(Connection& connection, const Item& item, const SendRequest& request);
  void take_all(Connection& connection, const Item& item);
  void take_part(Connection& connection, const Item& item, std::size_t bytes);
  static std::size_t take_owed(Peer& peer, std::size_t bytes);
  [[nodiscard]] Owed owe_rest(const core::PageRef& page, std::string_view rest);
  [[nodiscard]] Owed owe_past_rest(std::string_view rest);
  static void count_live(const Stream& stream, Read& read);
  void record_latency();

  ConnectionTable& table_;
  LocalTopics& topics_;
  SharedHub& hub_;
  Replays& replays_;
  Io& io_;
  const Clock& clock_;
  ShardMetrics& metrics_;
  Owner& owner_;
  std::uint32_t now_ds_ = 0;

  std::array<Item, limits::kSendBatch> items_;
  std::array<SendRequest, limits::kSendBatch> requests_;
  std::size_t batch_ = 0;       // of both
  std::vector<iovec> vectors_;  // of items that owe bytes; never reallocated in a batch
  std::size_t used_ = 0;
  std::deque<Read> reads_;           // of this turn; kept until the batch that uses them is out
  std::vector<core::PageRef> held_;  // of pinned rests in the batch
  std::vector<core::Piece> pieces_;  // scratch
};

}  // namespace tocsin::net
