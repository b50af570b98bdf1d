// The demonstration: a hub with something to look at, and the example of how one builds on Tocsin.
//
// It uses what net/application.h and net/server.h offer to every program:
//   routes    the site (site.h), the chat (chat.h), prices (prices.h), and streams that begin with
//             an event of their own (here)
//   authenticate  who is who in the chat, and may read and write what there (chat.h)
//   hooks     notifications of streams that open and end (stream_notices.h)
//   publish   the feeds (feeds.h, dashboard.h), from a thread of their own (here)
#pragma once

#include <cstdint>
#include <thread>
#include <vector>

#include "net/application.h"
#include "net/server.h"
#include "net/server_options.h"
#include "tools/demo/chat.h"
#include "tools/demo/prices.h"
#include "tools/demo/stream_notices.h"

namespace tocsin::demo {

// Must outlive the server that it was made for.
class Demo {
 public:
  // `seed`: of the random walks.
  explicit Demo(std::uint32_t seed);
  Demo(const Demo&) = delete;
  Demo& operator=(const Demo&) = delete;

  // What the server is to be started with. It refers to this object.
  [[nodiscard]] net::Application application();
  // For ServerOptions, before any others.
  [[nodiscard]] static std::vector<net::TopicNamespace> namespaces() { return Chat::namespaces(); }

  // Publishes in the thread that it returns until that is asked to stop, which is to be before the
  // server drains.
  [[nodiscard]] std::jthread start(net::Server& server);

 private:
  void run_feeds(net::Server& server, const std::stop_token& stop);

  const std::uint32_t seed_;
  Chat chat_;
  Prices prices_;
  StreamNotices notices_;
};

}  // namespace tocsin::demo
