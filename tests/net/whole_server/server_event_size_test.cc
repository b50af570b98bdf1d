// max_event_bytes: what is counted, who is told, and that a batch is all or nothing.
#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/shard/routed_streams.h"
#include "tests/net/support/server_fixture.h"

namespace tocsin::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using Reason = PublishFailure::Reason;

constexpr const char* kNdjson = "Content-Type: application/x-ndjson\r\n";
constexpr std::size_t kBound = 1024;

// Data of which a frame of one line, with an id of the publisher's, takes `frame` bytes.
std::string data_for(std::size_t frame, std::string_view id) {
  constexpr std::string_view kAround = "data: \nid: \n\n";
  return std::string(frame - kAround.size() - id.size(), 'x');
}

class ServerEventSize : public ServerTest {
 protected:
  ServerEventSize() { options.max_event_bytes = kBound; }
};
INSTANTIATE_TEST_SUITE_P(Server, ServerEventSize, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

// The bytes that a client reads between two events are what the bound is about.
TEST_P(ServerEventSize, TheDefaultIsTheBoundOfABatch) {
  EXPECT_EQ(ServerOptions{}.max_event_bytes, limits::kMaxEncodedBatch);
}

TEST_P(ServerEventSize, CountsTheFrameAsItIsOnTheWire) {
  start();
  TestSubscriber stream = subscribe("/events?stream=a");
  const std::size_t before = stream.bytes().size();
  const std::string fits = data_for(kBound, "i");
  EXPECT_EQ(connect().request(post("stream=a&id=i", fits)).status, 204);
  EXPECT_EQ(stream.wait_data(1)[0], fits);
  EXPECT_THAT(stream.bytes().substr(before), HasSubstr("data: " + fits + "\nid: i\n\n"));
  const TestResponse refused = connect().request(post("stream=a&id=i", fits + "x"));
  EXPECT_EQ(refused.status, 413);
  EXPECT_EQ(refused.header("Content-Type"), "application/problem+json");
  EXPECT_THAT(refused.body, HasSubstr("topic a: the event is 1025 bytes on the wire, more than "
                                      "max_event_bytes, which is 1024"));
  EXPECT_EQ(rejections(Rejection::body_too_large), 1U);
  // Every line of the data is a field; so is the type, the time and the envelope's text.
  EXPECT_EQ(connect().request(post("stream=a&id=i", std::string(200, '\n') + "x")).status, 204);
  for (const char* query : {"stream=a&id=i&type=t", "stream=a&id=i&retry=1", "stream=a",
                            "stream=a&id=i&envelope=true"}) {
    EXPECT_EQ(connect().request(post(query, fits)).status, 413) << query;
  }
  std::string lines;
  for (int i = 0; i < 300; ++i) lines += "x\n";
  EXPECT_EQ(connect().request(post("stream=a&id=i", lines)).status, 413);
}

TEST_P(ServerEventSize, ABatchIsAllOrNothing) {
  start();
  TestSubscriber stream = subscribe("/events?stream=a&stream=b");
  const std::string large = R"({"stream":"b","data":")" + std::string(kBound, 'x') + "\"}\n";
  const std::string small = "{\"data\":\"1\"}\n";
  const TestResponse refused =
      connect().request(post("stream=a", small + small + large, kNdjson));
  EXPECT_EQ(refused.status, 413);
  EXPECT_THAT(refused.body, HasSubstr("topic b: the event is 1066 bytes"));
  EXPECT_THAT(refused.body, HasSubstr(R"("line":3)"));
  EXPECT_EQ(connect().request(post("stream=a", small, kNdjson)).status, 200);
  EXPECT_THAT(stream.wait_data(1), ElementsAre("1"));
  EXPECT_EQ(stream.events()[0].id.substr(8), "-1") << "the refused ones took no number";
}

TEST_P(ServerEventSize, EmbeddersAreToldTheSame) {
  std::promise<StreamWriter> opened;  // told on the shard
  application.routes.push_back(
      {.path = "/own", .handle = [&](Server&, const RouteRequest&) -> Answer {
         return StreamResponse{.on_open = [&](const StreamWriter& own) { opened.set_value(own); }};
       }});
  start();
  ASSERT_TRUE(server().create_topic("large", {.max_event_bytes = kBound * 2}));
  ASSERT_TRUE(server().create_topic("small", {.max_event_bytes = 64}));
  TestSubscriber stream = subscribe("/events?stream=large&stream=small");
  const std::string data(kBound, 'x');
  EXPECT_TRUE(server().publish({.topic = "large", .data = data}));
  const proto::EventView batch[] = {{.topic = "small", .data = "x"},
                                    {.topic = "small", .data = data}};
  const auto refused = server().publish(batch);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, Reason::invalid);
  EXPECT_TRUE(refused.error().error.too_large);
  EXPECT_EQ(refused.error().error.line, 2U);
  EXPECT_THAT(refused.error().error.message,
              HasSubstr("topic small: the event is 1066 bytes on the wire, more than "
                        "max_event_bytes, which is 64"));
  EXPECT_TRUE(server().publish({.topic = "small", .data = "y"}));
  EXPECT_THAT(stream.wait_data(2), ElementsAre(data, "y"));

  TestSubscriber own = subscribe("/own");
  const auto written = opened.get_future().get().publish({.data = data});
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().error.message, testing::StartsWith("the event is 1066 bytes"));
}

TEST_P(ServerEventSize, AReloadChangesTheBound) {
  start();
  const std::string data(kBound, 'x');
  EXPECT_EQ(connect().request(post("stream=a", data)).status, 413);
  ServerOptions changed = options;
  changed.max_event_bytes = kBound * 2;
  server().reload(changed);
  EXPECT_EQ(connect().request(post("stream=a", data)).status, 204);
  server().reload(options);
  EXPECT_EQ(connect().request(post("stream=a", data)).status, 413);
}

}  // namespace
}  // namespace tocsin::net
