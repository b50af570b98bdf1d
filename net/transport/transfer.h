// What one attempt to send or to receive came to.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tocsin::net {

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
