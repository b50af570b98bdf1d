// An EventSource that records what happens to it, answers for it to read, and a test's fixture of
// the two.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "net/client/event_source.h"
#include "tests/net/support/fake_waiter.h"
#include "tests/net/support/scripted_server.h"

namespace tocsin::net {

inline const std::string kStreamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

// Answers one request with `bytes` and ends the connection.
inline ScriptedServer::Script answer(std::string bytes) {
  return [bytes](ScriptedServer::Connection& c) {
    c.read_request();
    c.send(bytes);
  };
}

// A client that records what happens and stops after so many events. Time is its own.
struct EventSourceRecorder {
  FakeWaiter waiter;
  EventSourceOptions options;
  std::size_t stop_after = 1;
  std::function<void()> on_open;  // besides recording

  std::vector<std::string> events;  // type:data
  std::vector<StreamClosed::Reason> reasons;
  std::vector<std::string> messages;
  std::vector<std::chrono::milliseconds> delays;
  std::vector<std::string> opened;
  std::unique_ptr<EventSource> source;
  std::string resume_at;

  explicit EventSourceRecorder(std::string url) {
    options.url = std::move(url);
    options.seed = 1;
    options.waiter = &waiter;
  }

  void create() {
    EventSourceCallbacks callbacks;
    callbacks.on_open = [this](const StreamOpened& open) {
      opened.emplace_back(open.url);
      if (on_open) on_open();
    };
    callbacks.on_event = [this](const proto::ReceivedEvent& event) {
      events.push_back(std::string(event.type) + ":" + std::string(event.data));
      if (events.size() == stop_after) source->stop();
    };
    callbacks.on_disconnect = [this](const StreamClosed& closed) {
      reasons.push_back(closed.reason);
      messages.emplace_back(closed.message);
      if (closed.will_retry) delays.push_back(closed.delay);
    };
    auto created = EventSource::create(options, std::move(callbacks));
    ASSERT_TRUE(created) << created.error();
    source = std::move(*created);
  }

  EventSourceResult run() {
    create();
    auto result = source->run();
    resume_at = source->last_event_id();
    return result;
  }
};

// One client and one server; the server plays a script for each connection.
class EventSourceTest : public testing::Test {
 protected:
  using Connection = ScriptedServer::Connection;
  using End = EventSourceResult::End;
  using Reason = StreamClosed::Reason;
  using Script = ScriptedServer::Script;

  // The client's URL is the server's from now on.
  void serve(std::vector<Script> scripts, int family = AF_INET,
             ScriptedServer::MakeWire make_wire = nullptr) {
    server_ = std::make_unique<ScriptedServer>(std::move(scripts), family, std::move(make_wire));
    client_.options.url = server_->url();
  }
  // answer(), and the request is kept. With `reset` the connection ends by it.
  Script record(std::string bytes, bool reset = false) {
    return [this, bytes = std::move(bytes), reset](Connection& c) {
      requests_.push_back(c.read_request());
      c.send(bytes);
      if (reset) c.reset();
    };
  }

  EventSourceRecorder client_{""};
  std::vector<std::string> requests_;  // while no server plays
  std::unique_ptr<ScriptedServer> server_;
};

}  // namespace tocsin::net
