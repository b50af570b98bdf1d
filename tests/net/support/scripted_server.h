// A server that plays prepared answers, one script per connection, in a thread of its own.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "net/base/mutex.h"
#include "tests/net/support/own_port.h"

namespace tocsin::net {

class ScriptedServer {
 public:
  // How bytes pass through an accepted descriptor, where not as they are
  // (tests/net/support/tls_server.h).
  class Wire {
   public:
    virtual ~Wire() = default;
    // As send(2) and recv(2).
    virtual std::ptrdiff_t send(const char* bytes, std::size_t size) = 0;
    virtual std::ptrdiff_t receive(char* bytes, std::size_t size) = 0;
    // The connection is going to end without a word.
    virtual void cut() = 0;
  };
  using MakeWire = std::function<std::unique_ptr<Wire>(int fd)>;

  // One accepted connection, used by its script only. Closed when the script returns.
  class Connection {
   public:
    explicit Connection(int fd, std::unique_ptr<Wire> wire = nullptr)
        : fd_(fd), wire_(std::move(wire)) {}

    // The next request's head and body (by Content-Length); empty if the client has left.
    std::string read_request() {
      std::size_t head_end = 0;
      while ((head_end = in_.find("\r\n\r\n")) == std::string::npos) {
        if (!receive()) return "";
      }
      const auto field = in_.find("Content-Length: ");
      std::size_t size = head_end + 4;
      if (field < head_end) size += std::strtoul(in_.c_str() + field + 16, nullptr, 10);
      while (in_.size() < size) {
        if (!receive()) return "";
      }
      std::string request = in_.substr(0, size);
      in_.erase(0, size);
      return request;
    }

    // False: the client has left; its test says whether it may.
    bool send(std::string_view bytes) {
      while (!bytes.empty()) {
        const auto sent = wire_ ? wire_->send(bytes.data(), bytes.size())
                                : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
      }
      return true;
    }

    // The client has left so much unread that nothing more can be sent for a while.
    bool is_full() {
      pollfd room{fd_, POLLOUT, 0};
      return ::poll(&room, 1, 100) == 0;
    }

    // One segment a byte: the client sees (nearly) every cut.
    void send_by_bytes(std::string_view bytes) {
      for (const char& byte : bytes) send({&byte, 1});
    }

    // Until the client closes.
    void wait_for_close() {
      while (receive()) {
      }
    }

    // Until the client has sent something, which stays unread.
    void wait_for_bytes() {
      char byte = 0;
      [[maybe_unused]] const auto got = ::recv(fd_, &byte, 1, MSG_PEEK);
    }

    // TLS ends without a close_notify.
    void cut() { wire_->cut(); }

    // RST instead of FIN when the script returns.
    void reset() {
      const linger hard{1, 0};
      setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }

   private:
    bool receive() {
      char buffer[4096];
      const auto got =
          wire_ ? wire_->receive(buffer, sizeof buffer) : ::recv(fd_, buffer, sizeof buffer, 0);
      if (got > 0) in_.append(buffer, static_cast<std::size_t>(got));
      return got > 0;
    }

    int fd_;
    std::unique_ptr<Wire> wire_;
    std::string in_;
  };
  using Script = std::function<void(Connection&)>;

  // Plays scripts[i] on the i-th connection; afterwards nobody listens there, until it goes.
  explicit ScriptedServer(std::vector<Script> scripts, int family = AF_INET,
                          MakeWire make_wire = nullptr)
      : own_port_(family), make_wire_(std::move(make_wire)), listener_(own_port_.listen(64)) {
    thread_ = std::thread([this, s = std::move(scripts)] { play(s); });
  }

  ~ScriptedServer() {
    {
      const MutexLock lock(mutex_);
      shutdown(listener_, SHUT_RDWR);  // wakes accept(2)
      if (current_ >= 0) shutdown(current_, SHUT_RDWR);
      over_ = true;
    }
    thread_.join();
    if (listener_ >= 0) ::close(listener_);
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  [[nodiscard]] int port() const { return own_port_.number(); }
  [[nodiscard]] std::string url(std::string_view target = "/events") const {
    return (make_wire_ ? "https://" : "http://") + own_port_.address() + std::string(target);
  }
  [[nodiscard]] int connections() const { return connections_; }

 private:
  void play(const std::vector<Script>& scripts) {
    for (const Script& script : scripts) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      {
        const MutexLock lock(mutex_);
        current_ = fd;
        if (over_) shutdown(fd, SHUT_RDWR);
      }
      ++connections_;
      {
        Connection connection(fd, make_wire_ ? make_wire_(fd) : nullptr);
        script(connection);
      }
      const MutexLock lock(mutex_);
      current_ = -1;
      ::close(fd);
    }
    const MutexLock lock(mutex_);
    if (!over_) ::close(std::exchange(listener_, -1));
  }

  OwnPort own_port_;
  MakeWire make_wire_;
  int listener_;  // -1 once all scripts are played
  std::atomic<int> connections_ = 0;
  Mutex mutex_;
  int current_ TOCSIN_LOCKS(guarded_by(mutex_)) = -1;  // the connection whose script runs
  bool over_ TOCSIN_LOCKS(guarded_by(mutex_)) = false;
  std::thread thread_;
};

}  // namespace tocsin::net
