// How connections of clients fail.
#pragma once

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

}  // namespace tocsin::net
