// From events to the log: encoded once, appended, and the shards that have news are woken. The one
// way in, for POST /publish, for Server::publish and for the writers of streams.
//
// Keeps its buffers between calls. Threads: one at a time; different objects, any.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/hub.h"
#include "core/publish/published_keys.h"
#include "net/publishing.h"
#include "net/state/mailbox.h"
#include "net/state/publish_queue.h"
#include "net/state/request_memory.h"
#include "net/state/shared_hub.h"
#include "proto/sse/event.h"
#include "proto/sse/event_id.h"

namespace tocsin::net {

class EventPublisher {
 public:
  // All events or none. An event's data goes out as base64 or in an envelope where its topic says
  // so, in an envelope also where the event does. Fails for `busy` where others wait: wait() may
  // follow. If it is pending, SharedHub::ask() follows. `received_us`: of the monotonic clock, when
  // the request had been read; it is the events' time as well, and what their latency counts from.
  // `key`: by which the batch is known if it comes again; null: none.
  // REQUIRES: at least one event, each with a topic, and proto::check() passed (for base64: of all
  // but the data).
  [[nodiscard]] PublishResult publish(SharedHub& hub, std::span<const proto::EventView> events,
                                      std::uint64_t received_us,
                                      const core::PublishKey* key = nullptr);

  // The batch that publish() has just refused as busy waits in the hub's line, in a copy, and
  // `done` is told what became of it. With `memory` it takes what it holds from there; false: that
  // is not left, and `done` is as it was. REQUIRES: what the events referred to is still there.
  [[nodiscard]] bool wait(SharedHub& hub, RequestMemory* memory, PublishDone&& done,
                          std::optional<core::PublishKey> key = {});

 private:
  // The events with their data as it is sent.
  [[nodiscard]] std::span<const proto::EventView> in_form(SharedHub& hub,
                                                          std::span<const proto::EventView> events);
  void trim();
  bool encode(std::span<const proto::EventView> events, core::ReceiptUs received);

  core::TimeMs received_ms_ = 0;  // of the batch in new_events_
  std::string encoded_;           // frame bodies; new_events_ points into it
  std::vector<core::NewEvent> new_events_;
  std::vector<proto::EventView> replaced_;  // the batch with data_ in place of some of its data
  std::vector<std::string> data_;
};

// What a publisher is told of its event's id, as it is on the wire: its own, else the hub's.
[[nodiscard]] std::string receipt_id(std::string_view own, proto::EventId hubs);

// Why a batch was refused, for people.
[[nodiscard]] PublishFailure failure_of(const SharedHub::Refusal& refusal,
                                        std::span<const core::NewEvent> events);

// RFC 4648, 4, with padding.
[[nodiscard]] std::string to_base64(std::string_view bytes);

}  // namespace tocsin::net
