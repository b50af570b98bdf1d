#include "proto/sse/event.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "proto/limits.h"

namespace tocsin::proto {
namespace {

using namespace std::string_view_literals;

EventView valid() {
  return {.topic = "news", .type = "tick", .id = "7", .data = "hello"};
}

// The field that check() complains about; empty if it does not.
std::string refused_field(const EventView& event) {
  const auto error = check(event);
  if (!error) return "";
  EXPECT_FALSE(error->message.empty());
  EXPECT_EQ(error->line, 0U);
  return error->field;
}

TEST(EventTest, AcceptsWhatTheWireCanCarry) {
  EXPECT_EQ(refused_field(valid()), "");
  EXPECT_EQ(refused_field({.data = "x"}), "");
  EXPECT_EQ(refused_field({.topic = "https://example.com/books/{id}", .data = "\r\n\0 x"sv}), "");
  EXPECT_EQ(refused_field({.topic = "новости", .type = "ティック", .id = "ключ 1", .data = "鐘"}),
            "");
}

// A browser dispatches it: it has a `data:` line.
TEST(EventTest, DataMayBeEmpty) {
  EXPECT_EQ(refused_field({.type = "refresh"}), "");
  EXPECT_EQ(refused_field({}), "");
}

TEST(EventTest, ErrorsCallTheMembersAsThePublisherDid) {
  const MemberNames names{.topic = "stream", .type = "event", .data = "msg"};
  const auto field = [&](const EventView& event) { return check(event, names).value().field; };
  EXPECT_EQ(field({.topic = "a\nb"}), "stream");
  EXPECT_EQ(field({.type = "a\nb"}), "event");
  EXPECT_EQ(field({.type = kGapEvent}), "event");
  EXPECT_EQ(field({.data = "\xFF"}), "msg");
  const std::string large(limits::kMaxEventData + 1, 'x');
  EXPECT_EQ(field({.data = large}), "msg");
  EXPECT_EQ(given_twice("a", "a"), (InputError{.field = "a", .message = "is given twice"}));
  EXPECT_EQ(
      given_twice("topic", "stream"),
      (InputError{.field = "topic", .message = "is given twice; stream is another name for it"}));
}

TEST(EventTest, RefusesControlCharactersInNames) {
  for (int c = 0; c < 0x20; ++c) {
    const std::string name = std::string("a") + static_cast<char>(c) + "b";
    EventView event = valid();
    event.topic = name;
    EXPECT_EQ(refused_field(event), "topic") << c;
    event = valid();
    event.type = name;
    EXPECT_EQ(refused_field(event), "type") << c;
  }
  EventView event = valid();
  for (const auto name : {"a\x7F"sv, "a\u009B"sv, "a\u202E"sv, "a\u2028"sv}) {
    event.type = name;
    EXPECT_EQ(refused_field(event), "type");
    EXPECT_FALSE(is_topic_name(name));
  }
}

// What a Last-Event-ID field could not carry back.
TEST(EventTest, RefusesIdsThatCannotResume) {
  for (const auto id : {"a\nb"sv, "a\rb"sv, "a\0b"sv, "\n"sv, "\0"sv, "a\tb"sv, "a\x01"sv,
                        "a\x7f"sv, " a"sv, "a "sv, " "sv}) {
    EventView event = valid();
    event.id = id;
    EXPECT_EQ(refused_field(event), "id") << id;
  }
  EventView event = valid();
  event.id = "a b";
  EXPECT_EQ(refused_field(event), "");
}

TEST(EventTest, RefusesTheHubsOwnTypes) {
  EventView event = valid();
  for (const auto type : {"gap"sv, "open"sv, "expired"sv}) {
    event.type = type;
    EXPECT_EQ(refused_field(event), "type");
  }
  event.type = "opened";
  EXPECT_EQ(refused_field(event), "");
}

TEST(EventTest, RefusesInvalidUtf8Everywhere) {
  // A lone byte, a cut sequence, an overlong slash, a surrogate, beyond U+10FFFF; and the same
  // behind 200 bytes, where another code path looks.
  for (const auto bad :
       {"\xFF"sv, "\xE2\x82"sv, "\xC0\xAF"sv, "\xED\xA0\x80"sv, "\xF4\x90\x80\x80"sv}) {
    const std::string far = std::string(200, 'x') + std::string(bad);
    for (const std::string_view text : {bad, std::string_view(far)}) {
      EventView event = valid();
      event.topic = text;
      EXPECT_EQ(refused_field(event), "topic");
      event = valid();
      event.type = text;
      EXPECT_EQ(refused_field(event), "type");
      event = valid();
      event.id = text;
      EXPECT_EQ(refused_field(event), "id");
      event = valid();
      event.data = text;
      EXPECT_EQ(refused_field(event), "data");
    }
  }
}

TEST(EventTest, SizesEndExactlyAtTheLimits) {
  const std::string text(limits::kMaxEventData + 1, 'x');
  const auto of = [&](std::size_t size) { return std::string_view(text).substr(0, size); };
  EventView event{.topic = of(limits::kMaxTopicName),
                  .type = of(limits::kMaxEventType),
                  .id = of(limits::kMaxEventId),
                  .data = of(limits::kMaxEventData),
                  .retry_ms = limits::kMaxRetryMs};
  EXPECT_EQ(refused_field(event), "");

  EventView longer = event;
  longer.topic = of(limits::kMaxTopicName + 1);
  EXPECT_EQ(refused_field(longer), "topic");
  longer = event;
  longer.type = of(limits::kMaxEventType + 1);
  EXPECT_EQ(refused_field(longer), "type");
  longer = event;
  longer.id = of(limits::kMaxEventId + 1);
  EXPECT_EQ(refused_field(longer), "id");
  longer = event;
  longer.data = of(limits::kMaxEventData + 1);
  EXPECT_EQ(refused_field(longer), "data");
  longer = event;
  longer.retry_ms = limits::kMaxRetryMs + 1;
  EXPECT_EQ(refused_field(longer), "retry");
}

TEST(EventTest, TopicNames) {
  EXPECT_TRUE(is_topic_name(kDefaultTopic));
  EXPECT_TRUE(is_topic_name("a b/č"));
  EXPECT_FALSE(is_topic_name(""));
  EXPECT_FALSE(is_topic_name("a\nb"));
  EXPECT_FALSE(is_topic_name("a\xFF"));
  EXPECT_TRUE(is_topic_name(std::string(limits::kMaxTopicName, 't')));
  EXPECT_FALSE(is_topic_name(std::string(limits::kMaxTopicName + 1, 't')));
}

}  // namespace
}  // namespace tocsin::proto
