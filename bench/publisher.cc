#include "bench/publisher.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <deque>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "bench/clock.h"

namespace tocsin::bench {
namespace {

constexpr std::size_t kMaxUnsent = std::size_t{64} * 1024;  // requests written ahead of the socket
constexpr std::string_view kJsonOpen = "{\"data\":\"";
constexpr std::string_view kJsonClose = "\"}\n";

struct Connection {
  int fd = -1;
  std::uint16_t lane = 0;
  std::string unsent;
  std::size_t sent = 0;  // of unsent
  AnswerReader answers;
  std::uint64_t requests = 0;

  [[nodiscard]] std::uint64_t outstanding() const {
    return requests - answers.good() - answers.bad();
  }
};

class Run {
 public:
  Run(const PublisherOptions& options, const PayloadFormat& format,
      const std::function<std::uint64_t()>& delivered, std::atomic<std::uint64_t>& count);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  PublishResult run();

 private:
  bool open();
  void loop();
  [[nodiscard]] bool is_over(std::uint64_t now) const;
  [[nodiscard]] std::uint32_t allowance(std::uint64_t now);
  bool append(Connection& connection, std::uint64_t now);
  void append_event(Connection& connection, std::uint64_t now);
  bool flush(Connection& connection);
  bool read(Connection& connection);
  void fail(std::string why) {
    if (result_.error.empty()) result_.error = std::move(why);
    failed_ = true;
  }

