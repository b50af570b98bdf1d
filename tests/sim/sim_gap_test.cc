// How often a client is told that something is missing, wherever its replay is cut.
#include <fmt/format.h>

#include "proto/sse/event_id.h"
#include "tests/sim/world/scenario.h"

namespace tocsin::sim {
namespace {

struct Told {
  bool gap = false;
  Sequence id = 0;  // the client's position from here on
};

class SimGap : public ::testing::Test {
 protected:
  static WorldOptions options_of() {
    WorldOptions options = plain();
    options.server.history_count = 3;
    return options;
  }
  void publish(const std::string& topic, int count) {
    for (int i = 0; i < count; ++i) scenario.publish(topic, "x");
    EXPECT_TRUE(scenario.world.settle());
  }
  // All that a client at this position is sent.
  std::vector<Told> resume(std::string_view query, Sequence position) {
    const SocketRef socket = scenario.world.kernel.connect_to(0, 1);
    scenario.world.kernel.write(
        *socket, fmt::format("GET /events?{} HTTP/1.1\r\nHost: h\r\nLast-Event-ID: {}\r\n\r\n",
                             query, proto::to_string({World::kEpoch, position})));
    EXPECT_TRUE(scenario.world.settle());
    const std::string answer = FakeKernel::read(*socket, SIZE_MAX);
    FakeKernel::close(*socket);
    EXPECT_TRUE(scenario.world.settle());
    std::vector<Told> told;
    proto::SseParser parser([&](const proto::ReceivedEvent& event) {
      const auto id = proto::parse_event_id(event.last_event_id);
      EXPECT_TRUE(id.has_value());
      told.push_back({.gap = event.type == proto::kGapEvent, .id = id->sequence});
    });
    EXPECT_TRUE(parser.feed(std::string_view{answer}.substr(answer.find("\r\n\r\n") + 4)));
    return told;
  }
  // Cut behind anything that it was sent, a client is sent the rest, each event once, and told
  // again exactly while it is before `end_of_hole`.
  void cut_everywhere(std::string_view query, Sequence position, Sequence end_of_hole) {
    const std::vector<Told> whole = resume(query, position);
    ASSERT_FALSE(whole.empty());
    EXPECT_TRUE(whole.front().gap) << "first of all";
    for (const Told& last : whole) {
      std::vector<Sequence> expected;
      for (const Told& told : whole) {
        if (!told.gap && told.id > last.id) expected.push_back(told.id);
      }
      std::vector<Sequence> rest;
      std::size_t gaps = 0;
      for (const Told& told : resume(query, last.id)) {
        if (told.gap) {
          ++gaps;
        } else {
          rest.push_back(told.id);
        }
      }
      EXPECT_EQ(rest, expected) << "cut behind " << last.id;
      EXPECT_EQ(gaps, last.id < end_of_hole ? 1U : 0U) << "cut behind " << last.id;
    }
  }

  SimScenario scenario{options_of()};
};

TEST_F(SimGap, IsToldOnceOfOneTopic) {
  publish("a", 10);
  cut_everywhere("stream=a", 1, 7);
  const std::vector<Told> told = resume("stream=a", 1);
  EXPECT_EQ(told.front().id, 7U) << "the end of the hole";
}

// The gap's id cannot be behind what another topic keeps: those events would be lost to who is cut.
TEST_F(SimGap, OfSeveralTopicsIsToldAgainUntilTheReplayIsPastTheHole) {
  publish("busy", 4);
  publish("quiet", 3);
  publish("busy", 10);
  cut_everywhere("stream=quiet&stream=busy", 1, 14);
  const std::vector<Told> told = resume("stream=busy&stream=quiet", 1);
  EXPECT_EQ(told.front().id, 4U) << "right before the first that comes";
  EXPECT_EQ(told.size(), 1U + 3 + 3);
}

TEST_F(SimGap, OfSeveralTopicsWithHolesTheLastOneCounts) {
  publish("a", 10);
  publish("b", 10);
  cut_everywhere("stream=a&stream=b", 1, 17);
}

// Another topic alone is no reason to be told again.
TEST_F(SimGap, IsToldOnceWhereTheOtherTopicsKeepNothingFromBeforeItsEnd) {
  publish("quiet", 1);
  publish("busy", 10);
  publish("later", 3);
  cut_everywhere("stream=quiet&stream=busy&stream=later&stream=empty", 2, 8);
  EXPECT_EQ(resume("stream=quiet&stream=busy", 2).front().id, 8U) << "the end of the hole";
}

// The same of a position that means nothing any more.
TEST_F(SimGap, OfAnUnknownPositionIsToldOnce) {
  publish("busy", 10);
  publish("later", 3);
  cut_everywhere("stream=busy&stream=later", 999, 7);
}

}  // namespace
}  // namespace tocsin::sim
