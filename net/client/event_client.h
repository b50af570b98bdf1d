// Many event streams in one thread.
//
//   auto client = EventClient::create().value();
//   auto prices = client->subscribe({.url = "https://hub.example/events", .streams = {"prices"}},
//                                   {.on_event = [](const proto::ReceivedEvent& e) { ... }});
//   client->unsubscribe(*prices);
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "net/client/event_source.h"
#include "net/transport/look_up.h"
#include "net/transport/waiter.h"

namespace tocsin::net {

struct EventClientOptions {
  Waiter* waiter = nullptr;       // not owned, must outlive the client; null: the system's
  LookUp look_up = net::look_up;  // called in the resolver's thread; must be thread-safe
};

// Each stream behaves as an EventSource does (net/client/event_source.h); it begins at once.
//
// Threads: one runs all streams and calls all callbacks, so a callback that blocks holds up every
// stream; another looks names up, from the first name on (a literal address is none). Both block
// all signals. The functions here may be called from any thread, callbacks included.
//
// Descriptors: two, and one per connected stream. Memory of a quiet stream: some 6 KiB, and with
// TLS what OpenSSL takes.
class EventClient {
 public:
  // Names a stream of this client; never used again for another.
  enum class Handle : std::uint64_t {};

  // The error: no descriptor or no thread left.
  [[nodiscard]] static std::expected<std::unique_ptr<EventClient>, std::string> create(
      EventClientOptions options = {});
  // Ends every stream; waits for a callback and for a look-up that are under way
  // (net/transport/look_up.h). Nothing is called back any more when it returns. REQUIRES: not
  // called by a callback.
  ~EventClient();
  EventClient(const EventClient&) = delete;
  EventClient& operator=(const EventClient&) = delete;

  // Opens a stream; the error says in words which option is wrong. Does not block.
  // `options.waiter` is not used. The stream goes by itself once on_end was called.
  [[nodiscard]] std::expected<Handle, std::string> subscribe(EventSourceOptions options,
                                                             EventSourceCallbacks callbacks);

  // Ends a stream. When it returns none of its callbacks runs nor will run: it waits for one that
  // does, unless it is called by that callback itself (so hold no lock that the callback takes).
  // The connection is closed soon after. Returns the id to resume behind (empty: none), nothing if
  // there is no such stream (any more).
  std::optional<std::string> unsubscribe(Handle handle);

  // Streams that are neither over nor unsubscribed.
  [[nodiscard]] std::size_t size() const;

 private:
  class Impl;
  explicit EventClient(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin::net
