// Last-Event-ID: nothing missed, nothing twice, and a gap is told.
#include <algorithm>
#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/server_fixture.h"

namespace tocsin::net {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ServerResume : public ServerTest {
 protected:
  TestSubscriber resume(const std::string& target, const std::string& id) {
    return subscribe(target, "Last-Event-ID: " + id + "\r\n");
  }
  // Publishes a marker, and reads until it arrives: nothing more can have been owed before it.
  static constexpr const char* kMarker = "marker";
  std::vector<std::string> data_until_marker(TestSubscriber& stream, const std::string& topic) {
    publish("stream=" + topic, kMarker);
    stream.wait_until(
        [&] { return !stream.events().empty() && stream.events().back().data == kMarker; });
    std::vector<std::string> data;
    for (const TestEvent& event : stream.events()) {
      data.push_back(event.type == "gap" ? "gap" : event.data);
    }
    data.pop_back();
    return data;
  }
};
INSTANTIATE_TEST_SUITE_P(Server, ServerResume, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerResume, ExactlyByHeader) {
  start();
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(publish("stream=a", std::to_string(i)));
  TestSubscriber stream = resume("/events?stream=a", ids[1]);
  EXPECT_THAT(data_until_marker(stream, "a"), ElementsAre("2", "3", "4"));
  TestSubscriber newest = resume("/events?stream=a", stream.parser().last_event_id());
  EXPECT_THAT(data_until_marker(newest, "a"), IsEmpty());
}

TEST_P(ServerResume, ByQueryAndTheHeaderWins) {
  start();
  const std::string first = publish("stream=a", "1");
  const std::string second = publish("stream=a", "2");
  publish("stream=a", "3");
  TestSubscriber query = subscribe("/events?stream=a&last_event_id=" + first);
  TestSubscriber mercure = subscribe("/events?stream=a&lastEventID=" + first);
  TestSubscriber both = resume("/events?stream=a&last_event_id=" + first, second);
  EXPECT_EQ(query.wait_data(2), (std::vector<std::string>{"2", "3"}));
  EXPECT_EQ(mercure.wait_data(2), (std::vector<std::string>{"2", "3"}));
  EXPECT_THAT(data_until_marker(both, "a"), ElementsAre("3"));
}

// A page seeds one position, its polyfill appends another: the older one would repeat a backlog
// that grows with every reconnect.
TEST_P(ServerResume, OfSeveralPositionsInTheQueryTheNewestKnownWins) {
  start();
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(publish("stream=a", std::to_string(i)));
  publish("stream=a&id=mine", "5");
  publish("stream=a", "6");
  const auto expect = [&](const std::string& query, const std::string& data) {
    TestSubscriber stream = subscribe("/events?stream=a&" + query);
    std::string got;
    for (const std::string& one : data_until_marker(stream, "a")) {
      if (one != kMarker) got += one;
    }
    EXPECT_EQ(got, data) << query;
  };
  for (const std::string one :
       {"last_event_id=", "lastEventID=", "Last-Event-Id=", "evs_last_event_id="}) {
    for (const std::string other : {"last_event_id=", "lastEventID=", "lastEventId="}) {
      expect(one + ids[1] + '&' + other + ids[4], "56");
      expect(one + ids[4] + '&' + other + ids[1], "56");
      expect(one + ids[1] + '&' + other + "mine", "6");
    }
  }
  expect("lastEventId=" + ids[1] + "&lastEventId=", "23456");
  expect("lastEventId=" + ids[1] + "&lastEventId=00000000-7", "23456");
  expect("lastEventId=earliest&lastEventId=" + ids[3], "456");
  expect("lastEventId=earliest&lastEventId=00000000-7", "gap0123456");
  // Who goes on appending: the last ones are looked at.
  std::string many = "lastEventId=" + ids[4];
  for (std::size_t i = 0; i < limits::kMaxPositions; ++i) many += "&lastEventId=" + ids[1];
  expect(many, "23456");
  TestSubscriber header =
      subscribe("/events?stream=a&lastEventId=" + ids[4], "Last-Event-ID: " + ids[2] + "\r\n");
  EXPECT_EQ(header.wait_data(1)[0], "3") << "the header is what the browser knows";
}

TEST_P(ServerResume, OneIdResumesSeveralTopics) {
  start();
  std::vector<std::string> ids;
  for (int i = 0; i < 12; ++i) {
    const std::string topic(1, static_cast<char>('a' + i % 3));
    ids.push_back(publish("stream=" + topic, topic + std::to_string(i)));
  }
  TestSubscriber stream = resume("/events?stream=c&stream=a", ids[4]);
  EXPECT_THAT(data_until_marker(stream, "a"), ElementsAre("c5", "a6", "c8", "a9", "c11"));
  const auto& events = stream.events();
  EXPECT_TRUE(std::is_sorted(events.begin(), events.end(), [](const auto& x, const auto& y) {
    return std::stoul(x.id.substr(9)) < std::stoul(y.id.substr(9));
  }));
}

TEST_P(ServerResume, TheIdOfATopicThatIsNotReadIsAPositionToo) {
  start();
  publish("stream=a", "1");
  const std::string id = publish("stream=b", "2");
  publish("stream=a", "3");
  TestSubscriber stream = resume("/events?stream=a", id);
  EXPECT_THAT(data_until_marker(stream, "a"), ElementsAre("3"));
}

TEST_P(ServerResume, ByThePublishersId) {
  start();
  publish("stream=a&id=one", "1");
  publish("stream=a&id=two", "2");
  publish("stream=a", "3");
  publish("stream=a&id=%C3%A4%20b", "4");
  TestSubscriber stream = resume("/events?stream=a", "one");
  EXPECT_THAT(data_until_marker(stream, "a"), ElementsAre("2", "3", "4"));
  TestSubscriber utf8 = resume("/events?stream=a", "\xC3\xA4 b");
  EXPECT_EQ(utf8.wait_data(1)[0], kMarker);
}

TEST_P(ServerResume, EarliestIsEverythingKept) {
  start();
  for (int i = 0; i < 3; ++i) publish("stream=a", std::to_string(i));
  TestSubscriber by_header = resume("/events?stream=a", "earliest");
  TestSubscriber by_query = subscribe("/events?stream=a&last_event_id=earliest");
  EXPECT_THAT(by_header.wait_data(3), ElementsAre("0", "1", "2"));
  EXPECT_THAT(data_until_marker(by_query, "a"), ElementsAre("0", "1", "2"));
}

TEST_P(ServerResume, AnUnknownIdIsToldAndGetsWhatIsKept) {
  start();
  publish("stream=a", "kept");
  for (const std::string id : {"nonsense", "00000000-1", "ffffffff-99999999999"}) {
    TestSubscriber stream = resume("/events?stream=a", id);
    stream.wait_events(2);
    EXPECT_EQ(stream.events()[0].type, "gap");
    EXPECT_THAT(stream.events()[0].data,
                AllOf(HasSubstr(R"("reason":"unknown_id")"), HasSubstr("\"last_event_id\":\"" + id),
                      HasSubstr(R"("topics":["a"])")));
    EXPECT_EQ(stream.events()[1].data, "kept");
    EXPECT_NE(stream.events()[0].id, id) << "the gap is told once";
  }
  EXPECT_EQ(sum(&ShardMetrics::gaps), 3U);
}

// reqwest-eventsource sends it at reconnects if it has met no id in an event; browsers send none.
TEST_P(ServerResume, AHeaderWithoutAValueIsTold) {
  start();
  publish("stream=a", "kept");
  TestSubscriber stream = resume("/events?stream=a", "");
  stream.wait_events(2);
  EXPECT_THAT(stream.events()[0].data, HasSubstr(R"({"reason":"unknown_id","last_event_id":"",)"));
  EXPECT_EQ(stream.events()[1].data, "kept");
  EXPECT_EQ(sum(&ShardMetrics::gaps), 1U);
  EXPECT_EQ(sum(&ShardMetrics::resumed), 1U);
}

TEST_P(ServerResume, APositionInTheQueryCountsBesideAHeaderWithoutAValue) {
  start();
  const std::string first = publish("stream=a", "1");
  publish("stream=a", "2");
  TestSubscriber exact = resume("/events?stream=a&lastEventId=" + first, "");
  EXPECT_THAT(exact.wait_data(1), ElementsAre("2"));
  TestSubscriber earliest = resume("/events?stream=a&lastEventId=earliest", "");
  EXPECT_THAT(earliest.wait_data(2), ElementsAre("1", "2"));
}

// A page may be made with one, and a polyfill appends one.
TEST_P(ServerResume, AQueryWithoutAValueIsNoPosition) {
  start();
  publish("stream=a", "before");
  TestSubscriber stream = subscribe("/events?stream=a&lastEventId=&last_event_id=");
  EXPECT_THAT(data_until_marker(stream, "a"), IsEmpty());
}

TEST_P(ServerResume, AnExpiredIdIsToldAndGetsWhatIsKept) {
  options.history_count = 3;
  start();
  const std::string id = publish("stream=a", "0");
  for (int i = 1; i < 8; ++i) publish("stream=a", std::to_string(i));
  TestSubscriber stream = resume("/events?stream=a", id);
  EXPECT_THAT(stream.wait_events(1)[0].data, HasSubstr(R"("reason":"expired")"));
  EXPECT_THAT(data_until_marker(stream, "a"), ElementsAre("gap", "5", "6", "7"));
}

TEST_P(ServerResume, AnIdFromBeforeARestartIsRecognised) {
  start();
  const std::string id = publish("stream=a", "before");
  stop();
  start();
  publish("stream=a", "after");
  TestSubscriber stream = resume("/events?stream=a", id);
  EXPECT_THAT(stream.wait_events(1)[0].data, HasSubstr(R"("reason":"unknown_id")"));
  EXPECT_THAT(data_until_marker(stream, "a"), ElementsAre("gap", "after"));
}

TEST_P(ServerResume, WithoutHistoryEverythingIsAGap) {
  options.history_count = 0;
  start();
  const std::string id = publish("stream=a", "1");
  publish("stream=a", "2");
  TestSubscriber stream = resume("/events?stream=a", id);
  EXPECT_THAT(data_until_marker(stream, "a"), ElementsAre("gap"));
  TestSubscriber earliest = resume("/events?stream=a", "earliest");
  EXPECT_THAT(data_until_marker(earliest, "a"), IsEmpty());
}

TEST_P(ServerResume, HistoryEndsByAge) {
  options.history_age_s = 1;
  start();
  publish("stream=a", "old");
  // Whether it is young enough is decided when somebody asks.
  EXPECT_TRUE(eventually([&] {
    TestSubscriber stream = subscribe("/events?stream=a&last_event_id=earliest");
    return data_until_marker(stream, "a") == std::vector<std::string>{} ||
           stream.events().front().data != "old";
  }));
}

// Where several workers append, the bound still holds: exactly the newest are kept.
TEST_P(ServerResume, HistoryIsBoundedWithPublishersOnAllShards) {
  constexpr std::size_t kKept = 100;
  constexpr int kEach = 300;
  options.history_count = kKept;
  start();
  std::vector<std::future<void>> publishers;
  for (int i = 0; i < 8; ++i) {
    publishers.push_back(std::async(std::launch::async, [this, i] {
      TestClient client = connect();
      std::string requests;
      for (int j = 0; j < kEach; ++j) {
        requests += post("stream=a", std::to_string(i) + "." + std::to_string(j));
      }
      client.send(requests);
      for (int j = 0; j < kEach; ++j) {
        if (client.response().status != 204) throw std::runtime_error("refused");
      }
    }));
  }
  for (auto& publisher : publishers) publisher.get();
  TestSubscriber stream = subscribe("/events?stream=a&last_event_id=earliest");
  stream.wait_events(kKept);
  const auto first = std::stoul(stream.events().front().id.substr(9));
  EXPECT_EQ(first, 8U * kEach - kKept + 1);
  EXPECT_EQ(data_until_marker(stream, "a").size(), kKept);
  EXPECT_LT(metric("tocsin_log_bytes"), 200'000);
}

}  // namespace
}  // namespace tocsin::net
