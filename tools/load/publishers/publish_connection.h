// One connection of the publishing side: requests out, answers in, never blocking.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "net/transport/resolver.h"
#include "tools/load/publishers/answer_reader.h"

namespace tocsin::load {

// Owns its socket. Closed at first and after its end; requests may be appended in every state, and
// those of which no byte has reached the kernel outlive an end. Functions that return an int give
// 0 or an errno. Not thread-safe.
class PublishConnection {
 public:
  enum class State : std::uint8_t { closed, connecting, open };

  // `success` outlives it.
  PublishConnection(const std::vector<int>& success, bool to_head)
      : success_(&success), to_head_(to_head) {}
  ~PublishConnection();
  PublishConnection(const PublishConnection&) = delete;
  PublishConnection& operator=(const PublishConnection&) = delete;

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool has_unsent() const { return sent_ < unsent_.size(); }
  [[nodiscard]] std::size_t unsent_bytes() const { return unsent_.size() - sent_; }
  // Requests that were appended and not answered.
  [[nodiscard]] std::uint64_t outstanding() const { return waiting_.size(); }
  // Of the open connection; valid until the next one.
  [[nodiscard]] const AnswerReader& answers() const { return *answers_; }

  // Begins to connect: the socket is writable when finish_connect() can tell how it went, if it is
  // not open at once. REQUIRES: closed.
  [[nodiscard]] int connect(const net::SocketAddress& peer);
  [[nodiscard]] int finish_connect();
  // Blocks until it is open, or for so long.
  [[nodiscard]] int connect_and_wait(const net::SocketAddress& peer, int timeout_ms);

  // A request is what is written into buffer() before commit(); so many events are in it.
  [[nodiscard]] std::string& buffer() { return unsent_; }
  void commit(std::uint64_t due_ns, std::size_t events);

  // EAGAIN: the socket is full. EPIPE and the like: the end, which receive() tells in full.
  [[nodiscard]] int flush();

  enum class Received : std::uint8_t {
    nothing,
    bytes,
    closed,   // by the server, orderly
    broken,   // errno says how
    no_http,  // answers().error() says why
  };
  struct Answered {
    std::uint64_t due_ns;
    std::size_t events;
    bool is_good;  // a success
  };
  // One recv(2). `answered` becomes the requests that it answers, in their order.
  [[nodiscard]] Received receive(std::span<char> scratch, std::vector<Answered>& answered);

  // Requests that were sent, perhaps in part, and got no answer.
  struct Cut {
    std::uint64_t requests = 0;
    std::uint64_t events = 0;
  };
  // Ends it from this side, and forgets those. `hard`: with a reset, which leaves no TIME_WAIT and
  // so keeps the port.
  Cut close(bool hard);

 private:
  struct SentRequest {
    std::uint64_t due_ns;
    std::uint64_t begin;  // in the bytes of the connection
    std::size_t events;
  };

  [[nodiscard]] bool is_own_peer() const;

  const std::vector<int>* success_;
  bool to_head_;
  State state_ = State::closed;
  int fd_ = -1;
  std::string unsent_;
  std::size_t sent_ = 0;         // of unsent_
  std::uint64_t handed_ = 0;     // bytes that the kernel has taken on this connection
  std::uint64_t committed_ = 0;  // bytes of all requests of this connection
  std::deque<SentRequest> waiting_;
  std::unique_ptr<AnswerReader> answers_;
};

}  // namespace tocsin::load
