// The chat: one stream per person, messages by POST to all or to one.
//
//   GET  /chat/sse?username=ann             a stream; with &presence=1 also of who comes and goes
//   POST /chat/broadcast?from=&message=     to everybody
//   POST /chat/direct?from=&message=&to=    to everybody who is here under that name
//
// A person's stream reads the topic `chat` and one of their own, so that the hub does everything
// that is hard: order, resume, slow readers. What is left is to know who is here, and who asks:
//
// The name in the query says who asks, and may be any name that nobody has. A page has the one that
// it came with as long as a stream of it is here: it sends a cookie, `tocsin_chat`, and whoever
// does not send the same may neither come nor write under that name. Without a cookie, as curl, a
// name is had by nobody. Who comes at the same moment as another of that name may have it, too.
// The chat's topics are read and written here only, by no /events and no /publish.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "net/application.h"
#include "net/auth/authentication.h"
#include "net/base/mutex.h"
#include "net/server_options.h"

namespace tocsin::demo {

inline constexpr std::string_view kChatTopic = "chat";
inline constexpr std::string_view kPresenceTopic = "chat/presence";

// Must outlive the server. Threads: any.
class Chat {
 public:
  // They refer to this object, and ask for the principals of authenticate().
  [[nodiscard]] std::vector<net::Route> routes();
  // Who asks the chat: Application::authenticate, which declines what is not the chat's.
  [[nodiscard]] net::Authentication authenticate(const net::AuthenticationRequest& request);
  // No client may read or write the chat's topics but by the routes.
  [[nodiscard]] static std::vector<net::TopicNamespace> namespaces();

  // The hub is about to end every stream: nobody needs to be told of each.
  void stop_announcing();

 private:
  [[nodiscard]] net::Answer join(net::Server& server, const net::RouteRequest& request);
  [[nodiscard]] net::Answer broadcast(net::Server& server, const net::RouteRequest& request);
  [[nodiscard]] net::Answer direct(net::Server& server, const net::RouteRequest& request);

  void came(net::Server& server, const std::string& name, const std::string& session);
  void left(net::Server& server, const std::string& name);
  void announce(net::Server& server, std::string_view type, const std::string& name)
      TOCSIN_LOCKS(requires_capability(mutex_));
  [[nodiscard]] bool is_here(std::string_view name);
  [[nodiscard]] bool is_had_by_another(std::string_view name, std::string_view session);

  struct Presence {
    std::size_t streams = 0;
    std::string session;  // whose name it is; empty: nobody's
  };
  net::Mutex mutex_;
  // By name.
  std::map<std::string, Presence, std::less<>> here_ TOCSIN_LOCKS(guarded_by(mutex_));
  bool announcing_ TOCSIN_LOCKS(guarded_by(mutex_)) = true;
};

}  // namespace tocsin::demo
