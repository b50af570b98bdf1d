// Blocking HTTP clients for tests of the real server. Every wait ends at a deadline: then, and at
// errors, they throw std::runtime_error with what had arrived, which fails the test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/sse/sse_parser.h"
#include "tests/proto/http/chunk_reader.h"

namespace tocsin::net {

struct TestResponse {
  int status = 0;
  std::string head;  // with its empty line
  std::string body;

  // The value of a field, empty if there is none. `name` as the server writes it.
  [[nodiscard]] std::string header(const std::string& name) const;
};

class TestClient {
 public:
  // `address`: ADDR:PORT, IPv4. `receive_buffer`: SO_RCVBUF, 0: the kernel's choice. `source`: the
  // local address, empty: the kernel's choice.
  explicit TestClient(const std::string& address, int receive_buffer = 0,
                      const std::string& source = {});
  // Takes over a connected socket.
  static TestClient adopt(int fd) { return TestClient(fd); }
  ~TestClient() { close(); }
  TestClient(TestClient&& other) noexcept;
  TestClient& operator=(TestClient&& other) noexcept;

  void send(std::string_view bytes);
  // False: the server has reset the connection, or takes no more.
  [[nodiscard]] bool try_send(std::string_view bytes);

  // The next response; the body by Content-Length, or none. `head_only`: the answer to HEAD.
  TestResponse response(bool head_only = false);
  TestResponse request(std::string_view bytes) {
    send(bytes);
    return response();
  }

  // Until `text` has arrived; returns everything up to its end and takes it out.
  std::string read_until(std::string_view text);
  // More bytes than there were; false: the end of the stream. Throws at a reset.
  bool receive();
  // Everything until the end of the stream. Throws at a reset.
  std::string read_to_end();
  // Reads and drops until the server has ended or reset the connection.
  void wait_closed();

  void half_close();
  // Closes with RST.
  void reset();
  void close();

  // What has arrived and was not taken.
  std::string& unread() { return unread_; }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  explicit TestClient(int fd) : fd_(fd) {}
  // False at the deadline.
  bool wait_for_io(short events);
  [[noreturn]] void fail(const std::string& what) const;

  int fd_ = -1;
  std::string unread_;
};

struct TestEvent {
  std::string type;
  std::string data;
  std::string id;

  friend bool operator==(const TestEvent&, const TestEvent&) = default;
};

// A stream being read. The constructor waits for the head and the greeting.
class TestSubscriber {
 public:
  // `fields`: header lines, each with its CRLF. `limit_reading`: a small SO_RCVBUF.
  explicit TestSubscriber(const std::string& address, const std::string& target = "/events",
                          const std::string& fields = {}, int receive_buffer = 0,
                          const std::string& source = {});
  TestSubscriber(const TestSubscriber&) = delete;
  TestSubscriber& operator=(const TestSubscriber&) = delete;

  // Reads until there are `count` events since the beginning.
  const std::vector<TestEvent>& wait_events(std::size_t count);
  // Reads until `done` holds for what has arrived.
  void wait_until(const std::function<bool()>& done);
  // The data of the first `count` events.
  std::vector<std::string> wait_data(std::size_t count);
  // Reads to the end of the stream (or a reset).
  void wait_end();

  [[nodiscard]] const std::vector<TestEvent>& events() const { return events_; }
  [[nodiscard]] const TestResponse& response() const { return response_; }
  [[nodiscard]] const proto::SseParser& parser() const { return parser_; }
  // All bytes of the body so far, without chunks' heads and tails.
  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] bool is_chunked() const {
    return response_.header("Transfer-Encoding") == "chunked";
  }
  // After wait_end(): the body came to its end; of one that ends with the connection, that was no
  // reset.
  [[nodiscard]] bool ended_properly() const {
    return is_chunked() ? chunks_.ended() && !was_reset_ : !was_reset_;
  }
  TestClient& client() { return client_; }

 private:
  bool read_more();

  TestClient client_;
  TestResponse response_;
  std::string bytes_;
  proto::ChunkReader chunks_;
  std::vector<TestEvent> events_;
  proto::SseParser parser_;
  bool was_reset_ = false;
};

// "POST /publish..." with `data` as text. `query`: what follows '?'.
[[nodiscard]] std::string post(const std::string& query, std::string_view data,
                               const std::string& fields = {});

// Until `condition` holds; false at the deadline.
[[nodiscard]] bool eventually(const std::function<bool()>& condition);

// N of a gtest test's random choices: TOCSIN_SEED, or a new one; printed.
[[nodiscard]] std::uint64_t test_seed();

}  // namespace tocsin::net
