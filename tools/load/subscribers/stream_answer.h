// The response to a GET that asks for a stream: is it one, and which bytes of it are the stream?
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "net/client/response_reader.h"
#include "tools/load/figures/refusal.h"

namespace tocsin::load {

// Reads the head, and a body whose framing is unusual. Not thread-safe. Not movable.
class StreamAnswer {
 public:
  enum class State : std::uint8_t {
    need_more,  // the head goes on
    open,       // a stream; taken bytes are its body
    refused,    // no stream; refusal() says why
    ended,      // the body was read here, and has come to its end
  };
  // Of the body: what follows the head is then read by ...
  enum class Coding : std::uint8_t {
    close,    // nobody: it is the stream
    chunked,  // a ChunkDecoder
    other,    // this reader, to its end: the body has a length
  };

  StreamAnswer();
  StreamAnswer(const StreamAnswer&) = delete;
  StreamAnswer& operator=(const StreamAnswer&) = delete;

  // Takes what was received. `body`: what of it is behind the head; points into `bytes` or, of a
  // body that is read here, into `joined`, which is used where it came in pieces.
  State feed(std::string_view bytes, std::string& joined, std::string_view& body);

  // After `open`.
  [[nodiscard]] Coding coding() const { return coding_; }
  // After `refused`. Why: the status line and what it is for a stream, "HTTP/1.1 503 Service
  // Unavailable: too many".
  [[nodiscard]] Refusal refusal() const;

 private:
  bool on_head(const net::ResponseHead& head);
  bool on_body(std::string_view piece);
  void read(std::string_view bytes);

  std::string first_;    // of the response, until the head is good
  std::string problem_;  // beyond the status
  int status_ = 0;       // 0: there is none
  State state_ = State::need_more;
  Coding coding_ = Coding::other;
  std::string* joined_ = nullptr;  // of the feed() that goes on
  std::string_view body_;
  net::ResponseReader reader_;  // last: calls back into the others
};

}  // namespace tocsin::load
