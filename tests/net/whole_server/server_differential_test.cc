// One script of requests and events against both backends: what every client receives must be the
// same, byte for byte.
#include <deque>
#include <map>
#include <random>
#include <regex>

#include <gtest/gtest.h>

#include "net/io/uring.h"
#include "net/log.h"
#include "net/server.h"
#include "net/state/server_state.h"
#include "tests/net/support/test_client.h"

namespace tocsin::net {
namespace {

constexpr int kSteps = 400;

// What differs from run to run by design.
std::string normalised(const std::string& bytes) {
  static const std::regex epoch("[0-9a-f]{8}-([0-9]+)");
  static const std::regex retry("retry: [0-9]+");
  static const std::regex retry_after("Retry-After: [0-9]+");
  static const std::regex date("Date: [A-Z][^\r]*");
  std::string text = std::regex_replace(bytes, epoch, "EPOCH-$1");
  text = std::regex_replace(text, retry, "retry: N");
  text = std::regex_replace(text, date, "Date: D");
  return std::regex_replace(text, retry_after, "Retry-After: N");
}

class Script {
 public:
  Script(IoChoice io, std::uint64_t seed) : random_(seed) {
    ServerOptions options;
    options.listen = {"127.0.0.1:0"};
    options.shards = 1;
    options.io = io;
    options.heartbeat_s = 0;
    options.history_count = 20;
    options.max_connections = 8;
    auto started = Server::start(options);
    if (!started) throw std::runtime_error(started.error());
    server_ = std::move(*started);
    publisher_ = std::make_unique<TestClient>(server_->addresses().front());
  }

  // What each client received, in the order of their coming.
  std::vector<std::string> run() {
    for (int i = 0; i < kSteps; ++i) step();
    while (!open_.empty()) close_one();
    return transcripts_;
  }

 private:
  struct Stream {
    std::unique_ptr<TestSubscriber> reader;
    std::string topic;
  };

  std::size_t below(std::size_t n) { return random_() % n; }
  std::string topic() { return "t" + std::to_string(below(4)); }

  void step() {
    switch (below(10)) {
      case 0:
      case 1:
        open_one();
        return;
      case 2:
        if (!open_.empty()) close_one();
        return;
      case 3:
        ask_badly();
        return;
      case 4:
        publish_batch();
        return;
      default:
        publish_text();
    }
  }

  void exchange(const std::string& request) {
    const TestResponse response = publisher_->request(request);
    transcripts_.push_back(normalised(response.head + response.body));
  }
  void publish_text() {
    const std::string own_id = below(5) == 0 ? "&id=own" + std::to_string(below(30)) : "";
    const std::string envelope = below(5) == 0 ? "&envelope=true" : "";
    exchange(post("stream=" + topic() + own_id + envelope,
                  std::string(1 + below(3000), 'x') + "\n" + std::to_string(random_())));
  }
  void publish_batch() {
    std::string lines;
    for (std::size_t i = 0; i < 1 + below(8); ++i) {
      lines += "{\"stream\":\"" + topic() + "\",\"data\":" + std::to_string(random_()) + "}\n";
    }
    if (below(4) == 0) lines += "{\"data\":\n";
    exchange(post("stream=t0", lines, "Content-Type: application/x-ndjson\r\n"));
  }
  void ask_badly() {
    const std::vector<std::string> requests{
        "GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n",
        "DELETE /events HTTP/1.1\r\nHost: h\r\n\r\n",
        "bad\r\n\r\n",
        "GET /events?stream=%0a HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST /publish HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999\r\n\r\n",
        "OPTIONS /publish HTTP/1.1\r\nHost: h\r\n\r\n",
        "OPTIONS /events HTTP/1.1\r\nHost: h\r\n"
        "Access-Control-Request-Headers: baggage,traceparent\r\n\r\n",
        "GET /events?topics=a,b HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /publish?channel=a&msg=b HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        "HEAD /events HTTP/1.1\r\nHost: h\r\n\r\n"};
    TestClient client(server_->addresses().front());
    client.send(requests[below(requests.size())]);
    client.half_close();
    transcripts_.push_back(normalised(client.read_to_end()));
  }
  void open_one() {
    Stream stream{.reader = nullptr, .topic = topic()};
    std::string target = "/events?stream=" + stream.topic;
    for (std::size_t i = below(3); i > 0; --i) target += "&stream=" + topic();
    std::string fields;
    const std::size_t how = below(5);
    if (how == 1) fields = "Last-Event-ID: earliest\r\n";
    if (how == 2 && !last_id_.empty()) fields = "Last-Event-ID: " + last_id_ + "\r\n";
    if (how == 3) fields = "Last-Event-ID: own" + std::to_string(below(40)) + "\r\n";
    if (how == 4) {
      target += "&last_event_id=own" + std::to_string(below(40)) + "&lastEventId=" + last_id_;
    }
    if (open_.size() == 8) {  // at max_connections
      TestClient client(server_->addresses().front());
      client.send("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n");
      transcripts_.push_back(normalised(client.read_to_end()));
      return;
    }
    stream.reader = std::make_unique<TestSubscriber>(server_->addresses().front(), target, fields);
    open_.push_back(std::move(stream));
  }
  // After an event of its own, so that what it has received by then is certain.
  void close_one() {
    const std::size_t index = below(open_.size());
    Stream stream = std::move(open_[index]);
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(index));
    const std::string marker = "marker " + std::to_string(markers_++);
    exchange(post("stream=" + stream.topic, marker));
    TestSubscriber& reader = *stream.reader;
    reader.wait_until(
        [&] { return !reader.events().empty() && reader.events().back().data == marker; });
    last_id_ = reader.parser().last_event_id();
    transcripts_.push_back(normalised(reader.response().head + reader.bytes()));
    stream.reader.reset();
    const std::size_t left = open_.size();
    if (!eventually([&] { return server_->state().admission.streams() == left; })) {
      throw std::runtime_error("a stream was not closed");
    }
  }

  std::mt19937_64 random_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<TestClient> publisher_;
  std::vector<Stream> open_;
  std::vector<std::string> transcripts_;
  std::string last_id_;
  int markers_ = 0;
};

TEST(ServerDifferential, BothBackendsSayTheSame) {
  if (!Ring::make()) GTEST_SKIP() << "no io_uring here";
  log::configure(LogLevel::error, LogFormat::automatic);
  const std::uint64_t seed = test_seed();
  const std::vector<std::string> uring = Script(IoChoice::uring, seed).run();
  const std::vector<std::string> epoll = Script(IoChoice::epoll, seed).run();
  ASSERT_EQ(uring.size(), epoll.size());
  for (std::size_t i = 0; i < uring.size(); ++i) ASSERT_EQ(uring[i], epoll[i]) << "client " << i;
  EXPECT_GT(uring.size(), 100U);
}

}  // namespace
}  // namespace tocsin::net
