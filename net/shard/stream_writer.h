// What a StreamWriter writes to; shared by the writer's copies and the shard that has the stream.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "net/application.h"
#include "net/state/server_state.h"

namespace tocsin::net {

struct StreamWriter::Target {
  std::shared_ptr<ServerState> state;
  std::string topic;  // the stream's direct topic
  std::atomic<bool> closed{false};
};

}  // namespace tocsin::net
