// Streams: how they open, what their body begins with, how they shrink to their record, and how
// they end with their topic, or with the right to read them.
//
// Threads: the shard's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/hub.h"
#include "net/auth/denial.h"
#include "net/base/ip_address.h"
#include "net/http/answer_writer.h"
#include "net/http/handler.h"
#include "net/shard/heartbeats.h"
#include "net/shard/lifecycle.h"
#include "net/shard/readers/readers.h"
#include "net/shard/routed_streams.h"
#include "net/shard/shard_context.h"
#include "net/shard/subscriptions.h"

namespace tocsin::net {

class Streams {
 public:
  // All outlive it.
  Streams(ShardContext& shard, Lifecycle& lifecycle, Subscriptions& subscriptions,
          Readers& readers, RoutedStreams& routed, Heartbeats& heartbeats, AnswerWriter& answers)
      : shard_(shard),
        lifecycle_(lifecycle),
        subscriptions_(subscriptions),
        readers_(readers),
        routed_(routed),
        heartbeats_(heartbeats),
        answers_(answers) {}

  struct Refusal {
    AdmissionRefusal admission;
    std::string detail{};  // of not_found (404), for people; others are 503 or 429, behind is 200
  };
  // The stream that the connection's request wants opens, behind the answers in `reply`, which it
  // takes over; or it is refused, and nothing has changed. `client`: see Readers::note().
  [[nodiscard]] std::optional<Refusal> open(std::uint32_t slot, const Outcome& wanted,
                                            const IpAddress& client, std::string& reply);

  // Nothing to send now: the stream shrinks to its record.
  void settle_idle(std::uint32_t slot, Peer& peer) {
    if (peer.attachment) shrink(slot, peer);
  }

  // Topics (local, LocalTopic::ending) that were removed: their streams end when they have what was
  // published before, which is now but for those that are still catching up.
  void end_with(const std::vector<std::uint32_t>& topics);
  // Has some of those streams end: not all in one turn, as a topic may have very many.
  void end_slice();
  // Who may do what has changed: streams whose right is gone are to end.
  void ask_again();
  // Has some of those end, and asks no more than some: a shard may have very many.
  void ask_slice();
  // Some are yet to end, or to be asked.
  [[nodiscard]] bool ending() const { return !ending_.empty() || unasked_ > 0; }
  // Why a stream that waited for answers in front of it may not open any more. Nothing: it may.
  [[nodiscard]] std::optional<Denial> deny_by_now(const Outcome& wanted) const;

 private:
  [[nodiscard]] std::optional<AdmissionRefusal> admit(const Peer& peer, const ClientKeys& client);
  [[nodiscard]] bool is_behind(const Outcome& wanted);
  [[nodiscard]] std::optional<core::Subscription> subscribe(const Outcome& wanted);
  [[nodiscard]] Refusal no_topics(const Outcome& wanted);
  void become_stream(std::uint32_t slot, Connection& connection, const Outcome& wanted,
                     const core::Subscription& subscription);
  struct EndOfLife {
    std::uint32_t at_s = 0;  // see Stream::ends_s
    bool expires = false;
  };
  [[nodiscard]] EndOfLife end_of_life(const Outcome& wanted);
  void append_opening(StreamBody body, const Outcome& wanted,
                      const core::Subscription& subscription, std::string& reply);
  void watch_hangup(std::uint32_t slot, Peer& peer);
  void shrink(std::uint32_t slot, Peer& peer);

  ShardContext& shard_;
  Lifecycle& lifecycle_;
  Subscriptions& subscriptions_;
  Readers& readers_;
  RoutedStreams& routed_;
  Heartbeats& heartbeats_;
  AnswerWriter& answers_;
  struct Ending {
    std::uint32_t topic;  // local
    std::size_t left;     // of its subscribers, from the first
  };
  std::vector<Ending> ending_;  // topics whose streams are being ended
  std::uint32_t unasked_ = 0;        // slots below were not asked for their right since it changed
};

}  // namespace tocsin::net
