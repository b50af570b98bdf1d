// A history in a file, behind the real server: what comes back at the next start.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/server_fixture.h"
#include "tests/net/support/temporary_folder.h"
#include "tests/net/support/test_access.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;

class ServerHistory : public ServerTest {
 protected:
  ServerHistory() {
    options.history = "sqlite:" + folder_.path("history.db");
  }
  // A server over what the one before has left, which is so many events.
  void start_again(std::uint64_t events) {
    stop();
    brought = events;
    start();
  }
  [[nodiscard]] static std::string next_id(const std::string& id, std::uint64_t further) {
    const auto parsed = proto::parse_event_id(id).value();
    return proto::to_string({parsed.epoch, parsed.sequence + further});
  }

 private:
  TemporaryFolder folder_;
};
INSTANTIATE_TEST_SUITE_P(Server, ServerHistory, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerHistory, ARestartIsSeenByNobody) {
  start();
  const std::string first = publish("stream=a", "1");
  publish("stream=b", "2");
  publish("stream=a&id=own%20id&type=tick&retry=3000", "two\nlines");
  const TestResponse batch = connect().request(
      post("stream=a", R"([{"data":"x","topic":"b"},{"data":{"y":1},"id":"é"}])",
           "Content-Type: application/json\r\n"));
  ASSERT_EQ(batch.status, 200);
  const auto read = [&](const std::string& last) {
    TestSubscriber reader =
        subscribe("/events?stream=a&stream=b", "Last-Event-ID: " + last + "\r\n");
    reader.wait_data(4);
    return reader.bytes().substr(reader.bytes().find("event: "));
  };
  const std::string before = read(first);
  start_again(5);
  EXPECT_EQ(read(first), before) << "byte for byte";
  TestSubscriber own = subscribe("/events?stream=a", "Last-Event-ID: own id\r\n");
  EXPECT_EQ(own.wait_events(1).front().data, R"({"y":1})");
  EXPECT_EQ(publish("stream=a", "new"), next_id(first, 5));
  EXPECT_EQ(own.wait_events(2).back().id, next_id(first, 5));
}

TEST_P(ServerHistory, AllThatAConnectionHasOnItsWayIsAnsweredInOrder) {
  start();
  TestSubscriber reader = subscribe("/events?stream=a");
  TestClient client = connect();
  std::string requests;
  constexpr int kRequests = 300;
  for (int i = 0; i < kRequests; ++i) requests += post("stream=a", std::to_string(i));
  client.send(requests);
  const std::string first = client.response().header("Event-ID");
  for (int i = 1; i < kRequests; ++i) {
    EXPECT_EQ(client.response().header("Event-ID"), next_id(first, static_cast<unsigned>(i)));
  }
  const auto seen = reader.wait_data(kRequests);
  for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], std::to_string(i));
  const auto samples = metrics();
  EXPECT_EQ(samples.at("tocsin_store_commit_events_total"), kRequests);
  EXPECT_EQ(samples.at("tocsin_store_commit_publishes_total"), kRequests);
  EXPECT_EQ(samples.at("tocsin_store_commit_seconds_count"),
            samples.at("tocsin_store_commits_total"));
  EXPECT_GT(samples.at("tocsin_history_bytes"), 0);
  EXPECT_EQ(samples.at("tocsin_store_lag_seconds"), 0);
}

TEST_P(ServerHistory, AStreamsOwnEventsAreNobodyElses) {
  application.routes.push_back(
      {.path = "/own", .handle = [](Server&, const RouteRequest&) -> Answer {
         return StreamResponse{.topics = {"a"}, .on_open = [](const StreamWriter& writer) {
                                 EXPECT_TRUE(writer.publish({.data = "for one"}));
                               }};
       }});
  start();
  std::string first;
  {
    TestSubscriber own = subscribe("/own");
    own.wait_data(1);
    first = publish("stream=a", "for all");
    EXPECT_EQ(own.wait_data(2).back(), "for all");
  }
  start_again(1);
  EXPECT_EQ(publish("stream=a", "more"), next_id(first, 1)) << "it has its number";
}

// docs/admin.md says so: a removal is of this process, and the file keeps what it had.
TEST_P(ServerHistory, ATopicThatWasRemovedIsThereAgainAfterARestart) {
  TestAccess rights;
  rights.anonymous = {"*"};
  const std::string key = bearer(rights.add_key("operator", {}, {"*"}, true));
  access = rights.make();
  start();
  const auto say = [&](const std::string& topic, std::string_view data) {
    const TestResponse said = connect().request(post("stream=" + topic, data, key));
    EXPECT_EQ(said.status, 204);
    return said.header("Event-ID");
  };
  const auto ask = [&](const std::string& method) {
    return connect().request(method + " /admin/topics/gone HTTP/1.1\r\nHost: h\r\n" + key +
                             "\r\n");
  };
  const std::string first = say("kept", "0");
  say("gone", "1");
  say("gone", "2");
  ASSERT_EQ(ask("DELETE").status, 204);
  EXPECT_EQ(ask("GET").status, 404);
  say("gone", "3");
  for (const std::string& position : {first, std::string("earliest")}) {
    TestSubscriber reader = subscribe("/events?stream=gone&last_event_id=" + position);
    const auto is_gap = [](const TestEvent& event) { return event.type == "gap"; };
    reader.wait_until([&] { return !reader.events().empty() && !is_gap(reader.events().back()); });
    EXPECT_EQ(reader.events().back().data, "3") << "of before nothing, whatever the file has";
    EXPECT_EQ(std::ranges::count_if(reader.events(), is_gap), position == first ? 1 : 0);
  }
  start_again(4);
  EXPECT_THAT(ask("GET").body, HasSubstr("\"events\":3"));
  TestSubscriber reader = subscribe("/events?stream=gone&last_event_id=" + first);
  EXPECT_THAT(reader.wait_data(3), testing::ElementsAre("1", "2", "3"));
  // Nobody reads what nobody may.
  options.namespaces = {{.match = "gone", .subscribe = TopicAccess::nobody}};
  start_again(4);
  EXPECT_EQ(connect().request("GET /events?stream=gone HTTP/1.1\r\nHost: h\r\n\r\n").status, 403);
}

TEST_P(ServerHistory, WhatCannotBeOpenedIsSaid) {
  options.history = "sqlite:/nowhere/history.db";
  EXPECT_THAT(Server::start(options).error(), HasSubstr("/nowhere/history.db"));
  options.history = "postgres:x";
  EXPECT_THAT(Server::start(options).error(), HasSubstr("is neither memory, sqlite:PATH nor"));
}

}  // namespace
}  // namespace tocsin::net
