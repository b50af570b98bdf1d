// Publishers' ids outside ASCII, from the wire back to the hub.
#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/client/event_reader.h"
#include "tests/net/support/server_fixture.h"

namespace tocsin::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kCafe = "caf\xC3\xA9";        // in UTF-8
constexpr const char* kEuro = "\xE2\x82\xAC 100%";  // beyond ISO-8859-1
constexpr const char* kWireEuro = "%E2%82%AC 100%25";

class ServerIds : public ServerTest {
 protected:
  void publish_three() {
    publish("stream=a&id=caf%C3%A9", "1");
    publish("stream=a&id=%E2%82%AC%20100%25", "2");
    publish("stream=a", "3");
  }
  // All that a stream gets at once; the last is "3".
  std::vector<std::string> replay(const std::string& target, const std::string& fields) {
    TestSubscriber stream = subscribe(target, fields);
    stream.wait_until(
        [&] { return !stream.events().empty() && stream.events().back().data == "3"; });
    std::vector<std::string> data;
    for (const TestEvent& event : stream.events()) {
      data.push_back(event.type == "gap" ? "gap" : event.data);
    }
    return data;
  }
};
INSTANTIATE_TEST_SUITE_P(Server, ServerIds, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerIds, NoByteOutsideAsciiIsOnTheWire) {
  start();
  publish_three();
  TestSubscriber stream = subscribe("/events?stream=a&last_event_id=earliest");
  stream.wait_events(3);
  EXPECT_THAT(stream.bytes(), HasSubstr("data: 1\nid: caf%C3%A9\n\n"));
  EXPECT_THAT(stream.bytes(), HasSubstr(std::string{"data: 2\nid: "} + kWireEuro + "\n\n"));
}

TEST_P(ServerIds, TheHeaderInEveryForm) {
  start();
  publish_three();
  const auto header = [&](const std::string& id) {
    return replay("/events?stream=a", "Last-Event-ID: " + id + "\r\n");
  };
  for (const std::string form : {"caf%C3%A9", "caf%c3%a9", kCafe, "caf\xE9"}) {
    EXPECT_THAT(header(form), ElementsAre("2", "3")) << form;
  }
  for (const std::string form : {kWireEuro, kEuro}) {
    EXPECT_THAT(header(form), ElementsAre("3")) << form;
  }
  EXPECT_THAT(header("caf%E9"), ElementsAre("gap", "1", "2", "3"));
}

TEST_P(ServerIds, TheQueryInEveryForm) {
  start();
  publish_three();
  const auto query = [&](const std::string& id) {
    return replay("/events?stream=a&lastEventId=" + id, "");
  };
  // Encoded once more, as it should be; as it stands on the wire; raw; ISO-8859-1, encoded and raw.
  for (const std::string form : {"caf%25C3%25A9", "caf%C3%A9", kCafe, "caf%E9", "caf\xE9"}) {
    EXPECT_THAT(query(form), ElementsAre("2", "3")) << form;
  }
  EXPECT_THAT(query("%25E2%2582%25AC+100%2525"), ElementsAre("3"));
  EXPECT_THAT(query("%E2%82%AC%20100%25"), ElementsAre("3"));
  EXPECT_EQ(get("/events?stream=caf%E9").status, 400) << "no other value may be so";
}

TEST_P(ServerIds, AGapTellsInAsciiWhatWasSent) {
  start();
  publish_three();
  for (const auto& [sent, told] : {std::pair{"gone\xE9", "gone%E9"}, {"x\xC3\xA9", "x%C3%A9"}}) {
    TestSubscriber stream =
        subscribe("/events?stream=a", std::string{"Last-Event-ID: "} + sent + "\r\n");
    EXPECT_THAT(stream.wait_events(1)[0].data,
                HasSubstr(std::string{"\"last_event_id\":\""} + told + '"'));
  }
}

// A stream that its handler ends, and a client that comes back by itself; the handler is given its
// own ids as it knows them.
TEST_P(ServerIds, TheClientLibraryComesBackAndARouteKnowsItsIds) {
  std::optional<StreamWriter> writer;
  std::vector<std::string> asked;
  std::mutex mutex;
  application.routes.push_back(
      {.path = "/feed", .handle = [&](Server&, const RouteRequest& request) -> Answer {
         const std::scoped_lock lock(mutex);
         asked.emplace_back(request.last_event_id);
         return StreamResponse{.topics = {"a"}, .on_open = [&](const StreamWriter& opened) {
                                 const std::scoped_lock inner(mutex);
                                 writer = opened;
                               }};
       }});
  options.retry_ms = 10;
  start();
  auto reader = EventReader::create(
      {.url = "http://" + address() + "/feed", .reconnect_policy = {.floor_ms = 1}});
  ASSERT_TRUE(reader) << reader.error();
  const auto next = [&] { return (*reader)->next(std::chrono::seconds(20)); };
  const auto end_stream = [&] {
    const std::scoped_lock lock(mutex);
    std::exchange(writer, std::nullopt)->close();
  };
  ASSERT_TRUE(eventually([&] {
    (void)(*reader)->next(std::chrono::milliseconds(1));
    const std::scoped_lock lock(mutex);
    return writer.has_value();
  }));
  publish("stream=a&id=%E2%82%AC%20100%25", "1");
  auto event = next();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->last_event_id, kWireEuro);
  end_stream();
  ASSERT_TRUE(eventually([&] { return sum(&ShardMetrics::streams_open) == 0; }));
  publish("stream=a", "2");
  event = next();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->type, "message") << event->data;
  EXPECT_EQ(event->data, "2");
  const std::scoped_lock lock(mutex);
  EXPECT_THAT(asked, ElementsAre("", kEuro));
}

}  // namespace
}  // namespace tocsin::net
