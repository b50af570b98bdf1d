// Who comes and who goes, as events: once a second, for namespaces that want it.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/whole_server/admin/admin_fixture.h"

namespace tocsin::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ServerPresence : public AdminTest {
 protected:
  void start_with_presence() {
    options.namespaces = {{.match = "chat/*", .presence = true},
                          {.match = "presence/*", .publish = TopicAccess::open}};
    start_administrated();
  }
};
INSTANTIATE_TEST_SUITE_P(Server, ServerPresence, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerPresence, IsToldOnATopicOfItsOwn) {
  start_with_presence();
  TestSubscriber watcher = stream_of("watcher", "topic=presence/chat/1");
  auto ann = std::make_unique<TestSubscriber>(address(), "/events?topic=chat/1&topic=news",
                                              bearer(token_of("ann")));
  const std::vector<TestEvent>& events = watcher.wait_events(1);
  EXPECT_EQ(events[0].type, "presence");
  EXPECT_EQ(events[0].data,
            R"({"topic":"chat/1","joined":["ann"],"left":[],"subjects":1})");
  TestSubscriber bob = stream_of("bob", "topic=chat/1&topic=chat/1");
  watcher.wait_events(2);
  EXPECT_THAT(watcher.events()[1].data, HasSubstr(R"("joined":["bob"],"left":[],"subjects":2)"));
  TestSubscriber ann_again = stream_of("ann", "topic=chat/1");
  ann->client().close();
  EXPECT_EQ(ended_by("/admin/disconnect", R"({"subject":"bob"})"), "{\"streams\":1}\n");
  watcher.wait_events(3);
  EXPECT_THAT(watcher.events()[2].data, HasSubstr(R"("joined":[],"left":["bob"],"subjects":1)"));
  EXPECT_EQ(metric("tocsin_presence_subjects"), 1);
  // Who may not read it is not told.
  EXPECT_EQ(connect()
                .request(http("GET /events?topic=presence/chat/1",
                              bearer(token_for(R"(["chat/*"])"))))
                .status,
            403);
  // And nobody says it but the hub.
  EXPECT_EQ(
      connect().request(post("topic=presence/chat/1", "forged", bearer(publisher))).status, 403);
  EXPECT_EQ(connect().request(post("topic=presence/news", "x", bearer(publisher))).status, 204);
}

TEST_P(ServerPresence, OnlyWhereItIsAskedForAndOfSubjects) {
  rights.anonymous = {"chat/*"};
  start_with_presence();
  TestSubscriber nobody = subscribe("/events?topic=chat/1");
  TestSubscriber news = stream_of("ann", "topic=news");
  TestSubscriber watcher =
      stream_of("watcher", "topic=presence/chat/1&topic=presence/news&topic=presence/chat/2");
  TestSubscriber later = stream_of("bob", "topic=chat/2");
  EXPECT_THAT(watcher.wait_events(1)[0].data, HasSubstr("\"chat/2\""));
  EXPECT_EQ(watcher.events().size(), 1U);
  // From a reload on it is told of those who come then.
  options.namespaces = {{.match = "news", .presence = true}};
  server().reload(options, rights.make());
  ASSERT_TRUE(eventually([&] {
    TestSubscriber cid = stream_of("cid", "topic=news");
    return metric("tocsin_presence_subjects") >= 2;
  }));
  later.client().close();
  watcher.wait_until([&] {
    return std::ranges::any_of(watcher.events(), [](const TestEvent& event) {
      return event.data.contains(R"("left":["bob"])");
    });
  });
}

TEST_P(ServerPresence, ManyAtOnceAreAFewEvents) {
  start_with_presence();
  TestSubscriber watcher = stream_of("watcher", "topic=presence/chat/1");
  std::vector<std::unique_ptr<TestSubscriber>> streams;
  for (int i = 0; i < 60; ++i) {
    streams.push_back(std::make_unique<TestSubscriber>(
        address(), "/events?topic=chat/1", bearer(token_of(fmt::format("u{}", i)))));
  }
  watcher.wait_until([&] {
    return !watcher.events().empty() &&
           watcher.events().back().data.ends_with("\"subjects\":60}");
  });
  EXPECT_LT(watcher.events().size(), 30U);
  streams.clear();
  watcher.wait_until([&] { return watcher.events().back().data.ends_with("\"subjects\":0}"); });
  EXPECT_EQ(metric("tocsin_presence_subjects"), 0);
  EXPECT_EQ(metric("tocsin_presence_lost_total"), 0);
}

TEST_P(ServerPresence, WhatCannotBePublishedIsCounted) {
  options.auto_topics = false;
  options.topics = {"chat/1"};
  start_with_presence();
  TestSubscriber ann = stream_of("ann", "topic=chat/1");
  EXPECT_TRUE(eventually([&] { return metric("tocsin_presence_lost_total") == 1; }));
}

}  // namespace
}  // namespace tocsin::net
