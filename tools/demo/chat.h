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
#include <string>
#include <string_view>
#include <vector>

#include "net/application.h"
#include "net/base/mutex.h"

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
  void announce(net::Server& server, std::string_view type, const std::string& name)
      TOCSIN_LOCKS(requires_capability(mutex_));
  [[nodiscard]] bool is_here(std::string_view name);

  net::Mutex mutex_;
  // Streams by name.
  std::map<std::string, std::size_t, std::less<>> here_ TOCSIN_LOCKS(guarded_by(mutex_));
  bool announcing_ TOCSIN_LOCKS(guarded_by(mutex_)) = true;
};

}  // namespace tocsin::demo
