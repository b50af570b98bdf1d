// Requests, from received bytes to answers: publishers, probes, and subscribers until their stream
// opens.
//
// Threads: the shard's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/base/ip_address.h"
#include "net/http/dispatcher.h"
#include "net/shard/lifecycle.h"
#include "net/shard/past/replays.h"
#include "net/shard/readers/stream_walks.h"
#include "net/shard/shard_context.h"
#include "net/shard/streams.h"
#include "net/state/mailbox.h"

namespace tocsin::net {

class Requests {
 public:
  // All outlive it.
  Requests(ShardContext& shard, Replays& replays, Lifecycle& lifecycle, StreamWalks& walks,
           Streams& streams, Dispatcher& http)
      : shard_(shard),
        replays_(replays),
        lifecycle_(lifecycle),
        walks_(walks),
        streams_(streams),
        http_(http) {}

  // A turn begins: its slice for requests does.
  void begin_slice() { until_us_ = shard_.slice_end_us(); }
  // Goes on with connections that have been received more of than was handled.
  void go_on();
  // Answers those whose answers have come later.
  void take_mail();
  // The same for the last time, as the shard ends.
  void close_mail();
  // Something is to be done at once.
  [[nodiscard]] bool has_work() const { return !going_on_.empty() || has_mail(); }
  [[nodiscard]] bool has_mail() const { return !shard_.state.mailboxes[shard_.id]->empty(); }

  // The connection was accepted.
  void begin(std::uint32_t slot, Peer& peer);
  // A receive has completed; states request and linger.
  void on_received(std::uint32_t slot, Peer& peer, const Completion& completion);
  void on_linger(std::uint32_t slot, Peer& peer, const Completion& completion);
  // The socket took a part of the answers.
  void on_blocked(std::uint32_t slot, Peer& peer) { count_untaken(slot, peer); }
  // There may be room for the rest; state request.
  void on_room(std::uint32_t slot, Peer& peer);
  // It took all of them.
  void on_sent(std::uint32_t slot, Peer& peer);
  // The time for the next step is up; state request.
  void on_deadline(std::uint32_t slot, Peer& peer);

  // Ends a connection that is no stream. In the middle of a request it is told why: true.
  [[nodiscard]] bool end(std::uint32_t slot, Peer& peer, Rejection why);
  // It has asked: for an answer that is being made or sent, or in bytes that we have yet to read.
  [[nodiscard]] bool waits_for_us(const Peer& peer) const;
  // It was answered, and has not asked again. REQUIRES: state request.
  [[nodiscard]] bool is_between(const Peer& peer) const;

  // Whom the request in the parser is from, whichever way it came. REQUIRES: its head is there.
  [[nodiscard]] IpAddress client_of(const Peer& peer);

  // Makes what requests and their answers hold fit into their memory.
  void fit_memory() {
    if (!shard_.memory.fit()) (void)make_memory_room(AgeList::kNone);
  }

 private:
  enum class Fed : std::uint8_t {
    all,       // the bytes are used up
    some,      // go on
    answered,  // a request was handled (or is pending); go on
    ended,     // nothing of this connection is read any more
  };

  void receive(std::uint32_t slot, Peer& peer);
  void read_on(std::uint32_t slot, Peer& peer, bool more_to_read);
  void consume(std::uint32_t slot, Peer& peer, std::string_view bytes);
  [[nodiscard]] Fed feed(std::uint32_t slot, Peer& peer, std::string_view& bytes);
  void on_request(std::uint32_t slot, Peer& peer);
  void obey(std::uint32_t slot, Peer& peer, Outcome&& outcome);
  // The client where that is not the peer itself, and somebody may ask for it.
  [[nodiscard]] IpAddress client_behind(const Peer& peer);
  void open_stream(std::uint32_t slot, const Outcome& wanted);
  void refuse_stream(std::uint32_t slot, Peer& peer, const Outcome& wanted,
                     const Streams::Refusal& refusal);
  void read_letters();
  void on_letter(Letter&& letter);
  void on_authenticated(std::uint32_t slot, Peer& peer, Letter&& letter);
  [[nodiscard]] RequestTicket ticket_of(std::uint32_t slot, const Peer& peer) const;
  void go_on_later(std::uint32_t slot, Peer& peer);
  void go_on(std::uint32_t slot, Peer& peer);
  void on_answered(std::uint32_t slot, Peer& peer);
  void owe_reply(std::uint32_t slot, Peer& peer);
  void count_untaken(std::uint32_t slot, Peer& peer);
  [[nodiscard]] bool make_memory_room(std::uint32_t but);
  void refuse_and_linger(std::uint32_t slot, Peer& peer);
  void turn_away(std::uint32_t slot, Peer& peer, const AdmissionRefusal& refusal);
  [[nodiscard]] bool had_their_slice() const { return shard_.clock.now_us() > until_us_; }

  ShardContext& shard_;
  Replays& replays_;
  Lifecycle& lifecycle_;
  StreamWalks& walks_;
  Streams& streams_;
  Dispatcher& http_;

  std::uint64_t until_us_ = 0;                     // of this turn's slice
  std::string reply_;                              // answers of the connection being handled
  std::vector<Letter> letters_;                    // scratch
  std::vector<ConnectionTable::Handle> going_on_;  // Exchange::goes_on
};

}  // namespace tocsin::net
