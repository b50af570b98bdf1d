#include "tests/net/support/test_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <stdexcept>
#include <utility>

namespace tocsin::net {
namespace {

// Far beyond what a loaded machine under a sanitizer needs: passing it is a failure.
constexpr auto kDeadline = std::chrono::seconds(30);

sockaddr_in parse_address(const std::string& address) {
  const auto colon = address.rfind(':');
  sockaddr_in result{};
  result.sin_family = AF_INET;
  if (colon != std::string::npos) {
    result.sin_port = htons(static_cast<std::uint16_t>(std::atoi(address.c_str() + colon + 1)));
  }
  if (::inet_pton(AF_INET, address.substr(0, colon).c_str(), &result.sin_addr) != 1) {
    throw std::runtime_error("not an address: " + address);
  }
  return result;
}

}  // namespace

std::string TestResponse::header(const std::string& name) const {
  const std::string line = "\r\n" + name + ": ";
  const auto begin = head.find(line);
  if (begin == std::string::npos) return "";
  const auto value = begin + line.size();
  return head.substr(value, head.find("\r\n", value) - value);
}

TestClient::TestClient(const std::string& address, int receive_buffer, const std::string& source)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (receive_buffer > 0) {
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
  }
  const int one = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  if (!source.empty()) {
    const sockaddr_in local = parse_address(source);
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&local), sizeof(local)) != 0) fail("bind");
  }
  const sockaddr_in remote = parse_address(address);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&remote), sizeof(remote)) != 0) {
    fail("connect");
  }
}

TestClient::TestClient(TestClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), unread_(std::move(other.unread_)) {}

TestClient& TestClient::operator=(TestClient&& other) noexcept {
  close();
  fd_ = std::exchange(other.fd_, -1);
  unread_ = std::move(other.unread_);
  return *this;
}

void TestClient::fail(const std::string& what) const {
  throw std::runtime_error(what + ": " + std::strerror(errno) + "; unread: '" +
                           unread_.substr(0, 2000) + "'");
}

bool TestClient::wait_for_io(short events) {
  pollfd poll_fd{.fd = fd_, .events = events, .revents = 0};
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(kDeadline).count();
  return ::poll(&poll_fd, 1, static_cast<int>(ms)) > 0;
}

void TestClient::send(std::string_view bytes) {
  if (!try_send(bytes)) fail("send");
}

bool TestClient::try_send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno != EAGAIN || !wait_for_io(POLLOUT)) {
      return false;
    }
  }
  return true;
}

bool TestClient::receive() {
  if (!wait_for_io(POLLIN)) {
    errno = ETIMEDOUT;
    fail("nothing came");
  }
  std::array<char, 65536> buffer;
  const ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), 0);
  if (n < 0) fail("receive");
  unread_.append(buffer.data(), static_cast<std::size_t>(n));
  return n > 0;
}

std::string TestClient::read_until(std::string_view text) {
  std::size_t found = 0;
  while ((found = unread_.find(text)) == std::string::npos) {
    if (!receive()) {
      errno = 0;
      fail("the connection ended before '" + std::string(text) + "'");
    }
  }
  std::string taken = unread_.substr(0, found + text.size());
  unread_.erase(0, taken.size());
  return taken;
}

TestResponse TestClient::response(bool head_only) {
  TestResponse result;
  result.head = read_until("\r\n\r\n");
  if (!result.head.starts_with("HTTP/1.1 ")) fail("not a response: " + result.head);
  result.status = std::atoi(result.head.c_str() + 9);
  const std::string length = result.header("Content-Length");
  if (length.empty() || head_only) return result;
  const std::size_t size = std::strtoul(length.c_str(), nullptr, 10);
  while (unread_.size() < size) {
    if (!receive()) fail("the body is short");
  }
  result.body = unread_.substr(0, size);
  unread_.erase(0, size);
  return result;
}

std::string TestClient::read_to_end() {
  while (receive()) {
  }
  return std::exchange(unread_, {});
}

void TestClient::wait_closed() {
  for (;;) {
    if (!wait_for_io(POLLIN)) {
      errno = ETIMEDOUT;
      fail("the connection stays open");
    }
    std::array<char, 65536> buffer;
    if (::recv(fd_, buffer.data(), buffer.size(), 0) <= 0) return;
  }
}

void TestClient::half_close() {
  ::shutdown(fd_, SHUT_WR);
}

void TestClient::reset() {
  const linger hard{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
  close();
}

void TestClient::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

TestSubscriber::TestSubscriber(const std::string& address, const std::string& target,
                               const std::string& fields, int receive_buffer,
                               const std::string& source)
    : client_(address, receive_buffer, source), parser_([this](const proto::ReceivedEvent& event) {
        events_.push_back(
            {std::string(event.type), std::string(event.data), std::string(event.last_event_id)});
      }) {
  client_.send("GET " + target + " HTTP/1.1\r\nHost: hub\r\n" + fields + "\r\n");
  response_ = client_.response();
  if (response_.status != 200) {
    throw std::runtime_error("no stream: " + response_.head + response_.body);
  }
  const auto greeted = [this] {
    const auto retry = bytes_.find("\nretry: ");
    return retry != std::string::npos && bytes_.find('\n', retry + 1) != std::string::npos;
  };
  while (!greeted()) {
    if (!read_more()) throw std::runtime_error("the stream ended before its greeting: " + bytes_);
  }
}

bool TestSubscriber::read_more() {
  if (client_.unread().empty() && !client_.receive()) return false;
  std::string body = std::exchange(client_.unread(), {});
  if (is_chunked()) body = chunks_.feed(body);
  if (!chunks_.error().empty()) throw std::runtime_error(chunks_.error());
  bytes_ += body;
  if (!parser_.feed(body)) throw std::runtime_error("the parser's limit was passed");
  return true;
}

void TestSubscriber::wait_until(const std::function<bool()>& done) {
  // Heartbeats may come for ever.
  const auto end = std::chrono::steady_clock::now() + 2 * kDeadline;
  while (!done()) {
    if (std::chrono::steady_clock::now() > end || !read_more()) {
      throw std::runtime_error("no more came after " + std::to_string(events_.size()) +
                               " events: " + bytes_.substr(0, 2000));
    }
  }
}

const std::vector<TestEvent>& TestSubscriber::wait_events(std::size_t count) {
  wait_until([&] { return events_.size() >= count; });
  return events_;
}

std::vector<std::string> TestSubscriber::wait_data(std::size_t count) {
  wait_events(count);
  std::vector<std::string> data;
  for (std::size_t i = 0; i < count; ++i) data.push_back(events_[i].data);
  return data;
}

void TestSubscriber::wait_end() {
  try {
    while (read_more()) {
    }
  } catch (const std::runtime_error&) {
    if (errno != ECONNRESET) throw;
    was_reset_ = true;
  }
}

std::string post(const std::string& query, std::string_view data, const std::string& fields) {
  return "POST /publish?" + query + " HTTP/1.1\r\nHost: hub\r\n" + fields +
         "Content-Length: " + std::to_string(data.size()) + "\r\n\r\n" + std::string(data);
}

bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    ::poll(nullptr, 0, 2);  // somebody else's turn
  }
  return true;
}

std::uint64_t test_seed() {
  const char* given = std::getenv("TOCSIN_SEED");
  const std::uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::printf("TOCSIN_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

}  // namespace tocsin::net
