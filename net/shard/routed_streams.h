// Streams as the application sees them: which of them it has asked to write to or be told of, and
// the telling. Its functions run here, on the shard's thread.
//
// Threads: the shard's; a StreamWriter::Target is shared with the writer's copies.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "core/hub.h"
#include "net/application.h"
#include "net/http/handler.h"
#include "net/shard/shard_context.h"
#include "net/state/server_state.h"

namespace tocsin::net {

// What a StreamWriter writes to.
struct StreamWriter::Target {
  std::shared_ptr<ServerState> state;
  std::string topic;  // the stream's direct topic
  std::atomic<bool> closed{false};
};

class RoutedStreams {
 public:
  // `shard` outlives it.
  explicit RoutedStreams(ShardContext& shard) : shard_(shard) {}

  // The stream has opened. Its direct topic, if there is one, is the last of the subscription's.
  void tell_opened(std::uint32_t slot, Stream& stream, const Outcome& wanted,
                   const core::Subscription& subscription);
  // It ends, and has not left its topics yet.
  void tell_closed(std::uint32_t slot, Stream& stream);

 private:
  struct Routed {
    std::shared_ptr<StreamWriter::Target> target;  // null: nobody writes to it
    std::function<void()> on_close;
  };

  // See StreamInfo.
  [[nodiscard]] std::uint64_t stream_id(std::uint32_t slot) const;

  ShardContext& shard_;
  std::unordered_map<std::uint32_t, Routed> routed_;  // by slot; Stream::routed says of whom
};

}  // namespace tocsin::net
