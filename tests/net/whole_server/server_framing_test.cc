// How a stream's body is framed: who chooses, what stands on the wire, how it ends; and clients
// that see the difference.
#include <cstdlib>
#include <deque>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/sse/sse_encode.h"
#include "tests/net/support/server_fixture.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

std::string get_of(const std::string& target, const std::string& version = "1.1") {
  return "GET " + target + " HTTP/" + version + "\r\nHost: hub\r\n\r\n";
}

class ServerFraming : public ServerTest {
 protected:
  // The head that a request for a stream is answered with.
  TestResponse head_of(const std::string& request) const {
    TestClient client = connect();
    client.send(request);
    return client.response(true);
  }
};
INSTANTIATE_TEST_SUITE_P(Server, ServerFraming, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerFraming, IsAsAskedForWhereTheVersionHasTheChoice) {
  application.routes.push_back({.path = "/own", .handle = [](Server&, const RouteRequest&) {
                                  return Answer(StreamResponse{.topics = {"a"}});
                                }});
  start();
  for (const std::string path : {"/events", "/sse", "/own"}) {
    SCOPED_TRACE(path);
    const auto coding = [&](const std::string& query, const std::string& version = "1.1") {
      const TestResponse response = head_of(get_of(path + query, version));
      EXPECT_EQ(response.status, 200);
      EXPECT_EQ(response.header("Connection"), "close");
      EXPECT_EQ(response.header("Content-Length"), "");
      return response.header("Transfer-Encoding");
    };
    EXPECT_EQ(coding(""), "chunked");
    EXPECT_EQ(coding("?framing=chunked"), "chunked");
    EXPECT_EQ(coding("?framing=close"), "");
    EXPECT_EQ(coding("", "1.0"), "");
    EXPECT_EQ(coding("?framing=close", "1.0"), "");
    // A proxy may have made another version of it than its client's, who asked.
    EXPECT_EQ(coding("?framing=chunked", "1.0"), "");
    EXPECT_EQ(head_of("HEAD " + path + " HTTP/1.1\r\nHost: h\r\n\r\n").header("Transfer-Encoding"),
              "chunked");
    for (const std::string wrong : {"framing=", "framing=Chunked", "framing=gzip"}) {
      const TestResponse response = get(path + "?" + wrong);
      EXPECT_EQ(response.status, 400);
      EXPECT_THAT(response.body, HasSubstr(R"("detail":"must be chunked or close")"));
      EXPECT_THAT(response.body, HasSubstr(R"("field":"framing")"));
    }
    EXPECT_THAT(get(path + "?framing=close&framing=close").body, HasSubstr("is given twice"));
  }
  EXPECT_THAT(get("/events?frameing=close").body, HasSubstr("did you mean framing?"));
  EXPECT_EQ(get("/publish?msg=x&framing=close").status, 400) << "it means nothing there";
}

TEST_P(ServerFraming, AnEventIsAChunk) {
  options.heartbeat_s = 1;
  start();
  TestClient client = connect();
  client.send(get_of("/events?stream=a&framing=chunked"));
  EXPECT_EQ(client.response().status, 200);
  const std::string greeting = client.read_until("\n\n\r\n");
  const std::size_t size = std::strtoul(greeting.c_str(), nullptr, 16);
  const std::size_t head = greeting.find("\r\n") + 2;
  EXPECT_EQ(greeting.size(), head + size + 2);
  const std::string id = publish("stream=a&type=t", "one\ntwo");
  const std::string event = "event: t\ndata: one\ndata: two\nid: " + id + "\n\n";
  std::string expected;
  proto::append_framed(expected, proto::Framing::chunked, event);
  EXPECT_EQ(client.read_until("\n\n\r\n"), expected);
  EXPECT_EQ(client.read_until("\n\r\n"), "c\r\n: keepalive\n\r\n");
}

