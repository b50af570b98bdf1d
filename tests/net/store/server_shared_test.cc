// A hub whose history other hubs have, too: what is named by who was told more by another one.
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/store_fixture.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;
using testing::Not;

class ServerShared : public StoreTest {};
INSTANTIATE_TEST_SUITE_P(Server, ServerShared, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerShared, WhoKnowsMoreThanTheHubComesBack) {
  held().share();
  start();
  publish_one("seen");
  const std::string ahead = "Last-Event-ID: " + id(2) + "\r\n";
  TestClient early = connect();
  early.send("GET /events?stream=a HTTP/1.1\r\nHost: h\r\n" + ahead + "\r\n");
  EXPECT_THAT(early.read_until("\r\n\r\n"), HasSubstr("HTTP/1.1 200"));
  const std::string body = early.read_to_end();
  EXPECT_THAT(body, HasSubstr("retry: "));
  EXPECT_THAT(body, Not(HasSubstr("event: gap")));
  EXPECT_THAT(body, Not(HasSubstr("id:"))) << "it resumes where it was";
  EXPECT_EQ(rejections(Rejection::behind), 1U);
  publish_one("seen elsewhere");
  TestSubscriber back = subscribe("/events?stream=a", ahead);
  publish_one("new");
  EXPECT_EQ(back.wait_data(1), (std::vector<std::string>{"new"}));
}

// Of an epoch that began while the hub had no connection.
TEST_P(ServerShared, WhoKnowsAnEpochThatTheHubWasNotToldOfComesBack) {
  held().share();
  start();
  publish_one("kept");
  const std::string other =
      "Last-Event-ID: " + proto::to_string({HeldStore::kEpoch + 1, 2}) + "\r\n";
  const auto is_sent_back = [&](const core::LinkFigures& figures) {
    held().link(figures);
    TestClient client = connect();
    client.send("GET /events?stream=a HTTP/1.1\r\nHost: h\r\n" + other + "\r\n");
    client.read_until("\r\n\r\n");
    return client.read_to_end().contains("retry: ");
  };
  EXPECT_TRUE(is_sent_back({.away = true}));
  EXPECT_TRUE(is_sent_back({.behind = 1}));
  held().link({});
  TestSubscriber stream = subscribe("/events?stream=a", other);
  EXPECT_EQ(stream.wait_events(1).front().type, "gap") << "the hub has all that there is";
}

TEST_P(ServerShared, AnIdThatNobodyCanHaveIsUnknown) {
  held().share();
  start();
  publish_one("kept");
  const std::string position = "Last-Event-ID: " + id(UINT64_MAX) + "\r\n";
  TestSubscriber stream = subscribe("/events?stream=a", position);
  EXPECT_EQ(stream.wait_events(1).front().type, "gap");
}

TEST_P(ServerShared, AHistoryThatIsLostWhileItIsReadIsShownToNobody) {
  held().order(core::Batch(std::vector<core::NewEvent>{
      {.topic = "a", .id = "", .body = "data: x\n", .received = 0}}));
  held().be_lost();
  EXPECT_THROW(start(), std::runtime_error);
}

TEST_P(ServerShared, NobodyKnowsMoreThanAHubThatHasItsHistoryAlone) {
  start();
  publish_one("kept");
  TestSubscriber stream = subscribe("/events?stream=a", "Last-Event-ID: " + id(2) + "\r\n");
  EXPECT_EQ(stream.wait_events(1).front().type, "gap");
}

}  // namespace
}  // namespace tocsin::net
