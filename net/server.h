// The hub as a running service: shards in their threads, started together, drained, stopped; and
// the way for a program to run one inside itself, as `tocsin serve` does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/application.h"
#include "net/publishing.h"
#include "net/server_options.h"

namespace tocsin::core {
class Store;
}

namespace tocsin::net {

class ListenerSet;
class ServiceNotify;
struct Access;
struct HandedDescriptor;
struct ServerState;

// Threads: start, wait and the destructor from one thread, which is none that runs a route or a
// hook; everything else from any. The shards' threads block all signals.
class Server {
 public:
  // Opens every listener in every shard and begins to serve. The error is a sentence for the
  // operator (an option or a route that cannot be, an address in use, no descriptor or thread left,
  // a history that cannot be opened); nothing is left running then. Waits for an address in use
  // (kListenPatience), and as long for whoever has the history.
  //
  // `access`: who may do what (net/auth/access.h); null: everybody everything.
  [[nodiscard]] static std::expected<std::unique_ptr<Server>, std::string> start(
      const ServerOptions& options, Application application = {},
      std::shared_ptr<const Access> access = nullptr);
  // A hub whose history is kept by `store` (core/store.h; null: as the options say): ids go on
  // where it ends, and before this returns all that it tells of at its start is there for readers.
  // The server has the store, starts it, and in wait() or the destructor stops it, behind the last
  // publish; it is destroyed with the last of the server and its StreamWriters and Laters. Its
  // calls, and what they call back, run in the store's own threads. A store whose history is lost
  // (history_lost()) is done, and so is the server: stop it, and start another with a new one.
  [[nodiscard]] static std::expected<std::unique_ptr<Server>, std::string> start(
      const ServerOptions& options, Application application, std::unique_ptr<core::Store> store,
      std::shared_ptr<const Access> access = nullptr);
  // For a process that a service manager runs: the same, with the sockets that were handed over,
  // which it takes, and `manager`, null or whoever is to keep the sockets for the next process; see
  // net/server/listener_set.h.
  [[nodiscard]] static std::expected<std::unique_ptr<Server>, std::string> start(
      const ServerOptions& options, Application application, std::unique_ptr<core::Store> store,
      std::shared_ptr<const Access> access, std::vector<HandedDescriptor> handed,
      ServiceNotify* manager);
  // Stops at once if it still runs: streams end, their hooks are called.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // ADDR:PORT as bound, in the order of the options.
  [[nodiscard]] const std::vector<std::string>& addresses() const { return addresses_; }
  [[nodiscard]] std::size_t shards() const { return shards_.size(); }
  // For the programs and tests of this project: net/state/server_state.h.
  [[nodiscard]] ServerState& state() { return *state_; }

  // --- publishing, as POST /publish does. All events or none, in their order; when it returns they
  // have their ids, and every subscriber will get them. Without a topic an event goes to `events`.

  // Waits while the shards have to catch up (never for a subscriber), in one line with POST
  // /publish, and for a store that answers later. In a handler or a hook it does not wait.
  PublishOutcome publish(const proto::EventView& event);
  PublishOutcome publish(std::span<const proto::EventView> events);
  // Never waits: `busy`, or with a store that answers later a receipt that is pending.
  PublishOutcome try_publish(const proto::EventView& event);
  PublishOutcome try_publish(std::span<const proto::EventView> events);
  // Returns at once; the events are taken. `done` is told what publish() would have returned, once:
  // before this returns, or later by a thread of the hub or its store, which it must not block, or
  // in stop(), wait() or the destructor.
  void publish(std::span<const proto::EventView> events,
               std::move_only_function<void(PublishOutcome)> done);

  // --- topics. With ServerOptions::auto_topics (the default) a topic also exists once somebody
  // subscribes or publishes to it, and is forgotten when it is not used.

  // Makes a topic that is not forgotten, or gives these options to the one that exists; they count
  // before those of its namespace. What it keeps is trimmed at the next event. False: the name is
  // not a topic's, or max_topics are there.
  bool create_topic(std::string_view name, const TopicOptions& options = {});
  // Forgets the topic and what it keeps. Streams that read it end when they have what was published
  // before; one that comes back finds a new topic, or 404 without auto_topics. False: no such
  // topic.
  bool remove_topic(std::string_view name);
  [[nodiscard]] bool topic_exists(std::string_view name);

  // Takes over what can change while streams stay open: everything but listen, shards, io,
  // pin_shards and send_buffer. Who may do what stays.
  void reload(const ServerOptions& options);
  // The same, and who may do what. Streams whose right is gone end.
  void reload(const ServerOptions& options, std::shared_ptr<const Access> access);
  // Who may do what alone.
  void reload_access(std::shared_ptr<const Access> access);

  // Streams end spread over drain_timeout_s. Who connects meanwhile waits until wait() closes the
  // listening sockets: for the next process that has them, or to be reset then.
  void drain();
  // Everything ends now.
  void stop();
  // Until all shards have ended; closes the listening sockets.
  void wait();
  [[nodiscard]] bool ended() const;
  // The history is not the one any more that this hub has shown: it has lost events, or was removed
  // under it. Publishes are refused, and streams get nothing more.
  [[nodiscard]] bool history_lost() const;

  // For a watchdog, from one thread. Wakes every shard, to turn its loop once at least; false: one
  // of them has not turned it since it was woken by the last call that returned true. The first
  // call judges nobody.
  [[nodiscard]] bool all_turned();

 private:
  struct ShardThread;
  Server(const ServerOptions& options, std::size_t shards, Application application,
         std::unique_ptr<core::Store> store, std::shared_ptr<const Access> access);
  void wake_all();

  const std::shared_ptr<ServerState> state_;  // writers of streams may outlive the server
  const std::unique_ptr<ListenerSet> sockets_;  // outlives the shards' threads
  std::vector<std::unique_ptr<ShardThread>> shards_;
  std::vector<std::string> addresses_;
  std::vector<std::uint64_t> turns_when_woken_;  // by all_turned; one per shard
};

}  // namespace tocsin::net
