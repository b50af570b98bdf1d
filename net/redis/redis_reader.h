// A hub's reader of the stream: one page after another, each told to the hub, whoever published it.
//
// With replicas a page waits until as many of them have it as were asked for: what a master alone
// has is gone when another is promoted, and whoever was shown it cannot take it back.
//
// A blocked XREAD sleeps through a key that is removed, renamed or replaced, and through a server
// that has lost everything. So the head is asked for with every page, and what stands there is
// compared with what came.
//
// Where entries are missing or damaged nothing more is told, as a hub's events have no hole. What
// follows is looked through, up to where the history went then: behind the last such place a hub
// can begin.
//
// Not thread-safe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/epochs.h"
#include "core/store.h"
#include "net/redis/followed_history.h"
#include "net/redis/redis_link.h"
#include "net/redis/redis_options.h"
#include "net/redis/redis_publisher.h"
#include "net/redis/stored_history.h"

namespace tocsin::net {

class RedisReader {
 public:
  struct Fault {
    std::string text;
    bool lost = false;  // the history is not the one that was followed; else: the connection is
                        // to be given up
  };
  using Result = std::expected<void, Fault>;

  // `options`, `keys` and `publisher` outlive it. The history must have a journal.
  RedisReader(const RedisOptions& options, const StoredKeys& keys, RedisPublisher& publisher,
              FollowedHistory history)
      : replicas_(options.url.replicas),
        keys_(keys),
        publisher_(publisher),
        history_(std::move(history)),
        epochs_(history_.journal().value().epochs()) {}

  // Of a connection on which the history was opened. The functions below are for it.
  [[nodiscard]] Result resume(const StoredHead& head, TimePoint now);
  // Asks for the next page, where none is asked for. `wait`: until there is something, for a while,
  // and until the replicas have it.
  void send(RedisLink& link, TimePoint now, bool wait);
  // The link's next reply. Tells `client` what it brings.
  [[nodiscard]] Result on_reply(const RespValue& reply, core::Store::Client& client,
                                RedisPublisher::Answers& answers, TimePoint now);

  // Whether so many replicas as were asked for have all that came. Waits for them for a second. The
  // error: the connection is to be given up. REQUIRES: no reply is outstanding.
  [[nodiscard]] std::expected<bool, RedisFault> are_replicas_there(RedisLink& link,
                                                                   Waiter& waiter);

  // Looks through what follows a hole: it will end with the Fault that says so.
  [[nodiscard]] bool is_unsound() const { return !unsound_.empty(); }
  // It did: notes in the server behind which event a hub can begin. False: it could not.
  [[nodiscard]] bool note_unsound(RedisLink& link, Waiter& waiter, TimePoint deadline);

  [[nodiscard]] const FollowedHistory& history() const { return history_; }
  // Up to this event entries may have been dropped as too old or too much.
  [[nodiscard]] core::Sequence dropped() const { return dropped_; }
  // Events that the server had when the newest page was asked for, and that have yet to come.
  [[nodiscard]] core::Sequence behind() const {
    return head_last_ - std::min(head_last_, history_.behind().last);
  }

 private:
  // What a command that has no reply yet was.
  enum class Asked : std::uint8_t { head, page, nothing, replicas };
  // Of a page: an entry, or what somebody else has put there.
  struct PageEntry {
    std::string id{};
    std::optional<StoredEntry> stored{};
    std::string bytes{};     // what `stored` views, once the reply has ended
    std::string producer{};
  };

  void ask_replicas(RedisLink& link, TimePoint now);
  [[nodiscard]] Result on_head(const RespValue& reply);
  [[nodiscard]] Result on_page(const RespValue& reply);
  [[nodiscard]] Result tell_page(core::Store::Client& client, RedisPublisher::Answers& answers,
                                 TimePoint now);
  [[nodiscard]] Result tell_entry(const StoredEntry& entry, core::Store::Client& client,
                                  RedisPublisher::Answers& answers, TimePoint now);
  [[nodiscard]] Result tell_opening(const StoredEntry& entry, core::Store::Client& client);
  void begin_unsound(std::string why);
  void look_through(const StoredEntry& entry);
  [[nodiscard]] Result end_unsound() const;
  void keep_page();
  [[nodiscard]] std::uint64_t age_ms(const StoredEntry& entry, TimePoint now) const;

  const unsigned replicas_;
  const StoredKeys& keys_;
  RedisPublisher& publisher_;
  FollowedHistory history_;
  core::Epochs epochs_;  // its own
  std::string cursor_;     // XREAD's: the id of the newest entry that came, also of one of others
  std::uint64_t head_ms_ = 0;  // the server's Unix time when it was opened, and ours
  TimePoint head_at_{};
  proto::Epoch head_epoch_ = 0;  // as they were before the page that is on its way
  core::Sequence head_last_ = 0;
  core::Sequence dropped_ = 0;
  std::size_t page_size_ = 16;   // entries of a page
  bool waits_ = false;           // the page that is asked for is told when the replicas have it
  std::vector<PageEntry> page_;  // came, and was not told
  std::string unsound_;                // why nothing more is told; empty: all is sound
  core::Sequence unsound_until_ = 0;   // what follows is looked through up to this event
  core::Sequence unsound_to_ = 0;      // behind this one all that was seen is sound
  std::deque<Asked> asked_;
};

}  // namespace tocsin::net
