#include "tests/sim/world/sim_clients.h"

#include <charconv>

#include "tests/sim/world/sim_world.h"

namespace tocsin::sim {

std::string SimResponse::header(std::string_view name) const {
  const std::string field = "\r\n" + std::string{name} + ": ";
  const std::size_t at = head.find(field);
  if (at == std::string::npos) return {};
  const std::size_t begin = at + field.size();
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

std::optional<SimResponse> SimResponses::next() {
  const std::size_t end = bytes_.find("\r\n\r\n");
  if (end == std::string::npos) return std::nullopt;
  SimResponse response;
  response.head = bytes_.substr(0, end + 2);
  if (!response.head.starts_with("HTTP/1.1 ") || response.head.size() < 12) response.status = -1;
  std::from_chars(response.head.data() + 9, response.head.data() + 12, response.status);
  const std::string length = response.header("Content-Length");
  std::size_t size = 0;
  std::from_chars(length.data(), length.data() + length.size(), size);
  if (bytes_.size() < end + 4 + size) return std::nullopt;
  response.body = bytes_.substr(end + 4, size);
  bytes_.erase(0, end + 4 + size);
  return response;
}

// --- those that mean no good
// --------------------------------------------------------------------------

void Nuisance::act(World& world) {
  if (socket_ && FakeKernel::at_end(*socket_)) {
    socket_.reset();
    again_ = world.random.chance(50);
  }
  if (!socket_) {
    if (again_ && !world.quiet && !world.ending && world.random.chance(5)) {
      socket_ = world.kernel.connect(99);
    }
    return;
  }
  if (kind_ != Kind::deaf) (void)FakeKernel::read(*socket_, SIZE_MAX);
  switch (kind_) {
    case Kind::silent:
      return;
    case Kind::garbage: {
      std::string bytes;
      for (std::uint64_t n = world.random.below(200); n > 0; --n) {
        bytes += static_cast<char>(world.random.below(256));
      }
      if (world.random.chance(30)) world.kernel.write(*socket_, bytes);
      return;
    }
    case Kind::slow_head: {
      constexpr std::string_view kHead = "GET /events HTTP/1.1\r\nHost: h\r\nX-Long: ";
      if (socket_->sends == 0 && socket_->to_server.empty() && world.random.chance(20)) {
        world.kernel.write(*socket_, kHead.substr(world.random.below(30), 1));
      }
      return;
    }
    case Kind::deaf:
      if (socket_->to_server.size() < 4096 && !world.quiet) {
        for (int i = 0; i < 8; ++i) {
          world.kernel.write(*socket_, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
        }
      }
      return;
  }
}

void Nuisance::finish(World& world) {
  if (socket_ && socket_->accepted && socket_->fd >= 0) world.fail("a nuisance is still connected");
}

}  // namespace tocsin::sim
