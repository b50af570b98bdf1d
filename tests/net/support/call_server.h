// A server that answers each request as a function of the test does, on any number of connections
// at once: the back end that a hub asks.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "net/base/mutex.h"
#include "tests/net/support/scripted_server.h"

namespace tocsin::net {

class CallServer {
 public:
  // Answers a request over its connection; false: the connection ends. It may block until its
  // client leaves. Several run at once.
  using Answer =
      std::function<bool(ScriptedServer::Connection& connection, const std::string& request)>;

  explicit CallServer(Answer answer, ScriptedServer::MakeWire make_wire = nullptr)
      : answer_(std::move(answer)), make_wire_(std::move(make_wire)), listener_(port_.listen(256)) {
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~CallServer() {
    {
      const MutexLock lock(mutex_);
      over_ = true;
      shutdown(listener_, SHUT_RDWR);  // wakes accept(2)
      for (const int fd : open_) shutdown(fd, SHUT_RDWR);
    }
    acceptor_.join();
    for (std::thread& thread : threads_) thread.join();
    ::close(listener_);
  }
  CallServer(const CallServer&) = delete;
  CallServer& operator=(const CallServer&) = delete;

  [[nodiscard]] std::string url(std::string_view target = "/ask") const {
    return (make_wire_ ? "https://" : "http://") + port_.address() + std::string(target);
  }
  [[nodiscard]] int requests() const { return requests_; }
  [[nodiscard]] int connections() const { return connections_; }

 private:
  void accept_all() {
    while (true) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      ++connections_;
      const MutexLock lock(mutex_);
      if (over_) {
        ::close(fd);
        return;
      }
      open_.push_back(fd);
      threads_.emplace_back([this, fd] { serve(fd); });
    }
  }
  void serve(int fd) {
    {
      ScriptedServer::Connection connection(fd, make_wire_ ? make_wire_(fd) : nullptr);
      while (true) {
        const std::string request = connection.read_request();
        if (request.empty()) break;
        ++requests_;
        if (!answer_(connection, request)) break;
      }
    }
    const MutexLock lock(mutex_);
    std::erase(open_, fd);
    ::close(fd);
  }

  const Answer answer_;
  const ScriptedServer::MakeWire make_wire_;
  OwnPort port_;
  const int listener_;
  std::atomic<int> requests_ = 0;
  std::atomic<int> connections_ = 0;
  Mutex mutex_;
  bool over_ TOCSIN_LOCKS(guarded_by(mutex_)) = false;
  std::vector<int> open_ TOCSIN_LOCKS(guarded_by(mutex_));
  std::thread acceptor_;
  std::vector<std::thread> threads_;  // the acceptor's, until it has ended
};

// An answer with a length, after which the connection goes on.
[[nodiscard]] inline std::string http_answer(int status, std::string_view body,
                                             const std::string& fields = {}) {
  return "HTTP/1.1 " + std::to_string(status) + " Said\r\n" + fields +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

}  // namespace tocsin::net
