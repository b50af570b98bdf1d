// What publishing says, to programs that publish without HTTP.
#pragma once

#include <cstdint>
#include <string>

#include "proto/sse/event.h"

namespace tocsin::net {

// Ids as they are on the wire: what a subscriber resumes from.
struct PublishReceipt {
  std::string first_id;
  std::string last_id;
};

struct PublishFailure {
  enum class Reason : std::uint8_t {
    invalid,      // the same rules as for POST /publish; `error.too_large`: all but their sizes
    no_topic,     // it does not exist, and topics are not made by use
    topic_limit,  // the hub has as many topics as it may have
    busy,         // the shards have to catch up first; only where nobody waits for them
    closed,       // the hub, or the stream that was written to, has ended
  };
  Reason reason = Reason::invalid;
  // For people: a message whatever the reason; `field` where an event is to blame; `line`: its
  // number, from 1, in a batch.
  proto::InputError error{};
};

}  // namespace tocsin::net