// The same frames in one memory, as two bodies.
TEST_P(ServerFraming, StreamsOfBothReadTheSame) {
  start();
  std::deque<TestSubscriber> streams;
  for (const std::string topics : {"stream=a", "stream=a&stream=b"}) {
    for (const std::string framing : {"close", "chunked"}) {
      for (int i = 0; i < 3; ++i) {
        streams.emplace_back(address(), "/events?" + topics + "&framing=" + framing);
      }
    }
  }
  TestClient publisher = connect();
  for (const std::size_t size : {1U, 15U, 16U, 200U, 255U, 256U, 5000U, 70'000U}) {
    EXPECT_EQ(publisher.request(post("stream=a", std::string(size, 'x'))).status, 204);
    EXPECT_EQ(publisher.request(post("stream=b", std::string(size, 'y'))).status, 204);
  }
  EXPECT_EQ(publisher.request(post("stream=a", "end")).status, 204);
  std::optional<std::vector<TestEvent>> of_one;
  for (TestSubscriber& stream : streams) {
    stream.wait_until(
        [&] { return !stream.events().empty() && stream.events().back().data == "end"; });
    std::vector<TestEvent> events = stream.events();
    std::erase_if(events, [](const TestEvent& event) { return event.data.front() == 'y'; });
    if (!of_one) of_one = events;
    EXPECT_TRUE(events == *of_one);
  }
  EXPECT_EQ(of_one->size(), 9U);
}

// --- ends

TEST_P(ServerFraming, ADrainEndsTheBody) {
  options.drain_timeout_s = 1;
  start();
  std::deque<TestSubscriber> streams;
  for (const std::string framing : {"close", "chunked"}) {
    for (int i = 0; i < 5; ++i) streams.emplace_back(address(), "/events?framing=" + framing);
  }
  publish("", "x");
  server().drain();
  for (TestSubscriber& stream : streams) {
    stream.wait_end();
    EXPECT_TRUE(stream.ended_properly());
    EXPECT_THAT(stream.bytes(), testing::EndsWith("\n\n"));
  }
}

TEST_P(ServerFraming, AnAgeEndsTheBody) {
  options.max_stream_age_s = 1;
  start();
  for (const std::string framing : {"close", "chunked"}) {
    TestSubscriber stream = subscribe("/events?framing=" + framing);
    stream.wait_end();
    EXPECT_TRUE(stream.ended_properly());
  }
}

TEST_P(ServerFraming, ARemovedTopicEndsTheBody) {
  start();
  std::deque<TestSubscriber> streams;
  for (const std::string framing : {"close", "chunked"}) {
    streams.emplace_back(address(), "/events?stream=a&framing=" + framing);
    streams.emplace_back(address(), "/events?stream=a&stream=b&framing=" + framing);
  }
  publish("stream=a", "last");
  EXPECT_TRUE(server().remove_topic("a"));
  for (TestSubscriber& stream : streams) {
    stream.wait_end();
    EXPECT_TRUE(stream.ended_properly());
    EXPECT_EQ(stream.events().at(0).data, "last");
  }
}

TEST_P(ServerFraming, AWriterEndsTheBody) {
  application.routes.push_back(
      {.path = "/own", .handle = [](Server&, const RouteRequest&) {
         const std::string first =
             proto::encode_frame({.data = "a"}) + proto::encode_frame({.data = "b"});
         return Answer(StreamResponse{.first = first, .on_open = [](const StreamWriter& writer) {
                                        EXPECT_TRUE(writer.publish({.data = "c"}));
                                        writer.close();
                                      }});
       }});
  start();
  for (const std::string framing : {"close", "chunked"}) {
    TestSubscriber stream = subscribe("/own?framing=" + framing);
    EXPECT_THAT(stream.wait_data(3), testing::ElementsAre("a", "b", "c"));
    stream.wait_end();
    EXPECT_TRUE(stream.ended_properly());
  }
}

// --- clients

// Reads as urllib3 does, which stands under most of Python's clients: a body that ends with the
// connection until a buffer is full, of chunks no more than what is left of the one that came.
class BufferingClient {
 public:
  BufferingClient(TestClient client, std::size_t buffer)
      : client_(std::move(client)), buffer_(buffer) {}

  void get(const std::string& target) {
    client_.send(get_of(target));
    is_chunked_ = client_.response().header("Transfer-Encoding") == "chunked";
  }
  // What its program is given next; nothing if there is not enough of it now.
  std::optional<std::string> next() {
    std::string& unread = client_.unread();
    if (is_chunked_ && left_ == 0) {
      const std::size_t line = unread.find("\r\n");
      if (line == std::string::npos) return std::nullopt;
      left_ = std::strtoul(unread.c_str(), nullptr, 16);
      unread.erase(0, line + 2);
    }
    const std::size_t wanted = is_chunked_ ? std::min(left_, buffer_) : buffer_;
    const std::size_t tail = is_chunked_ && wanted == left_ ? 2 : 0;
    if (unread.size() < wanted + tail) return std::nullopt;
    const std::string given = unread.substr(0, wanted);
    unread.erase(0, wanted + tail);
    if (is_chunked_) left_ -= wanted;
    return given;
  }
  // Reads on until the text was given to the program.
  void wait_for(std::string_view text) {
    while (given_.find(text) == std::string::npos) {
      if (auto more = next()) {
        given_ += *more;
      } else {
        ASSERT_TRUE(client_.receive());
      }
    }
  }
  [[nodiscard]] const std::string& given() const { return given_; }
  TestClient& client() { return client_; }

 private:
  TestClient client_;
  const std::size_t buffer_;
  bool is_chunked_ = false;
  std::size_t left_ = 0;  // of the chunk
  std::string given_;
};

TEST_P(ServerFraming, ABufferingClientHasEachChunkAtOnce) {
  start();
  BufferingClient chunked(connect(), 512);
  BufferingClient close(connect(), 512);
  chunked.get("/events?stream=a");
  close.get("/events?stream=a&framing=close");
  for (const std::string text : {"one", "two", "three"}) {
    publish("stream=a", text);
    chunked.wait_for("data: " + text + "\n");  // nothing comes behind it
  }
  const std::string large(1300, 'x');
  const std::string id = publish("stream=a", large);
  chunked.wait_for(large + "\nid: " + id + "\n\n");
  // Of the other body it has been given nothing before a buffer was full.
  std::string& unread = close.client().unread();
  while (unread.find("data: three\nid: ") == std::string::npos) {
    ASSERT_TRUE(close.client().receive());
  }
  unread.resize(unread.find("data: three\n"));
  EXPECT_EQ(close.next(), std::nullopt);
}

// Reads what it takes for lines, the first of which is a size in hexadecimal, and hands out that
// many bytes as one event.
class ChunkPerEventClient {
 public:
  explicit ChunkPerEventClient(TestClient client) : client_(std::move(client)) {
    client_.send(get_of("/events?stream=a"));
    (void)client_.response();
  }
  std::string event() {
    const std::string line = client_.read_until("\n");
    const std::size_t size = std::strtoul(line.c_str(), nullptr, 16);
    while (client_.unread().size() < size + 2) EXPECT_TRUE(client_.receive());
    const std::string event = client_.unread().substr(0, size);
    client_.unread().erase(0, size + 2);
    return event;
  }

 private:
  TestClient client_;
};

TEST_P(ServerFraming, AClientMayTakeAChunkForAnEvent) {
  start();
  ChunkPerEventClient client(connect());
  EXPECT_THAT(client.event(), HasSubstr("retry: "));
  TestClient publisher = connect();
  std::string batch;
  std::vector<std::string> texts;
  for (int i = 0; i < 300; ++i) {
    texts.push_back(std::string(static_cast<std::size_t>(i), 'x') + std::to_string(i));
    batch += R"({"stream":"a","data":")" + texts.back() + "\"}\n";
  }
  const std::string fields = "Content-Type: application/x-ndjson\r\n";
  EXPECT_EQ(publisher.request(post("", batch, fields)).status, 200);
  for (const std::string& text : texts) {
    const std::string event = client.event();
    ASSERT_THAT(event, StartsWith("data: " + text + "\nid: "));
    ASSERT_THAT(event, testing::EndsWith("\n\n"));
  }
}

}  // namespace
}  // namespace tocsin::net
