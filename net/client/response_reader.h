// HTTP/1.0 and 1.1 responses, read by llhttp (RFC 9112) from a byte stream cut anywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "net/client/response_head.h"

namespace tocsin::net {

// Reads one response after another. Interim responses (1xx but 101) are skipped. A 101, which no
// client here asks for, is an error. So is a status line of another major version, or with other
// than three digits (RFC 9112, 4), and a field whose name is no token or not right in front of its
// colon (5.1), in a trailer, too.
//
// Not thread-safe. Not movable (llhttp points back at it).
class ResponseReader {
 public:
  enum class State : std::uint8_t {
    need_more,         // everything was consumed; the message goes on
    message_complete,  // call begin() before the next feed
    failed,            // error() says why; the stream cannot be read further
  };
  struct Step {
    State state;
    std::size_t consumed;
  };
  // Called from feed(). Neither may throw (llhttp is C) nor destroy the reader. False: stop; feed()
  // then says failed with an empty error().
  struct Handlers {
    std::function<bool(const ResponseHead&)> on_head;  // once per response
    std::function<bool(std::string_view)> on_body;     // decoded (chunks joined), any number
  };

  // `max_head`: bytes of the status line's reason and all header fields together.
  ResponseReader(Handlers handlers, std::size_t max_head);
  ~ResponseReader();
  ResponseReader(const ResponseReader&) = delete;
  ResponseReader& operator=(const ResponseReader&) = delete;

  // Makes ready for the next response. `to_head`: it answers a HEAD request and has no body,
  // whatever its fields say (RFC 9112, 6.3).
  void begin(bool to_head = false);

  [[nodiscard]] Step feed(std::string_view bytes);

  // The connection ended. message_complete if that is how this response ends (no length, not
  // chunked), failed otherwise.
  [[nodiscard]] State finish();

  // True from the first byte of a response (interim ones included) to its end.
  [[nodiscard]] bool mid_message() const;
  // After message_complete: another response may follow on the connection.
  [[nodiscard]] bool keep_alive() const;
  [[nodiscard]] const std::string& error() const;

 private:
  struct Machine;  // llhttp's state and callbacks
  std::unique_ptr<Machine> machine_;
};

}  // namespace tocsin::net
