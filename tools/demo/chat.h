// The chat: one stream per person, messages by POST to all or to one.
//
//   GET  /chat/sse?username=ann             a stream; with &presence=1 also of who comes and goes
//   POST /chat/broadcast?from=&message=     to everybody
//   POST /chat/direct?from=&message=&to=    to everybody who is here under that name
//
// A person's stream reads the topic `chat` and one of their own, so that the hub does everything
// that is hard: order, resume, slow readers. What is left is to know who is here.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "net/application.h"

namespace tocsin::demo {

inline constexpr std::string_view kChatTopic = "chat";
inline constexpr std::string_view kPresenceTopic = "chat/presence";

// Must outlive the server. Threads: any.
class Chat {
 public:
  // They refer to this object.
  [[nodiscard]] std::vector<net::Route> routes();

  // The hub is about to end every stream: nobody needs to be told of each.
  void stop_announcing();

 private:
  [[nodiscard]] net::Answer join(net::Server& server, const net::RouteRequest& request);
  [[nodiscard]] net::Answer broadcast(net::Server& server, const net::RouteRequest& request);
  [[nodiscard]] net::Answer direct(net::Server& server, const net::RouteRequest& request);

  void came(net::Server& server, const std::string& name);
  void left(net::Server& server, const std::string& name);
  void announce(net::Server& server, std::string_view type, const std::string& name);
  [[nodiscard]] bool is_here(std::string_view name);

  std::mutex mutex_;
  std::map<std::string, std::size_t, std::less<>> here_;  // streams by name
  bool announcing_ = true;
};

}  // namespace tocsin::demo