  const PublisherOptions& options_;
  const PayloadFormat& format_;
  const std::function<std::uint64_t()>& delivered_;
  std::atomic<std::uint64_t>& count_;
  std::string head_;
  std::uint32_t events_per_request_;
  std::deque<Connection> connections_;
  PublishResult result_;
  std::uint64_t start_ns_ = 0;
  std::uint64_t each_goal_ = 0;  // deliveries that end the wait for the event on its way
  std::uint64_t each_deadline_ = 0;
  bool failed_ = false;
};

Run::Run(const PublisherOptions& options, const PayloadFormat& format,
         const std::function<std::uint64_t()>& delivered, std::atomic<std::uint64_t>& count)
    : options_(options),
      format_(format),
      delivered_(delivered),
      count_(count),
      events_per_request_(std::max(options.batch, 1U)),
      connections_(options.connections) {
  const std::size_t line = kJsonOpen.size() + format.bytes() + kJsonClose.size();
  head_ = fmt::format(
      "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
      options.path, options.host, options.batch == 0 ? "text/plain" : "application/x-ndjson",
      options.batch == 0 ? format.bytes() : options.batch * line);
  result_.published.resize(options.connections);
}

Run::~Run() {
  for (const Connection& connection : connections_) {
    if (connection.fd >= 0) close(connection.fd);
  }
}

bool Run::open() {
  std::uint16_t lane = 0;
  for (Connection& connection : connections_) {
    connection.lane = lane++;
    connection.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto* to = reinterpret_cast<const sockaddr*>(&options_.server);
    const int one = 1;
    if (connection.fd < 0 || connect(connection.fd, to, sizeof options_.server) < 0) {
      fail(fmt::format("connecting the publisher: {}", std::strerror(errno)));
      return false;
    }
    setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }
  return true;
}

bool Run::is_over(std::uint64_t now) const {
  if (failed_) return true;
  if (options_.events > 0 && result_.events >= options_.events) return true;
  return options_.seconds > 0 && static_cast<double>(now - start_ns_) >= options_.seconds * 1e9;
}

// How many events may be published now.
std::uint32_t Run::allowance(std::uint64_t now) {
  constexpr std::uint32_t kMany = 1024;
  if (options_.mode == PublishMode::each) {
    if (result_.events > 0 && delivered_() < each_goal_) {
      if (now < each_deadline_) return 0;
      ++result_.timeouts;
    }
    each_goal_ = delivered_() + options_.subscribers;
    each_deadline_ = now + static_cast<std::uint64_t>(options_.each_timeout_s * 1e9);
    return 1;
  }
  if (options_.mode == PublishMode::rate) {
    const double due = static_cast<double>(now - start_ns_) * 1e-9 * options_.events_per_s;
    const double owed = due + 1 - static_cast<double>(result_.events);
    return owed < 1 ? 0 : static_cast<std::uint32_t>(std::min<double>(owed, kMany));
  }
  if (options_.ahead > 0 && options_.subscribers > 0) {
    const std::uint64_t ahead = result_.events - (delivered_() / options_.subscribers);
    if (ahead >= options_.ahead) return 0;
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(options_.ahead - ahead, kMany));
  }
  return kMany;
}

void Run::append_event(Connection& connection, std::uint64_t now) {
  Stamp stamp{
      .lane = connection.lane, .number = result_.published[connection.lane]++, .sent_at_ns = now};
  if (options_.mode == PublishMode::rate) {
    // The time at which it was due: a publisher held up by the server must not hide the delay.
    stamp.sent_at_ns = start_ns_ + static_cast<std::uint64_t>(static_cast<double>(result_.events) *
                                                              1e9 / options_.events_per_s);
  }
  const std::size_t at = connection.unsent.size();
  connection.unsent.resize(at + format_.bytes());
  format_.write(stamp, connection.unsent.data() + at);
  ++result_.events;
}

// One request. False: the connection takes none now.
bool Run::append(Connection& connection, std::uint64_t now) {
  if (connection.outstanding() >= options_.in_flight) return false;
  if (connection.unsent.size() >= kMaxUnsent) return false;
  connection.unsent += head_;
  if (options_.batch == 0) append_event(connection, now);
  for (std::uint32_t i = 0; i < options_.batch; ++i) {
    connection.unsent += kJsonOpen;
    append_event(connection, now);
    connection.unsent += kJsonClose;
  }
  ++connection.requests;
  ++result_.requests;
  count_.store(result_.events, std::memory_order_relaxed);
  return true;
}

bool Run::flush(Connection& connection) {
  if (connection.unsent.empty()) return false;
  const char* data = connection.unsent.data() + connection.sent;
  const std::size_t size = connection.unsent.size() - connection.sent;
  const ssize_t sent = send(connection.fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && errno == EAGAIN) return false;
  if (sent < 0) {
    fail(fmt::format("publishing: {}", std::strerror(errno)));
    return false;
  }
  connection.sent += static_cast<std::size_t>(sent);
  if (connection.sent == connection.unsent.size()) {
    connection.unsent.clear();
    connection.sent = 0;
  }
  return true;
}

bool Run::read(Connection& connection) {
  if (connection.outstanding() == 0) return false;
  std::array<char, 65536> buffer;  // not cleared: written by recv, read only so far
  const ssize_t got = recv(connection.fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return false;
  if (got <= 0) {
    fail("the server closed the publisher's connection");
  } else if (!connection.answers.feed({buffer.data(), static_cast<std::size_t>(got)})) {
    fail("not an answer to a publish: " + connection.answers.text().substr(0, 300));
  }
  return true;
}

void Run::loop() {
  std::vector<pollfd> waits(connections_.size());
  for (;;) {
    const std::uint64_t now = now_ns();
    bool over = is_over(now);
    bool moved = false;
    std::uint32_t allowed = over ? 0 : allowance(now);
    std::size_t i = 0;
    for (Connection& connection : connections_) {
      while (allowed >= 1 && !is_over(now) && append(connection, now)) {
        allowed -= std::min(allowed, events_per_request_);
        moved = true;
      }
      moved |= flush(connection);
      moved |= read(connection);
      const bool more = !connection.unsent.empty();
      const int wanted = more ? POLLIN | POLLOUT : POLLIN;
      waits[i++] = {.fd = connection.fd, .events = static_cast<short>(wanted), .revents = 0};
    }
    over = is_over(now);
    const bool waiting = std::any_of(connections_.begin(), connections_.end(),
                                     [](const Connection& c) { return c.outstanding() > 0; });
    if (failed_ || (over && !waiting)) return;
    if (moved) continue;
    // The receivers may share this core: sleep, don't spin. 200 us is short against one fan-out.
    if (waiting) {
      poll(waits.data(), waits.size(), 1);
    } else {
      sleep_us(200);
    }
  }
}

PublishResult Run::run() {
  const std::uint64_t cpu_before = thread_cpu_ns();
  if (open()) {
    start_ns_ = now_ns();
    loop();
    result_.duration_ns = now_ns() - start_ns_;
  }
  result_.cpu_ns = thread_cpu_ns() - cpu_before;
  for (const Connection& connection : connections_) {
    result_.refused += connection.answers.bad();
    if (result_.error.empty()) result_.error = connection.answers.first_bad();
  }
  return std::move(result_);
}

// The value of Content-Length in a head; nothing if it is absent or no number.
std::optional<std::size_t> content_length(std::string_view head) {
  constexpr std::string_view kName = "\r\ncontent-length:";
  for (std::size_t at = head.find("\r\n"); at != std::string_view::npos;
       at = head.find("\r\n", at + 2)) {
    const std::string_view line = head.substr(at, kName.size());
    const bool same = std::equal(line.begin(), line.end(), kName.begin(), kName.end(),
                                 [](char a, char b) { return a == b || (a | 0x20) == b; });
    if (!same) continue;
    std::string_view value = head.substr(at + kName.size());
    value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
    std::size_t length = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
    return error == std::errc() ? std::optional(length) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

bool AnswerReader::feed(std::string_view bytes) {
  text_ += bytes;
  std::size_t at = 0;
  for (;;) {
    const std::string_view left = std::string_view(text_).substr(at);
    const std::size_t head = left.find("\r\n\r\n");
    if (head == std::string_view::npos) break;
    if (!left.starts_with("HTTP/1.1 ")) return false;
    const bool is_good = left[9] == '2';
    const bool no_body = left.substr(9, 3) == "204";
    const auto length = no_body ? std::size_t{0} : content_length(left.substr(0, head + 2));
    if (!length) return false;
    const std::size_t size = head + 4 + *length;
    if (left.size() < size) break;
    if (!is_good && bad_ == 0) first_bad_ = left.substr(0, std::min<std::size_t>(size, 500));
    ++(is_good ? good_ : bad_);
    at += size;
  }
  text_.erase(0, at);
  return text_.size() < 65536;
}

PublishResult publish(const PublisherOptions& options, const PayloadFormat& format,
                      const std::function<std::uint64_t()>& delivered,
                      std::atomic<std::uint64_t>& count) {
  return Run(options, format, delivered, count).run();
}

}  // namespace tocsin::bench
