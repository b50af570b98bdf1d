// Who reads the shard's streams, of a hub that is not open: what is kept of each stream's right, of
// its age, and whose it is. 16 bytes beside the record, and the subject's name; 16 more where
// streams come through proxies.
//
// Threads: the shard's.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "net/auth/stream_right.h"
#include "net/base/ip_address.h"
#include "net/base/name_store.h"
#include "net/http/handler.h"
#include "net/shard/shard_context.h"
#include "net/state/presence.h"

namespace tocsin::net {

class Readers {
 public:
  // `shard` outlives it.
  explicit Readers(ShardContext& shard) : shard_(shard) {}

  // The stream that `wanted` describes has opened. `client`: whom it is for, where a trusted proxy
  // says that; else not known.
  void note(std::uint32_t slot, const Outcome& wanted, const IpAddress& client);
  // It ends.
  void forget(std::uint32_t slot);
  // The hub is open now: nothing is known of anybody.
  void forget_all();

  // Whose stream it is; empty: nobody's in particular, or it opened while the hub was open. Valid
  // until the stream ends.
  [[nodiscard]] std::string_view subject(std::uint32_t slot) const;
  // Nothing: it opened while the hub was open.
  [[nodiscard]] std::optional<std::uint32_t> age_s(std::uint32_t slot) const;

  // Not known: the peer's own.
  [[nodiscard]] IpAddress client(std::uint32_t slot) const {
    return slot < clients_.size() ? clients_[slot] : IpAddress();
  }

  // What is kept of the right to the stream that `wanted` describes.
  [[nodiscard]] static StreamRight right_of(const Outcome& wanted);
  // Whether it is still there.
  [[nodiscard]] bool has_right(std::uint32_t slot, const Stream& stream);

 private:
  static constexpr std::uint32_t kUnknown = 0xffff'ffff;
  struct Reader : StreamRight {
    Reader() = default;
    explicit Reader(const StreamRight& right) : StreamRight(right) {}
    // Of names_, or kNone; kUnknown: the slot's stream is not known here, or there is none. It
    // stands in the four bytes that a StreamRight has left.
    std::uint32_t subject = kUnknown;
  };
  static_assert(sizeof(Reader) == 16, "one for each stream of a hub that is not open");

  // Null: it is not known here.
  [[nodiscard]] const Reader* find(std::uint32_t slot) const {
    const bool known = slot < readers_.size() && readers_[slot].subject != kUnknown;
    return known ? &readers_[slot] : nullptr;
  }

  void join_presence(std::uint32_t slot, const Outcome& wanted);
  void leave_presence(std::uint32_t slot);

  ShardContext& shard_;
  // By slot; nothing moves as it grows. Empty while the hub is open.
  std::deque<Reader> readers_;
  std::deque<IpAddress> clients_;  // the same, as far as one is known
  NameStore names_;                // of their subjects
  // By slot, of streams that are on such topics.
  std::unordered_map<std::uint32_t, Presence::Places> present_;
};

}  // namespace tocsin::net
