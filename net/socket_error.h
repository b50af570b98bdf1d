// How connections of clients fail, and what one attempt to move bytes came to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace tocsin::net {

struct SocketError {
  enum class Kind : std::uint8_t {
    resolve,  // the name has no address, or the resolver did not answer
    connect,  // no address took the connection
    tls,      // the handshake failed: not TLS, too old, or a certificate that is not accepted
    timeout,  // the deadline passed
  };
  Kind kind = Kind::connect;
  std::string message;  // a short sentence for a person
};

struct Transfer {
  enum class State : std::uint8_t {
    moved,        // `bytes` of them, at least one
    would_block,  // wait, then try again
    ended,        // the peer sends no more
    failed,       // the connection broke
  };
  State state = State::moved;
  std::size_t bytes = 0;
};

}  // namespace tocsin::net
