// A connection to a Redis or Valkey server: opened and authenticated, commands in pipelines, their
// replies in order. Over TCP, or TLS over TCP.
//
// Not thread-safe.
#pragma once

#include <poll.h>

#include <deque>
#include <expected>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "net/redis/redis_url.h"
#include "net/redis/resp.h"
#include "net/transport/client_socket.h"
#include "net/transport/waiter.h"

namespace tocsin::net {

// Why there is no connection, or no answer: a sentence for the operator, without the password.
struct RedisFault {
  std::string text;
  bool lasting = false;  // trying again will not help: somebody has to change something
};

// What a rediss:// URL trusts; null: the URL is plain.
using RedisTrust = std::shared_ptr<const TlsContext>;
// The error names a file that cannot be read.
[[nodiscard]] std::expected<RedisTrust, std::string> trust_of(const RedisUrl& url);

// Whether the error names something that only a person can mend.
[[nodiscard]] bool is_lasting(std::string_view error);

class RedisLink {
 public:
  // Blocks until it is there, or `waiter` says that the time is over. `tls`: null: plain.
  [[nodiscard]] static std::expected<RedisLink, RedisFault> connect(
      const RedisUrl::Server& server, const RedisTrust& tls, Waiter& waiter, TimePoint deadline);
  ~RedisLink() { close(); }
  RedisLink(RedisLink&&) noexcept = default;
  RedisLink& operator=(RedisLink&&) = delete;

  // Sends the URL's user and password, if it has one. REQUIRES: unanswered() == 0.
  [[nodiscard]] std::expected<void, RedisFault> authenticate(const RedisUrl& url, Waiter& waiter,
                                                             TimePoint deadline);

  // Puts the command behind the others; move() sends them. Its reply is to be there by `deadline`.
  void send(std::span<const std::string_view> words, TimePoint deadline);
  void send(std::initializer_list<std::string_view> words, TimePoint deadline) {
    send(std::span(words.begin(), words.size()), deadline);
  }
  // Sends and receives what it can. The error: the connection has ended, a reply is late, or
  // something came that nobody asked for.
  [[nodiscard]] std::expected<void, RedisFault> move(TimePoint now);
  // The next reply, in the order of the commands; null: there is none yet. It ends with the next
  // call for this link. REQUIRES: a command has no reply yet.
  [[nodiscard]] const RespValue* next_reply();
  [[nodiscard]] std::size_t unanswered() const { return deadlines_.size(); }
  // What came is no reply, or to nothing (RESP2 has no such); nothing more comes.
  [[nodiscard]] bool is_broken() const {
    return reader_.is_broken() || (deadlines_.empty() && reader_.has_more());
  }

  // Sends the command and waits for its reply, which may be an error. REQUIRES: unanswered() == 0.
  [[nodiscard]] std::expected<const RespValue*, RedisFault> ask(
      std::span<const std::string_view> words, Waiter& waiter, TimePoint deadline);
  [[nodiscard]] std::expected<const RespValue*, RedisFault> ask(
      std::initializer_list<std::string_view> words, Waiter& waiter, TimePoint deadline) {
    return ask(std::span(words.begin(), words.size()), waiter, deadline);
  }

  // What to wait for, and until when. Not at all where has_buffered().
  [[nodiscard]] pollfd poll_request() const;
  [[nodiscard]] TimePoint deadline() const;
  [[nodiscard]] bool has_buffered() const { return socket_.has_buffered(); }
  [[nodiscard]] const RedisUrl::Server& server() const { return server_; }
  // Of a reply that is an error, or means nothing here.
  [[nodiscard]] RedisFault fault_of(const RespValue& reply) const;

 private:
  RedisLink(ClientSocket socket, RedisUrl::Server server);
  [[nodiscard]] bool flush();
  [[nodiscard]] RedisFault ended(std::string_view why) const;
  void close();

  ClientSocket socket_;
  RedisUrl::Server server_;
  std::string unsent_;
  std::size_t sent_ = 0;  // of unsent_
  std::deque<TimePoint> deadlines_;  // of the commands without a reply
  RespReader reader_;
};

}  // namespace tocsin::net
