// The response to a GET that asks for a stream: is it one, and which bytes of it are the stream?
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "net/response_reader.h"
#include "tools/load/refusal.h"

namespace tocsin::load {

// Reads the head, and as far as the body is framed (chunked, or with a length) the body too. Not
// thread-safe. Not movable.
class StreamResponse {
 public:
  enum class State : std::uint8_t {
    need_more,  // the head goes on
    open,       // a stream; taken bytes are its body
    refused,    // no stream; refusal() says why
    ended,      // the body was framed, and has come to its end
  };

  StreamResponse();
  StreamResponse(const StreamResponse&) = delete;
  StreamResponse& operator=(const StreamResponse&) = delete;

  // Takes what was received. `body`: what of it is the stream's, decoded; points into `bytes` or
  // into `joined`, which is used where it came in pieces.
  State feed(std::string_view bytes, std::string& joined, std::string_view& body);

  // After `open`: what follows is the stream as it is, so this reader has done its work.
  [[nodiscard]] bool is_unframed() const { return is_unframed_; }
  // After `refused`. Why: the status line and what it is for a stream, "HTTP/1.1 503 Service
  // Unavailable: too many".
  [[nodiscard]] Refusal refusal() const;

 private:
  bool on_head(const net::ResponseHead& head);
  bool on_body(std::string_view piece);

  std::string first_;    // of the response, until the head is good
  std::string problem_;  // beyond the status
  int status_ = 0;       // 0: there is none
  State state_ = State::need_more;
  bool is_unframed_ = false;
  std::string* joined_ = nullptr;  // of the feed() that goes on
  std::string_view body_;
  net::ResponseReader reader_;  // last: calls back into the others
};

}  // namespace tocsin::load
