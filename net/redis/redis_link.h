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

// What a rediss:// URL trusts; null: the URL is plain. The error names a file that cannot be read.
[[nodiscard]] std::expected<std::shared_ptr<const TlsContext>, std::string> trust_of(
    const RedisUrl& url);

// Whether the error names something that only a person can mend.
[[nodiscard]] bool is_lasting(std::string_view error);

class RedisLink {
 public:
  // To the first of the servers that is a master; blocks until it answers, or `waiter` says that
  // the time is over. `tls`: null: plain.
  [[nodiscard]] static std::expected<RedisLink, RedisFault> open(
      const RedisUrl& url, const std::shared_ptr<const TlsContext>& tls, Waiter& waiter,
      TimePoint deadline);
  ~RedisLink() { close(); }
  RedisLink(RedisLink&&) noexcept = default;
  RedisLink& operator=(RedisLink&&) = delete;

  // Puts the command behind the others; move() sends them. Its reply is to be there by `deadline`.
  void send(std::span<const std::string_view> words, TimePoint deadline);
  void send(std::initializer_list<std::string_view> words, TimePoint deadline) {
    send(std::span(words.begin(), words.size()), deadline);
  }
  // Sends and receives what it can. The error: the connection has ended, or a reply is late.
  [[nodiscard]] std::expected<void, RedisFault> move(TimePoint now);
  // The next reply, in the order of the commands; null: there is none yet. It ends with the next
  // call for this link. REQUIRES: a command has no reply yet.
  [[nodiscard]] const RespValue* next_reply();
  [[nodiscard]] std::size_t unanswered() const { return deadlines_.size(); }
  // What came is no reply; nothing more comes.
  [[nodiscard]] bool is_broken() const { return reader_.is_broken(); }

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
  // HOST:PORT
  [[nodiscard]] const std::string& server() const { return server_; }

 private:
  RedisLink(ClientSocket socket, std::string server);
  [[nodiscard]] static std::expected<RedisLink, RedisFault> open_one(
      const RedisUrl& url, const RedisUrl::Server& server,
      const std::shared_ptr<const TlsContext>& tls, Waiter& waiter, TimePoint deadline);
  [[nodiscard]] std::expected<void, RedisFault> introduce(const RedisUrl& url, Waiter& waiter,
                                                          TimePoint deadline);
  [[nodiscard]] bool flush();
  [[nodiscard]] RedisFault ended(std::string_view why) const;
  void close();

  ClientSocket socket_;
  std::string server_;
  std::string unsent_;
  std::size_t sent_ = 0;  // of unsent_
  std::deque<TimePoint> deadlines_;  // of the commands without a reply
  RespReader reader_;
};

}  // namespace tocsin::net
