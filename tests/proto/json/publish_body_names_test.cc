// What errors call the members of an event, and which of them may be left out.
#include <expected>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "proto/json/publish_body.h"
#include "proto/limits.h"

namespace tocsin::proto {
namespace {

class PublishBodyNamesTest : public ::testing::Test {
 protected:
  // The first event, valid until the next call.
  std::expected<EventView, InputError> read(std::string_view text, BodyForm form = BodyForm::json,
                                            const EventView& defaults = {},
                                            const MemberNames& names = {}) {
    body_ = text;
    body_.reserve(body_.size() + 64);
    const auto events = reader_.read(body_, form, defaults, names);
    if (!events) return std::unexpected(events.error());
    return (*events)->front();
  }

 private:
  PublishBodyReader reader_;
  std::string body_;
};

// An event that is only a type: whoever means it says so; data that was forgotten is told.
TEST_F(PublishBodyNamesTest, DataMayBeEmptyButNotMissing) {
  EXPECT_EQ(read(R"({"type":"refresh","data":""})").value(),
            (EventView{.type = "refresh", .data = ""}));
  EXPECT_EQ(read("{\"data\":\"\"}\n", BodyForm::ndjson).value(), EventView{});
  EXPECT_EQ(read(R"([{"data":""},{"type":"refresh"}])").error(),
            (InputError{.field = "data",
                        .message = "is missing; an event without data has \"data\":\"\"",
                        .line = 2}));
}

TEST_F(PublishBodyNamesTest, AMisspeltKeyIsToldWhatWasMeant) {
  const auto says = [this](auto body) { return read(body).error().message; };
  EXPECT_EQ(says(R"({"streem":"a","data":"x"})"), "unknown key; did you mean stream?");
  EXPECT_EQ(says(R"({"topics":"a","data":"x"})"), "unknown key; did you mean topic?");
  EXPECT_EQ(says(R"({"Data":"x"})"), "unknown key; did you mean data?");
  EXPECT_EQ(says(R"({"channel":"a","data":"x"})"),
            "unknown key; known are stream, topic, type, event, id, retry, data");
}

TEST_F(PublishBodyNamesTest, ErrorsSpeakOfWhatTheQueryCallsTheDefaults) {
  const MemberNames names{.topic = "stream", .type = "event", .data = "msg"};
  const auto field = [&](std::string_view body, BodyForm form, const EventView& defaults) {
    const auto event = read(body, form, defaults, names);
    return event ? "none" : event.error().field;
  };
  EXPECT_EQ(field("x", BodyForm::text, {.topic = "\n"}), "stream");
  EXPECT_EQ(field("x", BodyForm::text, {.type = "gap"}), "event");
  EXPECT_EQ(field("\xFF", BodyForm::text, {}), "msg");
  EXPECT_EQ(field(R"({"data":"x"})", BodyForm::json, {.topic = "\n"}), "stream");
  EXPECT_EQ(field(R"({"topic":"\n","data":"x"})", BodyForm::json, {}), "topic");
  EXPECT_EQ(field(R"([{"type":"\n","data":"x"}])", BodyForm::json, {.type = "y"}), "type");
}

TEST_F(PublishBodyNamesTest, WhatWasWrittenAsJsonIsKnownToBeJson) {
  const auto is_json = [this](const std::string& value) {
    return read("{\"data\":" + value + "}").value().json;
  };
  for (const auto* value : {"1", "true", "null", "[]", "{\"a\":1}"}) EXPECT_TRUE(is_json(value));
  for (const auto* value : {"\"\"", "\"1\"", "\"\\u005b]\""}) EXPECT_FALSE(is_json(value));
}

}  // namespace
}  // namespace tocsin::proto
