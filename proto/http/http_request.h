// HTTP/1.0 and 1.1 requests, read by llhttp (RFC 9112).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "proto/http/request.h"

namespace tocsin::proto {

// Reads requests from a byte stream cut anywhere. It stops twice for each: when the head is
// complete (so that the caller can refuse a body, or say 100 Continue, before it is sent), and when
// the message is complete. Pipelined bytes behind it are not consumed. When the head is complete
// its last byte is left for the next feed, so that the loop below goes on without a body too:
//
//   while (!bytes.empty()) {
//     auto step = parser.feed(bytes);
//     bytes.remove_prefix(step.consumed);
//     switch (step.state) { ... }
//   }
//
// Limits: a head, and what a chunked body has around its data, up to `max_head` bytes each (the
// latter plus 16 per byte of data, which one-byte chunks need); a body up to `max_body` bytes, or
// what limit_body() says.
// Strict where leniency would let two readers disagree on where a request ends or what it says: any
// Transfer-Encoding but `chunked`, one with Content-Length or in HTTP/1.0, a missing or repeated
// Host or one that cannot be a host, a field name that is no token or not right in front of its
// colon, and all that proto/http/line_scan.h says of lines (a lone CR or LF, obs-fold, more than
// one blank in the request line, anything but a line end behind a chunk's data) are malformed; the
// same in a trailer. No protocol is ever switched: an Upgrade field is ignored, and CONNECT is a
// method like any other that the hub does not serve.
//
// Not thread-safe. Not movable (llhttp points back at it); about 700 bytes while a request is read.
class RequestParser {
 public:
  enum class State : std::uint8_t {
    need_more,         // everything was consumed; the message goes on
    head_complete,     // request() has all but the body; feed the rest to go on
    message_complete,  // request() is whole; call begin() before the next feed
    failed,            // error() says why; the stream cannot be read further. request() has what
                       // was read up to there: all of the head if the error is body_too_large
  };
  enum class Error : std::uint8_t {
    none,
    malformed,       // 400
    head_too_large,  // 431
    body_too_large,  // 413
    version,         // 505: not HTTP/1.0 or 1.1
    method,          // 501: a name that no document defines; of the request only the target is kept
  };
  struct Step {
    State state;
    std::size_t consumed;
  };

  explicit RequestParser(std::size_t max_head, std::size_t max_body);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // Makes ready for the next request of the connection; keeps a body's memory up to 4 KiB and the
  // head's strings up to 1 KiB each. Here and at its end nothing is left of the target,
  // Authorization and Cookie, which may be credentials.
  void begin();

  [[nodiscard]] Step feed(std::string_view bytes);

  // Of the body of the request whose head has just been completed, if that is less than the
  // parser's own limit. REQUIRES: its Content-Length is not above it.
  void limit_body(std::size_t bytes);
  // What holds for the request being read.
  [[nodiscard]] std::size_t max_body() const;

  [[nodiscard]] Request& request() { return request_; }
  [[nodiscard]] const Request& request() const { return request_; }
  [[nodiscard]] Error error() const { return error_; }
  // What is wrong with a malformed request, for people; may depend on how the stream was cut.
  [[nodiscard]] std::string_view reason() const;
  // True from the first byte of a request to its end: closing now would cut a message.
  [[nodiscard]] bool mid_message() const;

 private:
  Step fail(std::size_t consumed);

  struct Machine;  // llhttp's state and callbacks
  std::unique_ptr<Machine> machine_;
  Request request_;
  Error error_ = Error::none;  // the one that the last Step::failed reported
};

}  // namespace tocsin::proto
