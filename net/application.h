// What a program that embeds the hub adds to it: resources of its own beside /events and /publish,
// and what it wants to be told.
//
// A route is a function from a request to an answer; an answer is a response, now or later, or a
// stream. A stream reads topics of the hub, or what its handler writes to it alone, or both: the
// bytes go through the same log either way, so a slow reader of one's own events is treated like
// any other.
//
// Threads: handlers and hooks run on the shard that has the connection, several at once on several
// shards. They must not block, as every stream of that shard waits for them: what takes long is
// answered later (Later). They may publish (Server::try_publish; publish() does not wait there
// either) and call stop() or drain(). What they refer to must outlive the server. A handler that
// throws is answered 500; an exception in any other function here ends the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "net/publishing.h"
#include "proto/http/query.h"
#include "proto/http/request.h"
#include "proto/sse/event.h"

namespace tocsin::net {

class Server;
struct Authentication;  // net/auth/authentication.h
struct Deferral;
struct Principal;  // net/auth/principal.h

// A request to a route. Valid during the call.
struct RouteRequest {
  const proto::Request& http;  // method, target, body, and the header fields that the hub keeps
  const proto::Query& query;   // decoded
  // The header, or the query's last_event_id in any of its spellings, the last of several; empty:
  // none. It is the event's id as it was published, however it came (proto/sse/wire_id.h). Topics
  // of a StreamResponse go on behind the newest of them that the hub knows.
  std::string_view last_event_id;
  // At a path of the hub's own: the first parameter that the hub does not know there, for routes
  // that would rather decline than ignore it (it is answered 400 then); empty: none.
  std::string_view unknown_parameter;
  const Principal* principal;  // who asks; null: the route needs none, see Route
  const Deferral& deferral;  // for Later
};

// One that cannot be sent as it is, is logged and answered 500.
struct Response {
  int status = 200;            // 200 to 599
  std::string content_type{};  // empty: no body
  std::string body{};
  // Whole lines, each ended by CRLF; not Content-Type, Content-Length, Date, Transfer-Encoding and
  // Connection, which the hub adds, as it does those of CORS (ServerOptions::cors_origins).
  std::string headers{};
};

// A request of which is to be known who makes it. Valid during the call.
struct AuthenticationRequest {
  const proto::Request& http;  // without its body, where it has one
  const Deferral& deferral;    // for LaterAuthentication
};

// Writes to one stream. A handle: copies write to the same stream, and may outlive it and the
// server.
//
// Threads: any.
class StreamWriter {
 public:
  // Appends to the stream's own log and returns; the event's `topic` and `envelope` are ignored. An
  // event without an id gets the hub's. Never waits; the errors are those of Server::try_publish,
  // and `closed`. A store that answers later has it first, and nobody is told what came of it.
  std::expected<void, PublishFailure> publish(const proto::EventView& event) const;
  // Ends the stream when what was published before is sent. Its client will come back; a handler
  // that answers 204 then stops it for good.
  void close() const;
  // True once the client has gone or close() was called.
  [[nodiscard]] bool closed() const;

 private:
  friend class RoutedStreams;
  struct Target;
  explicit StreamWriter(std::shared_ptr<Target> target) : target_(std::move(target)) {}
  std::shared_ptr<Target> target_;
};

// What the query of any stream may ask of the hub (`hello`, `heartbeat`, `framing`), it may ask of
// this one.
struct StreamResponse {
  // Topics of the hub, at most limits::kMaxTopicsPerSubscriber. Without any, only `on_open` can
  // bring events.
  std::vector<std::string> topics{};
  // The topics go on behind the request's Last-Event-ID; false: with what is published from now on.
  bool resume = true;
  // Frames of proto::encode_frame, sent before anything else but what `hello=1` asks for.
  std::string first{};
  std::string headers{};  // as in Response
  // Once the stream is open. It then has a log of its own, which keeps nothing for later: what to
  // send to a client that comes back is the handler's to decide, from its Last-Event-ID.
  std::function<void(const StreamWriter&)> on_open{};
  // Once it has ended, for whatever reason; nothing is written to it any more.
  std::function<void()> on_close{};
};

// The answer to a request that is given later, once, from any thread. A handle: copies are for the
// same answer, and may outlive the server. Until then the client waits, and what it has pipelined
// behind the request; nothing else of the hub does. If the last copy goes and no answer was given,
// the request is answered 500. A drain waits for it, at most drain_timeout_s.
//
// The RouteRequest ends with the handler's call: take from it what is needed later.
//
// Threads: any.
class Later {
 public:
  // For the handler that was given the request, which then returns it, or a copy.
  explicit Later(const RouteRequest& request);
  // Returns at once. False: it was answered before, and this is not sent. Whether the client has
  // stayed is not known: to one that has left nothing is sent.
  bool answer(Response response) const;

 private:
  struct Promise;
  std::shared_ptr<Promise> promise_;
};

// As if the route were not there: the next one of that path, the hub's own resource, or 404.
struct Declined {};

using Answer = std::variant<Response, StreamResponse, Later, Declined>;

// A resource of the application: GET (which serves HEAD, too) or POST of a path. Routes are asked
// in their order, before the hub's own resources; the first that does not decline answers. OPTIONS,
// and methods that a path does not have, are answered by the hub from all that there is.
struct Route {
  static constexpr std::size_t kMaxBodyBytes = 4'194'304;

  proto::Method method = proto::Method::get;
  // Begins with '/'. Compared with the request's as bytes, up to its '?': no %xx is decoded, no
  // "//" and no ".." is taken out. Two routes differ in method, path or prefix.
  std::string path{};
  std::function<Answer(Server&, const RouteRequest&)> handle{};
  // What is below the path counts as well: "/files" is for "/files", "/files/" and "/files/a/b",
  // and not for "/files2". A path that ends with '/' is for all that begins so; "/" is for
  // everything, the hub's own resources too.
  bool prefix = false;
  // Whoever has no good credential is answered 401, and the handler is told of the others who they
  // are. What they may do is the handler's to say: it is not asked about the topics of a
  // StreamResponse. Where the hub is open everybody is open_principal().
  bool needs_principal = false;
  // A request with a larger body is answered 413, as soon as that is known, also where the handler
  // would decline. At most kMaxBodyBytes.
  std::size_t max_body_bytes = kMaxBodyBytes;
};

// A stream as hooks see it. Valid during the call.
struct StreamInfo {
  // The same in both hooks; not used again for long. The admin API has it in hexadecimal.
  std::uint64_t id = 0;
  std::span<const std::string_view> topics{};  // of the hub
};

// Fixed from the server's start on.
struct Application {
  std::vector<Route> routes{};
  std::string stream_headers{};  // for the head of every stream, as in Response
  // Who makes a request, for those that need to be known (the hub's own but probes, and routes that
  // say so). What the principal may do holds for the hub's own resources. On the shard's thread,
  // like a handler; one that throws is answered 500. Absent: who it is, the hub finds out itself.
  std::function<Authentication(Server&, const AuthenticationRequest&)> authenticate{};
  // Every stream of the hub, once each.
  std::function<void(Server&, const StreamInfo&)> on_subscribe{};
  std::function<void(Server&, const StreamInfo&)> on_unsubscribe{};
};

}  // namespace tocsin::net
