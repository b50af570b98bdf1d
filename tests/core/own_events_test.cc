#include "core/own_events.h"

#include <gtest/gtest.h>

#include "tests/core/hub_fixture.h"

namespace tocsin::core {
namespace {

class OwnEventsTest : public HubTest {
 protected:
  std::string frame(GapReason reason, std::string_view last_event_id, Topics topics) {
    std::string out = "before";
    const Subscription at = live(topics);
    append_gap_frame(out, reason, last_event_id, at.topics, {kEpoch, 42});
    return out;
  }
};

TEST_F(OwnEventsTest, IsOneEventThatMovesTheClientOn) {
  EXPECT_EQ(frame(GapReason::expired, "9f3c21ab-7", {"news"}),
            "beforeevent: gap\n"
            "data: {\"reason\":\"expired\",\"last_event_id\":\"9f3c21ab-7\",\"topics\":[\"news\"]}"
            "\nid: 9f3c21ab-42\n\n");
}

TEST_F(OwnEventsTest, NamesAllTopics) {
  EXPECT_EQ(frame(GapReason::slow, "", {"a", "b", "c"}),
            "beforeevent: gap\n"
            "data: {\"reason\":\"slow\",\"last_event_id\":\"\",\"topics\":[\"a\",\"b\",\"c\"]}"
            "\nid: 9f3c21ab-42\n\n");
}

// The client chose the id and the name: they must not write fields of their own.
TEST_F(OwnEventsTest, EscapesWhatTheClientSent) {
  const std::string out =
      frame(GapReason::unknown_id, "x\"\\\r\ndata: injected\n\nid: 1", {"q\"["});
  EXPECT_NE(out.find("\\\"\\\\"), std::string::npos) << out;
  EXPECT_NE(out.find("\"q\\\"[\""), std::string::npos) << out;
  EXPECT_EQ(out.find('\r'), std::string::npos);
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 4) << out;
}

TEST_F(OwnEventsTest, ATopicMayEndInABracket) {
  EXPECT_NE(frame(GapReason::slow, "", {"[", "["}).find("\"topics\":[\"[\"]}"), std::string::npos);
  EXPECT_NE(frame(GapReason::slow, "", {"[", "]"}).find("[\"[\",\"]\"]"), std::string::npos);
}

TEST_F(OwnEventsTest, TheOpeningSaysTopicsAndPosition) {
  std::string out = "before";
  append_open_frame(out, live({"a", "b\""}).topics, "9f3c21ab-42");
  EXPECT_EQ(out,
            "beforeevent: open\n"
            "data: {\"topics\":[\"a\",\"b\\\"\"],\"position\":\"9f3c21ab-42\"}"
            "\nid: 9f3c21ab-42\n\n");
  out.clear();
  append_open_frame(out, {}, "");
  EXPECT_EQ(out, "event: open\ndata: {\"topics\":[],\"position\":\"\"}\n\n");
}

TEST_F(OwnEventsTest, EveryReasonHasAName) {
  EXPECT_EQ(to_string(GapReason::expired), "expired");
  EXPECT_EQ(to_string(GapReason::unknown_id), "unknown_id");
  EXPECT_EQ(to_string(GapReason::slow), "slow");
}

TEST(OwnEvents, TheEndOfARight) {
  std::string out;
  append_expired_frame(out, RightLoss::expired);
  append_expired_frame(out, RightLoss::revoked);
  EXPECT_EQ(out,
            "event: expired\ndata: {\"reason\":\"expired\"}\n\n"
            "event: expired\ndata: {\"reason\":\"revoked\"}\n\n");
}

}  // namespace
}  // namespace tocsin::core
