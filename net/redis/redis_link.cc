#include "net/redis/redis_link.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {
namespace {

using State = Transfer::State;
using Kind = RespValue::Kind;

// What one move() takes in at most, so that what came can be worked off.
constexpr std::size_t kMaxReceived = 4 * limits::kMiB;
constexpr std::size_t kPiece = 64 * limits::kKiB;

// Errors of the protocol, by their code.
constexpr std::array<std::string_view, 12> kLasting = {"NOAUTH",
                                                       "WRONGPASS",
                                                       "NOPERM",
                                                       "WRONGTYPE",
                                                       "FORM",
                                                       "DENIED",
                                                       "ERR Client sent AUTH",
                                                       "ERR AUTH",
                                                       "ERR invalid password",
                                                       "ERR No such master",
                                                       "ERR unknown command",
                                                       "ERR wrong number of arguments"};

}  // namespace

std::expected<RedisTrust, std::string> trust_of(const RedisUrl& url) {
  if (!url.tls) return nullptr;
  if (url.ca_file.empty()) return TlsContext::system();
  return TlsContext::create({.ca_file = url.ca_file});
}

bool is_lasting(std::string_view error) {
  return std::ranges::any_of(kLasting,
                             [&](std::string_view one) { return error.starts_with(one); });
}

RedisLink::RedisLink(ClientSocket socket, RedisUrl::Server server)
    : socket_(std::move(socket)), server_(std::move(server)), reader_(limits::kMaxRedisReply) {}

// Descriptor tables that were copied meanwhile keep the socket open: it is the connection that
// ends.
void RedisLink::close() {
  if (!socket_.is_open()) return;
  ::shutdown(socket_.fd(), SHUT_RDWR);
  socket_.close();
}

std::expected<RedisLink, RedisFault> RedisLink::connect(
    const RedisUrl::Server& server, const RedisTrust& tls, Waiter& waiter, TimePoint deadline) {
  auto socket =
      connect_blocking({.host = server.host, .port = server.port, .tls = tls}, deadline, waiter);
  if (socket) return RedisLink(*std::move(socket), server);
  const bool lasting = socket.error().kind == SocketError::Kind::tls;
  return std::unexpected(RedisFault{std::move(socket.error().message), lasting});
}

std::expected<void, RedisFault> RedisLink::authenticate(const RedisUrl& url, Waiter& waiter,
                                                        TimePoint deadline) {
  if (url.password.empty()) return {};
  std::vector<std::string_view> words{"AUTH"};
  if (!url.user.empty()) words.push_back(url.user);
  words.push_back(url.password);
  const auto reply = ask(words, waiter, deadline);
  if (!reply) return std::unexpected(reply.error());
  if ((*reply)->is(Kind::error)) return std::unexpected(fault_of(**reply));
  return {};
}

RedisFault RedisLink::fault_of(const RespValue& reply) const {
  const bool is_error = reply.is(Kind::error);
  return {fmt::format("{}: {}", to_string(server_),
                      is_error ? reply.text : "answers something else"),
          is_error && is_lasting(reply.text)};
}

void RedisLink::send(std::span<const std::string_view> words, TimePoint deadline) {
  TOCSIN_ASSERT(socket_.is_open());
  append_command(unsent_, words);
  deadlines_.push_back(deadline);
}

RedisFault RedisLink::ended(std::string_view why) const {
  return {fmt::format("{}: {}", to_string(server_), why)};
}

std::expected<void, RedisFault> RedisLink::move(TimePoint now) {
  TOCSIN_ASSERT(socket_.is_open() && sent_ <= unsent_.size());
  if (!flush()) return std::unexpected(ended(socket_.error()));
  static thread_local std::array<char, kPiece> piece;
  for (std::size_t received = 0; received < kMaxReceived;) {
    const Transfer got = socket_.receive(piece);
    if (got.state == State::would_block) {
      // What has come counts, however late somebody looks at it.
      if (received == 0 && now >= deadline()) {
        return std::unexpected(ended("does not answer in time"));
      }
      return {};
    }
    if (got.state == State::ended) return std::unexpected(ended("has closed the connection"));
    if (got.state == State::failed) return std::unexpected(ended(socket_.error()));
    if (deadlines_.empty()) return std::unexpected(ended("speaks without being asked"));
    reader_.feed({piece.data(), got.bytes});
    received += got.bytes;
  }
  return {};
}

bool RedisLink::flush() {
  while (sent_ < unsent_.size()) {
    const Transfer moved = socket_.send(std::string_view(unsent_).substr(sent_));
    if (moved.state == State::would_block) return true;
    if (moved.state != State::moved) return false;
    sent_ += moved.bytes;
  }
  sent_ = 0;
  if (unsent_.capacity() > limits::kMaxEncodedBatch) {
    std::string{}.swap(unsent_);
  } else {
    unsent_.clear();
  }
  return true;
}

const RespValue* RedisLink::next_reply() {
  TOCSIN_ASSERT(!deadlines_.empty());
  const RespValue* reply = reader_.next();
  if (reply != nullptr) deadlines_.pop_front();
  return reply;
}

std::expected<const RespValue*, RedisFault> RedisLink::ask(std::span<const std::string_view> words,
                                                           Waiter& waiter, TimePoint deadline) {
  TOCSIN_ASSERT(unanswered() == 0);
  send(words, deadline);
  while (true) {
    const auto moved = move(waiter.now());
    if (const RespValue* reply = next_reply()) return reply;
    if (!moved) return std::unexpected(moved.error());
    if (is_broken()) return std::unexpected(ended("does not speak RESP"));
    if (has_buffered()) continue;
    // The second entry is empty, for clocks that take a wait for one descriptor for a pause.
    std::array<pollfd, 2> fds{poll_request(), {-1, 0, 0}};
    waiter.wait(fds, deadline);
  }
}

pollfd RedisLink::poll_request() const {
  return {socket_.fd(), socket_.events(!unsent_.empty()), 0};
}

TimePoint RedisLink::deadline() const {
  return deadlines_.empty() ? kNever : deadlines_.front();
}

}  // namespace tocsin::net
