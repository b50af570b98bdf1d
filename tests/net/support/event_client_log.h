// What the tests of EventClient have in common.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "net/base/mutex.h"
#include "net/client/event_client.h"
#include "tests/net/support/event_source_recorder.h"
#include "tests/net/support/scripted_server.h"

namespace tocsin::net {

// What callbacks tell a test.
class EventLog {
 public:
  void add(std::string what) {
    const MutexLock lock(mutex_);
    lines_.push_back(std::move(what));
    changed_.notify_all();
  }
  std::vector<std::string> wait_for(std::size_t count) {
    const MutexLock lock(mutex_);
    while (lines_.size() < count) changed_.wait(mutex_);
    return lines_;
  }

 private:
  Mutex mutex_;
  Condition changed_;
  std::vector<std::string> lines_ TOCSIN_LOCKS(guarded_by(mutex_));
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
