// `?hello=1`: a stream that opens with an event.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/server_fixture.h"

namespace tocsin::net {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;

class ServerHello : public ServerTest {
 protected:
  static std::string opening(const std::string& topics, const std::string& position) {
    return R"({"topics":[)" + topics + R"(],"position":")" + position + R"("})";
  }
  TestSubscriber resume(const std::string& target, const std::string& id) {
    return subscribe(target, "Last-Event-ID: " + id + "\r\n");
  }
};
INSTANTIATE_TEST_SUITE_P(Server, ServerHello, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerHello, AFreshStreamOpensWithAnEventInsteadOfTheLoneId) {
  start();
  const std::string before = publish("stream=a", "before");
  TestSubscriber stream = subscribe("/events?stream=b&stream=a&hello=1");
  EXPECT_EQ(stream.wait_events(1)[0],
            (TestEvent{.type = "open", .data = opening(R"("b","a")", before), .id = before}));
  EXPECT_THAT(stream.bytes(),
              MatchesRegex("\n: ok\nretry: [0-9]+\nevent: open\ndata: .*\nid: .*\n\n"));
  publish("stream=a", "1");
  publish("stream=b", "2");
  EXPECT_THAT(stream.wait_data(3), ElementsAre(stream.events()[0].data, "1", "2"));
  // Who was cut behind it, and remembers it.
  TestSubscriber back = resume("/events?stream=b&stream=a", stream.events()[0].id);
  EXPECT_THAT(back.wait_data(2), ElementsAre("1", "2"));
}

TEST_P(ServerHello, AResumedStreamSaysWhereItGoesOn) {
  start();
  const std::string first = publish("stream=a&id=mine", "1");
  const std::string second = publish("stream=a", "2");
  publish("stream=a", "3");
  const std::string behind_first = second.substr(0, 9) + "1";
  for (const auto& [id, position] : {std::pair{first, behind_first}, {second, second}}) {
    TestSubscriber stream = resume("/sse?stream=a&hello=true", id);
    EXPECT_EQ(stream.wait_events(1)[0],
              (TestEvent{.type = "open", .data = opening(R"("a")", position), .id = position}));
    EXPECT_EQ(stream.wait_events(2)[1].data, id == first ? "2" : "3");
    TestSubscriber back = resume("/sse?stream=a", position);
    EXPECT_EQ(back.wait_events(1)[0].data, id == first ? "2" : "3") << "the replay is not skipped";
  }
  TestSubscriber earliest = subscribe("/events?stream=a&hello=1&last_event_id=earliest");
  EXPECT_THAT(earliest.wait_data(2),
              ElementsAre(opening(R"("a")", second.substr(0, 9) + "0"), "1"));
}

// Cut between the two, it must be told of the gap when it comes back.
TEST_P(ServerHello, BeforeAGapThePositionIsWhatTheClientNamed) {
  options.history_count = 1;
  start();
  const std::string expired = publish("stream=a", "1");
  publish("stream=a", "2");
  publish("stream=a", "3");
  for (const std::string& id : {expired, std::string{"nonsense"}, std::string{"caf\xC3\xA9"}}) {
    std::string sent = id;
    for (int round = 0; round < 2; ++round) {
      TestSubscriber stream = resume("/events?stream=a&hello=1", sent);
      stream.wait_events(3);
      sent = stream.events()[0].id;
      EXPECT_EQ(sent, id.starts_with("caf") ? "caf%C3%A9" : id);
      EXPECT_EQ(stream.events()[0].data, opening(R"("a")", sent));
      EXPECT_EQ(stream.events()[1].type, "gap");
      EXPECT_EQ(stream.events()[2].data, "3");
    }
  }
}

TEST_P(ServerHello, WithoutAPositionThereIsNoId) {
  start();
  publish("stream=a", "1");
  for (const std::string& id : {std::string{}, std::string(limits::kMaxWireId + 1, 'x')}) {
    TestSubscriber stream = resume("/events?stream=a&hello=1", id);
    stream.wait_events(3);
    EXPECT_EQ(stream.events()[0].data, opening(R"("a")", ""));
    EXPECT_EQ(stream.events()[0].id, "");
    EXPECT_EQ(stream.events()[1].type, "gap");
  }
}

TEST_P(ServerHello, WhatAClientNamesWritesNoFieldsOfItsOwn) {
  start();
  TestSubscriber stream =
      subscribe("/events?stream=a&hello=1&lastEventId=x%0Adata:%20injected%0A%0A%00%E9");
  EXPECT_EQ(stream.wait_events(2)[0].id, "x%0Adata: injected%0A%0A%00%E9");
  EXPECT_EQ(stream.events()[1].type, "gap");
}

TEST_P(ServerHello, OtherValuesAreRefused) {
  start();
  for (const std::string query : {"hello=", "hello=2", "hello=yes", "hello=1&hello=1"}) {
    for (const std::string path : {"/events", "/sse"}) {
      const TestResponse response = get(path + "?stream=a&" + query);
      EXPECT_EQ(response.status, 400) << query;
      EXPECT_THAT(response.body, HasSubstr(R"("field":"hello")")) << query;
    }
  }
  EXPECT_EQ(connect().request(post("stream=a&hello=1", "x")).status, 400) << "it is no stream";
  for (const std::string off : {"hello=0", "hello=false"}) {
    TestSubscriber stream = subscribe("/events?stream=a&" + off);
    EXPECT_THAT(stream.events(), IsEmpty());
    EXPECT_THAT(stream.parser().last_event_id(), Not(IsEmpty()));
  }
}

TEST_P(ServerHello, StreamsOfRoutesHaveItToo) {
  const auto route = [](std::string path, std::vector<std::string> topics) {
    return Route{.path = std::move(path), .handle = [topics](Server&, const RouteRequest&) {
                   return StreamResponse{
                       .topics = topics, .first = "data: first\n\n", .on_open = [](const auto&) {}};
                 }};
  };
  application.routes = {route("/topics", {"a"}), route("/own", {})};
  start();
  TestSubscriber topics = subscribe("/topics?hello=1");
  EXPECT_THAT(topics.wait_data(2),
              ElementsAre(AllOf(HasSubstr(R"("topics":["a"])"), Not(HasSubstr(R"("")"))), "first"));
  TestSubscriber own = subscribe("/own?hello=1");
  EXPECT_THAT(own.wait_data(2), ElementsAre(opening("", ""), "first"));
  EXPECT_EQ(own.events()[0].id, "") << "a position in the hub means nothing";
  EXPECT_EQ(get("/own?hello=no").status, 400);
}

}  // namespace
}  // namespace tocsin::net
