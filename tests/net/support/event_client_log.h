// What the tests of EventClient have in common.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "net/client/event_client.h"
#include "tests/net/support/event_source_recorder.h"
#include "tests/net/support/scripted_server.h"

namespace tocsin::net {

// What callbacks tell a test.
class EventLog {
 public:
  void add(std::string what) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(what));
    changed_.notify_all();
  }
  std::vector<std::string> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return lines_.size() >= count; });
    return lines_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

inline EventSourceOptions quick(std::string url) {
  EventSourceOptions options;
  options.url = std::move(url);
  options.reconnect_policy = {.initial_min_ms = 1, .initial_max_ms = 2, .floor_ms = 1, .cap_ms = 5};
  return options;
}

inline EventSourceCallbacks logging(EventLog& log) {
  EventSourceCallbacks callbacks;
  callbacks.on_open = [&log](const StreamOpened&) { log.add("open"); };
  callbacks.on_event = [&log](const proto::ReceivedEvent& e) { log.add(std::string(e.data)); };
  callbacks.on_disconnect = [&log](const StreamClosed& closed) {
    log.add(closed.will_retry ? "lost" : "closed");
  };
  callbacks.on_end = [&log](const EventSourceResult& result) {
    log.add("end " + std::to_string(result.status));
  };
  return callbacks;
}

inline ScriptedServer::Script endless(const std::string& event) {
  return [event](ScriptedServer::Connection& c) {
    c.read_request();
    c.send(kStreamHead);
    while (c.send(event)) {
    }
  };
}

}  // namespace tocsin::net
