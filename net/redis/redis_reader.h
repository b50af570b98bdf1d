// A hub's reader of the stream: one page after another, each told to the hub, whoever published it.
//
// A blocked XREAD sleeps through a key that is removed, renamed or replaced, and through a server
// that has lost everything. So the head is asked for with every page, and what stands there is
// compared with what came.
//
// Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <utility>

#include "core/epochs.h"
#include "core/store.h"
#include "net/redis/followed_history.h"
#include "net/redis/redis_link.h"
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

  // `keys` and `publisher` outlive it. The history must have a journal.
  RedisReader(const StoredKeys& keys, RedisPublisher& publisher, FollowedHistory history)
      : keys_(keys),
        publisher_(publisher),
        history_(std::move(history)),
        epochs_(history_.journal().value().epochs()) {}

  // Of a connection on which the history was opened. The functions below are for it.
  [[nodiscard]] Result resume(const StoredHead& head, TimePoint now);
  // Asks for the next page, where none is asked for. `wait`: until there is something, for a while.
  void send(RedisLink& link, TimePoint now, bool wait);
  // The link's next reply. Tells `client` what it brings.
  [[nodiscard]] Result on_reply(const RespValue& reply, core::Store::Client& client,
                                RedisPublisher::Answers& answers, TimePoint now);

  [[nodiscard]] const FollowedHistory& history() const { return history_; }
  // The last page had nothing.
  [[nodiscard]] bool at_end() const { return at_end_; }

 private:
  [[nodiscard]] Result on_head(const RespValue& reply);
  [[nodiscard]] Result on_page(const RespValue& reply, core::Store::Client& client,
                               RedisPublisher::Answers& answers, TimePoint now);
  [[nodiscard]] Result on_entry(const RespValue& entry, core::Store::Client& client,
                                RedisPublisher::Answers& answers, TimePoint now);
  [[nodiscard]] std::uint64_t age_ms(const StoredEntry& entry, TimePoint now) const;

  const StoredKeys& keys_;
  RedisPublisher& publisher_;
  FollowedHistory history_;
  core::Epochs epochs_;  // its own
  std::string cursor_;     // XREAD's: the id of the newest entry that came, also of one of others
  std::uint64_t head_ms_ = 0;  // the server's Unix time when it was opened, and ours
  TimePoint head_at_{};
  proto::Epoch head_epoch_ = 0;  // as they were before the page that is on its way
  core::Sequence head_last_ = 0;
  std::size_t page_ = 16;        // entries of a page
  bool asked_head_ = false;      // the next reply is the head, and the one behind it the page
  bool asked_page_ = false;
  bool at_end_ = false;
};

}  // namespace tocsin::net
