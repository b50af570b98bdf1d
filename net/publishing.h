// What publishing says, to programs that publish without HTTP.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "proto/sse/event.h"

namespace tocsin::net {

// Ids as they are on the wire: what a subscriber resumes from.
struct PublishReceipt {
  std::string first_id;
  std::string last_id;
  // The hub's store has the events and has yet to say what became of them (core/store.h); there
  // are no ids then. Only where nobody waits for it.
  bool pending = false;
};

struct PublishFailure {
  enum class Reason : std::uint8_t {
    invalid,      // the same rules as for POST /publish; `error.too_large`: all but their sizes
    no_topic,     // it does not exist, and topics are not made by use
    topic_limit,  // the hub has as many topics as it may have
    busy,         // the shards have to catch up first; only where nobody waits for them
    unavailable,  // the hub's store has no room or cannot be reached; nothing was published
    unknown,      // it may have been published, or be yet: the store's answer was lost
    closed,       // the hub, or the stream that was written to, has ended; nothing was published
    // Of a publish with a key; nothing of it was published now (core/store.h).
    differs,
    hole,
    forgotten,
  };
  Reason reason = Reason::invalid;
  // For people: a message whatever the reason; `field` where an event is to blame; `line`: its
  // number, from 1, in a batch.
  proto::InputError error{};
  std::uint64_t expected = 0;  // hole and forgotten: the number that comes next
};

using PublishOutcome = std::expected<PublishReceipt, PublishFailure>;

}  // namespace tocsin::net
