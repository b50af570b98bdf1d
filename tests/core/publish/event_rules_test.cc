// What may come into a history that no publisher of this hub has sent.
#include "core/publish/event_rules.h"

#include <string>

#include <gtest/gtest.h>

#include "proto/limits.h"

namespace tocsin::core {
namespace {

class EventRulesTest : public testing::Test {
 protected:
  EventRulesTest() { epochs_.fork(0x2a, 10); }

  [[nodiscard]] bool is_good(const NewEvent& event) const {
    return is_publishable(event, epochs_);
  }

  Epochs epochs_{0x1f};
};

TEST_F(EventRulesTest, TheHubsIdsAreReserved) {
  for (const char* id : {"earliest", "0000001f-1", "0000002a-99", "0000002a-0"}) {
    EXPECT_TRUE(is_reserved_id(id, epochs_)) << id;
    EXPECT_FALSE(is_good({.topic = "a", .id = id, .body = "data: 1\n"})) << id;
  }
  for (const char* id : {"", "0000002b-1", "2a-1", "0000002a", "0000002a-", "0000002A-1"}) {
    EXPECT_FALSE(is_reserved_id(id, epochs_)) << id;
    EXPECT_TRUE(is_good({.topic = "a", .id = id, .body = "data: 1\n"})) << id;
  }
}

TEST_F(EventRulesTest, NamesAreThoseThatMayBePublished) {
  const auto named = [](std::string_view topic) {
    return NewEvent{.topic = topic, .id = "", .body = "data: 1\n"};
  };
  EXPECT_TRUE(is_good(named(std::string(limits::kMaxTopicName, 'a'))));
  EXPECT_FALSE(is_good(named(std::string(limits::kMaxTopicName + 1, 'a'))));
  EXPECT_TRUE(is_good(named("\x1f" "1"))) << "a stream's own";
  EXPECT_FALSE(is_good(named("\x1f" + std::string(limits::kMaxTopicName, 'a'))));
  for (const char* topic : {"", "a\nb", "\x1b[31m", "\xff", "a\x1f"}) {
    EXPECT_FALSE(is_good(named(topic))) << topic;
  }
}

TEST_F(EventRulesTest, IdsAreThoseThatMayBePublished) {
  const auto with_id = [](std::string_view id) {
    return NewEvent{.topic = "a", .id = id, .body = "data: 1\n"};
  };
  EXPECT_TRUE(is_good(with_id(std::string(limits::kMaxEventId, 'i'))));
  EXPECT_FALSE(is_good(with_id(std::string(limits::kMaxEventId + 1, 'i'))));
  for (const char* id : {"a\ndata: b", " a", "a ", "\xff"}) {
    EXPECT_FALSE(is_good(with_id(id))) << id;
  }
}

TEST_F(EventRulesTest, BodiesAreOneFrameOfAnEventThatMayBePublished) {
  const auto with_body = [](std::string_view body) {
    return NewEvent{.topic = "a", .id = "", .body = body};
  };
  EXPECT_TRUE(is_good(with_body("event: tick\nretry: 5\ndata: x\ndata: \n")));
  const std::string longest(limits::kMaxEncodedBatch - std::string_view("data: \n").size(), 'x');
  EXPECT_TRUE(is_good(with_body("data: " + longest + "\n")));
  EXPECT_FALSE(is_good(with_body("data: x" + longest + "\n")));
  EXPECT_FALSE(is_good(with_body("event: gap\ndata: {}\n"))) << "the hub's own";
  EXPECT_FALSE(is_good(with_body("retry: 86400001\ndata: \n")));
  const std::string long_type(limits::kMaxEventType + 1, 't');
  EXPECT_FALSE(is_good(with_body("event: " + long_type + "\ndata: \n")));
  EXPECT_FALSE(is_good(with_body("data: a\n\nid: 9\ndata: b\n"))) << "two";
}

}  // namespace
}  // namespace tocsin::core
