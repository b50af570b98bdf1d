#include "tests/sim/world/fake_kernel.h"

#include <algorithm>
#include <utility>

namespace tocsin::sim {
namespace {

constexpr std::size_t kFirstDescriptor = 3;

}  // namespace

int FakeKernel::listen(std::size_t shard) {
  Table& table = tables_[shard];
  const int fd = allocate(table);
  table.descriptors[static_cast<std::size_t>(fd)].listener = std::make_unique<Listener>();
  return fd;
}

void FakeKernel::close_listeners() {
  for (Table& table : tables_) {
    for (Descriptor& descriptor : table.descriptors) {
      if (!descriptor.listener) continue;
      if (descriptor.listener->accept) fail("close of a listener that is accepted from");
      for (const SocketRef& waiting : descriptor.listener->backlog) waiting->server_reset = true;
      descriptor.listener.reset();
    }
  }
}

SocketRef FakeKernel::connect(std::uint64_t address) {
  const std::size_t first = random_.below(tables_.size());
  for (std::size_t i = 0; i < tables_.size(); ++i) {
    if (auto socket = connect_to((first + i) % tables_.size(), address)) return socket;
  }
  return nullptr;
}

SocketRef FakeKernel::connect_to(std::size_t shard, std::uint64_t address) {
  for (Descriptor& descriptor : tables_[shard].descriptors) {
    if (!descriptor.listener) continue;
    auto socket = std::make_shared<Socket>();
    socket->address = address;
    socket->shard = shard;
    socket->capacity = random_.between(options.least_capacity, options.most_capacity);
    descriptor.listener->backlog.push_back(socket);
    return socket;
  }
  return nullptr;
}

void FakeKernel::write(Socket& socket, std::string_view bytes) {
  if (socket.client_finished || socket.client_reset || socket.server_reset) return;
  if (socket.accepted && (socket.fd < 0 || socket.shut_down)) {
    // Nobody reads there any more: the answer is a reset, which may overtake what was on its way.
    socket.server_reset = true;
    socket.to_client.resize(random_.below(socket.to_client.size() + 1));
    return;
  }
  socket.to_server += bytes;
}

std::string FakeKernel::read(Socket& socket, std::size_t most) {
  const std::size_t size = std::min(most, socket.to_client.size());
  std::string bytes = socket.to_client.substr(0, size);
  socket.to_client.erase(0, size);
  return bytes;
}

void FakeKernel::reset(Socket& socket) {
  socket.client_finished = true;
  socket.client_reset = true;
  socket.to_client.clear();
  if (random_.chance(50)) socket.to_server.clear();
}

void FakeKernel::close(Socket& socket) {
  socket.client_finished = true;
  socket.client_gone = true;
  socket.to_client.clear();
}

bool FakeKernel::receive_due(const Socket& socket) {
  return socket.receive && (!socket.to_server.empty() || socket.client_finished ||
                            socket.client_reset || socket.shut_down);
}

bool FakeKernel::hangup_due(const Socket& socket) {
  return socket.hangup && (socket.client_finished || socket.client_reset || socket.shut_down);
}

bool FakeKernel::writable_due(const Socket& socket) {
  // As Linux: a third of the buffer has to be free. A peer that only has no more to say is not a
  // reason.
  return socket.writable && (socket.to_client.size() * 3 <= socket.capacity * 2 ||
                             socket.client_reset || socket.shut_down);
}

bool FakeKernel::due(std::size_t shard) const {
  const Table& table = tables_[shard];
  return std::any_of(
      table.descriptors.begin(), table.descriptors.end(), [](const Descriptor& descriptor) {
        if (const Listener* listener = descriptor.listener.get()) {
          return listener->accept && (!listener->backlog.empty() || listener->cancelled);
        }
        const Socket* socket = descriptor.socket.get();
        return socket != nullptr &&
               (receive_due(*socket) || hangup_due(*socket) || writable_due(*socket));
      });
}

std::size_t FakeKernel::open_descriptors() const {
  std::size_t open = 0;
  for (const Table& table : tables_) {
    for (const Descriptor& descriptor : table.descriptors) {
      open += descriptor.socket || descriptor.listener ? 1U : 0U;
    }
  }
  return open;
}

void FakeKernel::widen(std::size_t capacity) {
  const auto widen_one = [&](Socket& socket) {
    socket.capacity = std::max(socket.capacity, capacity);
  };
  for (const Table& table : tables_) {
    for (const Descriptor& descriptor : table.descriptors) {
      if (descriptor.socket) widen_one(*descriptor.socket);
      if (!descriptor.listener) continue;
      for (const SocketRef& waiting : descriptor.listener->backlog) widen_one(*waiting);
    }
  }
  options.least_capacity = std::max(options.least_capacity, capacity);
  options.most_capacity = std::max(options.most_capacity, capacity);
}

bool FakeKernel::full(const Table& table) const {
  if (table.descriptors.size() < static_cast<std::size_t>(options.descriptors)) return false;
  return std::none_of(table.descriptors.begin() + kFirstDescriptor, table.descriptors.end(),
                      [](const Descriptor& d) { return !d.socket && !d.listener; });
}

int FakeKernel::allocate(Table& table) {
  auto& all = table.descriptors;
  if (all.size() < kFirstDescriptor) all.resize(kFirstDescriptor);
  const auto it = std::find_if(all.begin() + kFirstDescriptor, all.end(),
                               [](const Descriptor& d) { return !d.socket && !d.listener; });
  const auto fd = static_cast<int>(it - all.begin());
  if (it == all.end()) all.emplace_back();
  return fd;
}

}  // namespace tocsin::sim
