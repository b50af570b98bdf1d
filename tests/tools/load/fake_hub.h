// A hub of a few lines that does what a test wants of a bad one: a thread for each connection.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "net/base/mutex.h"
#include "tests/net/support/scripted_server.h"

namespace tocsin::load {

inline constexpr std::string_view kStreamHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

// A GET opens a stream, a POST publishes its body to all that are open of the same topic, which
// stands behind "topic=" in the URL.
class FakeHub {
 public:
  using Connection = net::ScriptedServer::Connection;
  struct Ways {
    // What the n-th GET is answered with, from 0. A stream's head makes a stream of it; empty: it
    // is never answered; anything else is sent, and the connection closed.
    std::function<std::string(int n, const std::string& request)> head = [](int, const auto&) {
      return std::string(kStreamHead);
    };
    // What every stream is sent for the n-th event.
    std::function<std::string(int n, const std::string& data)> frame =
        [](int, const std::string& data) { return "data: " + data + "\n\n"; };
    // What the publisher is answered, after the frames were sent.
    std::string answer = "HTTP/1.1 204 No Content\r\n\r\n";
    // What every stream is sent when a publisher has closed its connection, a moment later.
    std::function<std::string()> late = [] { return std::string(); };
  };

  explicit FakeHub(Ways ways)
      : ways_(std::move(ways)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener_, raw, size) != 0 || listen(listener_, 64) != 0 ||
        getsockname(listener_, raw, &size) != 0) {
      std::perror("fake hub");
      std::abort();
    }
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~FakeHub() {
    is_over_ = true;
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    {
      const net::MutexLock lock(mutex_);
      for (const Peer& peer : peers_) shutdown(peer.fd, SHUT_RDWR);
    }
    for (Peer& peer : peers_) {
      peer.thread.join();
      close(peer.fd);
    }
    close(listener_);
  }
  FakeHub(const FakeHub&) = delete;
  FakeHub& operator=(const FakeHub&) = delete;

  [[nodiscard]] std::string url(std::string_view target = "") const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(target);
  }
  [[nodiscard]] int events() const { return events_; }
  [[nodiscard]] int gets() const { return gets_; }

 private:
  struct Peer {
    int fd;
    bool is_stream = false;
    std::string topic{};
    std::thread thread{};
  };

  void accept_all() {
    for (int fd = 0; (fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
      const net::MutexLock lock(mutex_);
      Peer& peer = peers_.emplace_back(Peer{.fd = fd});
      peer.thread = std::thread([this, &peer] { serve(peer); });
    }
  }

  void serve(Peer& peer) {
    Connection connection(peer.fd);
    bool is_publisher = false;
    for (std::string request; !(request = connection.read_request()).empty();) {
      if (request.starts_with("POST")) {
        is_publisher = true;
        publish(topic_of(request), request.substr(request.find("\r\n\r\n") + 4));
        connection.send(ways_.answer);
        continue;
      }
      const std::string head = ways_.head(gets_++, request);
      if (!head.empty() && !head.starts_with(kStreamHead)) {
        connection.send(head);
        break;
      }
      const net::MutexLock lock(mutex_);
      // In one piece with becoming a stream: what is published from now on comes behind it.
      connection.send(head);
      peer.is_stream = !head.empty();
      peer.topic = topic_of(request);
    }
    // Long enough that whoever does not wait for it is gone.
    if (is_publisher && !is_over_) poll(nullptr, 0, 50);
    const net::MutexLock lock(mutex_);
    if (is_publisher) send_to_all(ways_.late());
    peer.is_stream = false;
    shutdown(peer.fd, SHUT_RDWR);  // closed by the destructor, so that nobody else gets its number
  }

  static std::string topic_of(const std::string& request) {
    const auto at = request.find("topic=") + 6;
    return request.substr(at, request.find(' ', at) - at);
  }

  void publish(const std::string& topic, const std::string& data) {
    const net::MutexLock lock(mutex_);
    send_to_all(ways_.frame(events_++, data), topic);
  }

  void send_to_all(const std::string& bytes, const std::string& topic = {})
      TOCSIN_LOCKS(requires_capability(mutex_)) {
    for (const Peer& peer : peers_) {
      if (peer.is_stream && (topic.empty() || peer.topic == topic)) Connection(peer.fd).send(bytes);
    }
  }

  const Ways ways_;
  const int listener_;
  int port_ = 0;
  std::atomic<bool> is_over_ = false;
  std::atomic<int> events_ = 0;
  std::atomic<int> gets_ = 0;
  net::Mutex mutex_;
  std::list<Peer> peers_;  // grows under mutex_; is_stream is guarded by it
  std::thread acceptor_;
};

}  // namespace tocsin::load
