// A hub's commits on their way into the history, exactly once each, whatever breaks.
//
// Commits are numbered, and a few of them are under way at a time. A commit is acknowledged when
// the stream has brought it back, and as many replicas as were asked for have it. When a connection
// is lost, the number that the server has of this producer says which of them it has worked off;
// the others are sent again, under the same numbers, as a server may still find the old bytes and
// work them off. So are those with keys, as the answer that was lost may be that a key is known.
//
// What a server refuses as it has another epoch, or has forgotten the producer (who published
// nothing for a day, whose server lost all), is nowhere if it was sent once. It is as if it had not
// been sent, and goes again.
//
// Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/store.h"
#include "net/redis/commit_queue.h"
#include "net/redis/redis_link.h"
#include "net/redis/redis_options.h"
#include "net/redis/stored_history.h"

namespace tocsin::net {

class RedisPublisher {
 public:
  using Answers = std::vector<std::pair<core::Ticket, core::StoreAnswer>>;
  using Figures = std::vector<core::CommitFigures>;
  using Result = std::expected<void, RedisFault>;

  // All outlive it.
  RedisPublisher(const RedisOptions& options, const StoredKeys& keys, CommitQueue& queue);

  // Of a new connection, on which nothing was sent, to the history's server; and of this one where
  // wants_resume(). Blocks until `deadline`. The functions below are for this connection, until it
  // is lost.
  [[nodiscard]] Result resume(RedisLink& link, proto::Epoch epoch, Waiter& waiter,
                              TimePoint deadline, Answers& answers);
  // The server has dropped the script (SCRIPT FLUSH) or forgotten the producer, and nothing is on
  // its way any more.
  [[nodiscard]] bool wants_resume() const {
    return (stale_ == Stale::script || stale_ == Stale::producer) && expected_.empty();
  }
  // What there is to send.
  void send(RedisLink& link, TimePoint now);
  // The link's next reply. The error: the connection is to be given up, and resumed with another.
  [[nodiscard]] Result on_reply(const RespValue& reply, Answers& answers);

  // The commit that the entry is, if it is one of these and is under way.
  [[nodiscard]] const Commit* find(const StoredEntry& entry) const;
  // The entry was applied at this place.
  void on_applied(const StoredEntry& entry, const core::Place& place, Answers& answers);

  // Of those that were acknowledged since the last call.
  [[nodiscard]] Figures take_figures() { return std::exchange(figures_, {}); }

  // Nothing will be sent any more, or known of what was.
  void give_up(Answers& answers);

 private:
  struct UnderWay {
    Commit commit;
    unsigned sends = 0;  // 0: nothing of it is anywhere
    std::uint64_t sent_us = 0;  // first
    bool refused = false;
    std::optional<core::Place> place{};  // it was applied there
    std::optional<core::StoreAnswer> known{};  // nothing of it was appended now: its key was known
  };
  struct Expected {
    enum class What : std::uint8_t { commit, replicas, nothing };
    What what = What::nothing;
    std::uint64_t number = 0;  // of the commit; replicas: all up to it
  };
  // What the server knows no more of what commits name, so that nothing is sent before it is told.
  enum class Stale : std::uint8_t { no, script, producer, epoch };

  void begin_anew(Answers& answers);
  [[nodiscard]] Result take_reply(const RespValue& reply, Answers& answers);
  [[nodiscard]] Stale staleness(const UnderWay& one, std::string_view code) const;
  void send_commit(RedisLink& link, std::uint64_t number, TimePoint deadline);
  void ask_replicas(RedisLink& link, TimePoint deadline);
  [[nodiscard]] UnderWay* at(std::uint64_t number);
  [[nodiscard]] Result on_error(std::uint64_t number, std::string_view error, Answers& answers);
  void not_there(std::uint64_t number);
  void abandon_refused(Answers& answers);
  void settle(Answers& answers);
  void settle_applied(const UnderWay& one, Answers& answers);
  void answer(const Commit& commit, const core::StoreAnswer& outcome, Answers& answers);
  [[nodiscard]] TimePoint reply_by(TimePoint now) const;

  const RedisOptions& options_;
  const StoredKeys& keys_;
  CommitQueue& queue_;

  std::string producer_;             // a random name
  std::uint64_t first_ = 1;          // the number of under_way_.front()
  std::deque<UnderWay> under_way_;   // numbers without a hole
  std::uint64_t replicated_ = 0;     // all up to this number are where they are to be
  Figures figures_;

  // Of the connection.
  std::string script_;               // the name by which the server knows publish_script()
  std::string epoch_;
  std::deque<Expected> expected_;    // in the order of the replies
  std::size_t unanswered_ = 0;       // of them, commits
  bool refusing_ = false;            // a commit was refused, and those behind it will be
  Stale stale_ = Stale::no;          // the same, and they are to be sent again
  bool asks_replicas_ = false;
};

}  // namespace tocsin::net
