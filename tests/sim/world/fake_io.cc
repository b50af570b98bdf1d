#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

#include "proto/limits.h"
#include "tests/sim/world/fake_kernel.h"

namespace tocsin::sim {

using net::Completion;
using net::Op;
using net::Token;

Socket* FakeIo::socket_of(int fd, const char* what) {
  const auto index = static_cast<std::size_t>(fd);
  if (fd >= 0 && index < table().descriptors.size() && table().descriptors[index].socket) {
    return table().descriptors[index].socket.get();
  }
  kernel_.fail(std::string{what} + " on a descriptor that is no open socket");
  return nullptr;
}

FakeKernel::Listener* FakeIo::listener_of(int fd, const char* what) {
  const auto index = static_cast<std::size_t>(fd);
  if (fd >= 0 && index < table().descriptors.size() && table().descriptors[index].listener) {
    return table().descriptors[index].listener.get();
  }
  kernel_.fail(std::string{what} + " on a descriptor that is no listener");
  return nullptr;
}

void FakeIo::accept(int listener, Token token) {
  ++kernel_.counts.accepts;
  FakeKernel::Listener* found = listener_of(listener, "accept");
  if (found == nullptr) return;
  if (found->accept) kernel_.fail("two accepts of one listener");
  found->accept = token;
}

void FakeIo::cancel_accept(int listener) {
  FakeKernel::Listener* found = listener_of(listener, "cancel_accept");
  if (found != nullptr) found->cancelled = found->accept.has_value();
}

bool FakeIo::refuse(int listener, std::string_view bytes) {
  FakeKernel::Listener* found = listener_of(listener, "refuse");
  if (found == nullptr || found->backlog.empty()) return false;
  ++kernel_.counts.refusals;
  const SocketRef socket = found->backlog.front();
  found->backlog.pop_front();
  socket->to_client += bytes;
  socket->accepted = true;
  socket->server_finished = true;
  return true;
}

void FakeIo::receive(int fd, Token token) {
  Socket* socket = socket_of(fd, "receive");
  if (socket == nullptr) return;
  if (socket->receive || socket->hangup) kernel_.fail("two receives or hangups of one descriptor");
  socket->receive = token;
}

void FakeIo::watch(int fd, Token token) {
  Socket* socket = socket_of(fd, "watch");
  if (socket == nullptr) return;
  if (token.op == Op::hangup) {
    if (socket->receive || socket->hangup)
      kernel_.fail("two receives or hangups of one descriptor");
    socket->hangup = token;
    return;
  }
  if (token.op != Op::writable) kernel_.fail("watch for something else");
  if (socket->writable) kernel_.fail("two writables of one descriptor");
  socket->writable = token;
}

void FakeIo::send(std::span<net::SendRequest> requests) {
  for (net::SendRequest& request : requests) {
    ++kernel_.counts.sends;
    Socket* socket = socket_of(request.fd, "send");
    request.result = socket == nullptr ? -EBADF : send_one(*socket, request);
  }
}

std::int64_t FakeIo::send_one(Socket& socket, const net::SendRequest& request) {
  const KernelOptions& options = kernel_.options;
  std::string bytes;
  for (const iovec& piece : request.pieces) {
    bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
  }
  if (bytes.size() != request.bytes) kernel_.fail("a send whose length is not that of its pieces");
  if (bytes.empty()) kernel_.fail("an empty send");
  if (request.pieces.size() > IOV_MAX) kernel_.fail("a send of more pieces than sendmsg(2) takes");
  if (socket.shut_down || socket.server_finished) kernel_.fail("a send after shutdown");
  ++socket.sends;
  if (socket.client_reset) return random_.chance(50) ? -ECONNRESET : -EPIPE;
  std::size_t most = socket.capacity - std::min(socket.capacity, socket.to_client.size());
  if (!socket.script.empty()) {
    const std::int64_t next = socket.script.front();
    socket.script.pop_front();
    if (next < 0) return next;
    most = static_cast<std::size_t>(next);
  } else if (random_.chance(options.starved_send)) {
    ++kernel_.counts.starved_sends;
    return random_.chance(50) ? -ENOBUFS : -ENOMEM;
  } else if (random_.chance(options.full_send)) {
    return -EAGAIN;
  } else if (random_.chance(options.short_send)) {
    most = std::min(most, random_.between(1, bytes.size()));
  }
  if (most == 0) return -EAGAIN;
  bytes.resize(std::min(bytes.size(), most));
  if (socket.client_gone) {
    socket.client_reset = true;  // the answer to what now is sent
  } else {
    socket.to_client += bytes;
  }
  return static_cast<std::int64_t>(bytes.size());
}

void FakeIo::send_last(int fd, std::string_view bytes) {
  Socket* socket = socket_of(fd, "send_last");
  if (socket == nullptr) return;
  const iovec piece{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  (void)send_one(*socket, {.fd = fd, .pieces = {&piece, 1}, .bytes = bytes.size(), .result = 0});
  socket->server_finished = true;
}

bool FakeIo::has_unread(int fd) {
  const Socket* socket = socket_of(fd, "has_unread");
  return socket != nullptr && !socket->to_server.empty();
}

bool FakeIo::is_among_last(int fd) {
  const auto most = static_cast<std::uint64_t>(kernel_.options.descriptors);
  return static_cast<std::uint64_t>(fd) + limits::request_descriptors(most) >= most;
}

std::int64_t FakeIo::receive_now(int fd, std::span<char> buffer) {
  Socket* socket = socket_of(fd, "receive_now");
  if (socket == nullptr) return -EBADF;
  if (socket->client_reset && socket->to_server.empty()) return -ECONNRESET;
  if (socket->to_server.empty()) return socket->client_finished ? 0 : -EAGAIN;
  std::size_t size = std::min(buffer.size(), socket->to_server.size());
  if (random_.chance(kernel_.options.small_receive)) size = random_.between(1, size);
  std::copy_n(socket->to_server.begin(), size, buffer.begin());
  socket->to_server.erase(0, size);
  return static_cast<std::int64_t>(size);
}

void FakeIo::limit_receive_buffer(int fd, std::uint32_t) {
  (void)socket_of(fd, "limit_receive_buffer");
}

net::IpAddress FakeIo::peer_ip(int fd) {
  const Socket* socket = socket_of(fd, "peer_ip");
  if (socket == nullptr || socket->address == 0) return {};
  return *net::IpAddress::parse("192.0.2." + std::to_string(socket->address));
}

void FakeIo::shut_down_sending(int fd) {
  Socket* socket = socket_of(fd, "shut_down_sending");
  if (socket != nullptr) socket->server_finished = true;
}

void FakeIo::shut_down(int fd, bool reset) {
  Socket* socket = socket_of(fd, "shut_down");
  if (socket == nullptr) return;
  socket->shut_down = true;
  socket->server_finished = true;
  if (reset) send_reset(*socket);
}

// The client may lose what it has not read.
void FakeIo::send_reset(Socket& socket) {
  if (socket.server_reset) return;
  socket.server_reset = true;
  socket.to_client.resize(random_.below(socket.to_client.size() + 1));
}

void FakeIo::close(int fd) {
  const auto index = static_cast<std::size_t>(fd);
  Socket* socket = socket_of(fd, "close");
  if (socket == nullptr) return;
  if (socket->receive || socket->hangup || socket->writable) {
    kernel_.fail("close of an armed descriptor");
  }
  // As TCP: unread bytes make it a reset.
  if (!socket->to_server.empty()) send_reset(*socket);
  socket->server_finished = true;
  socket->fd = -1;
  if (socket->completed) table().dead.push_back(*socket->completed);
  table().descriptors[index].socket.reset();
}

// --- completions
// ----------------------------------------------------------------------------------------

void FakeIo::wait(std::uint32_t timeout, std::vector<Completion>& completions) {
  timeout_ms = timeout;
  if (timeout > 0 && while_waiting) while_waiting();
  woken = false;
  for (std::string& bytes : received_) std::ranges::fill(bytes, '\xdd');  // no longer valid
  received_.clear();
  const std::size_t from = completions.size();
  std::vector<SocketRef> sockets;  // an accept adds to the table
  std::vector<FakeKernel::Listener*> listeners;
  for (const auto& descriptor : table().descriptors) {
    if (descriptor.socket) sockets.push_back(descriptor.socket);
    if (descriptor.listener) listeners.push_back(descriptor.listener.get());
  }
  for (FakeKernel::Listener* listener : listeners) complete_accepts(*listener, completions);
  for (const SocketRef& socket : sockets) complete(*socket, completions);
  random_.shuffle(completions, from);
  // A listener's failure is the last of its completions.
  std::vector<Completion> failed;
  std::erase_if(completions, [&](const Completion& c) {
    const bool is = c.token.op == Op::accept && c.result < 0;
    if (is) failed.push_back(c);
    return is;
  });
  completions.insert(completions.end(), failed.begin(), failed.end());
  add_stale(completions, from);
}

void FakeIo::emit(Socket& socket, std::optional<Token>& armed, int result,
                  std::vector<Completion>& out) {
  const Token token = *armed;
  socket.completed = token;
  armed.reset();
  out.push_back({.token = token, .result = result, .data = {}});
}

void FakeIo::complete_accepts(FakeKernel::Listener& listener, std::vector<Completion>& out) {
  if (!listener.accept) return;
  const auto fail = [&](int error) {
    out.push_back({.token = *listener.accept, .result = -error, .data = {}});
    listener.accept.reset();
  };
  // Some may still be taken before the cancellation is seen.
  const bool over = listener.cancelled && random_.chance(50);
  while (!listener.backlog.empty() && !over) {
    if (random_.chance(kernel_.options.late)) return;
    if (kernel_.full(table())) {
      fail(EMFILE);
      return;
    }
    if (random_.chance(kernel_.options.failed_accept)) {
      constexpr int kErrors[] = {EMFILE, ENFILE, ECONNABORTED, ENOBUFS};
      fail(random_.pick(kErrors));
      return;
    }
    const SocketRef socket = listener.backlog.front();
    listener.backlog.pop_front();
    const int fd = kernel_.allocate(table());
    table().descriptors[static_cast<std::size_t>(fd)].socket = socket;
    socket->fd = fd;
    socket->accepted = true;
    out.push_back({.token = *listener.accept, .result = fd, .data = {}});
  }
  if (std::exchange(listener.cancelled, false)) fail(ECANCELED);
}

void FakeIo::complete(Socket& socket, std::vector<Completion>& out) {
  const auto held_back = [&] { return random_.chance(kernel_.options.late); };
  if (FakeKernel::receive_due(socket) && !held_back()) complete_receive(socket, out);
  if (FakeKernel::hangup_due(socket) && !held_back()) {
    emit(socket, socket.hangup, socket.client_reset ? -EPIPE : 0, out);
  }
  if (FakeKernel::writable_due(socket) && !held_back()) {
    emit(socket, socket.writable, socket.client_reset && random_.chance(50) ? -EPIPE : 4, out);
  }
}

void FakeIo::complete_receive(Socket& socket, std::vector<Completion>& out) {
  if (random_.chance(kernel_.options.starved_receive)) {
    emit(socket, socket.receive, -ENOBUFS, out);
    return;
  }
  if (!socket.to_server.empty() && !socket.shut_down) {
    std::size_t size = std::min(limits::kReceiveBuffer, socket.to_server.size());
    if (random_.chance(kernel_.options.small_receive)) size = random_.between(1, size);
    std::string& bytes = received_.emplace_back(socket.to_server.substr(0, size));
    socket.to_server.erase(0, size);
    emit(socket, socket.receive, static_cast<int>(size), out);
    out.back().data = bytes;
    return;
  }
  emit(socket, socket.receive, socket.client_reset ? -ECONNRESET : 0, out);
}

void FakeIo::add_stale(std::vector<Completion>& out, std::size_t from) {
  const auto& dead = table().dead;
  if (dead.empty() || !random_.chance(kernel_.options.stale)) return;
  ++kernel_.counts.stale;
  const Token token = dead[random_.below(dead.size())];
  const auto place = from + random_.below(out.size() - from + 1);
  out.insert(out.begin() + static_cast<std::ptrdiff_t>(place),
             {.token = token, .result = static_cast<int>(random_.between(0, 5)), .data = {}});
}

}  // namespace tocsin::sim
