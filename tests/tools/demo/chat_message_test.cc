#include "tools/demo/chat_message.h"

#include <array>
#include <string>

#include <gmock/gmock.h>

#include "tests/tools/demo/zone.h"

namespace tocsin::demo {
namespace {

using testing::HasSubstr;

TEST(ChatName, OfAnyLanguageIsTaken) {
  for (const char* name : {"ann", "Ann-Marie O'Hara", "шуба", "愛子", "a/b", "\U0001F514", "é"}) {
    EXPECT_FALSE(check_chat_name(name, "from")) << name;
  }
  EXPECT_FALSE(check_chat_name(std::string(kMaxChatName, 'x'), "from"));
  std::string long_in_bytes;
  for (std::size_t i = 0; i < kMaxChatName; ++i) long_in_bytes += "愛";
  EXPECT_FALSE(check_chat_name(long_in_bytes, "from"));
  EXPECT_TRUE(check_chat_name(long_in_bytes + "x", "from"));
}

TEST(ChatName, ThatDeceivesOrIsNoneIsRefusedWithItsField) {
  for (const char* name : {"", " ann", "ann ", "a\nb", "a\x7F", "a\u200Bb", "a\u202Eb", "\uFEFF",
                           "a\u0085", "\u3000", "a\u00A0b", "a\u00ADb", "\U000E0041", "\u3164"}) {
    const auto error = check_chat_name(name, "username");
    ASSERT_TRUE(error) << name;
    EXPECT_EQ(error->field, "username");
    EXPECT_FALSE(error->message.empty());
  }
  EXPECT_TRUE(check_chat_name(std::string("a\0b", 3), "to"));
  EXPECT_TRUE(check_chat_name(std::string(kMaxChatName + 1, 'x'), "to"));
}

TEST(ChatMessage, MustSaySomethingAndNotTooMuch) {
  EXPECT_FALSE(check_chat_message("x"));
  EXPECT_FALSE(check_chat_message("two\nlines"));
  EXPECT_FALSE(check_chat_message(std::string(kMaxChatMessage, 'x')));
  EXPECT_EQ(check_chat_message("")->field, "message");
  EXPECT_TRUE(check_chat_message(" \r\n\t"));
  EXPECT_THAT(check_chat_message(std::string(kMaxChatMessage + 1, 'x'))->message,
              HasSubstr("2000"));
}

TEST(ChatMessage, IsJsonWithItsFieldsInOrder) {
  const Zone zone("UTC");
  const ChatMessage message{.type = "direct",
                            .from = "kitex",
                            .to = "hertz",
                            .text = "hello \"hertz\"\n",
                            .time = WallClock::time_point{std::chrono::microseconds(1'000'042)}};
  EXPECT_EQ(to_json(message),
            R"({"Type":"direct","From":"kitex","To":"hertz","Message":"hello \"hertz\"\n",)"
            R"("Timestamp":"1970-01-01T00:00:01.000042Z"})");
}

TEST(ChatPresence, ListsWhoIsHere) {
  const Zone zone("UTC");
  const std::array<std::string_view, 2> users{"ann", "b\"b"};
  ChatPresence presence{.type = "joined", .from = "ann", .users = users, .count = 2};
  EXPECT_EQ(to_json(presence),
            R"({"Type":"joined","From":"ann","Timestamp":"1970-01-01T00:00:00.000000Z",)"
            R"("Users":["ann","b\"b"],"Count":2})");
  presence.users = {};
  presence.count = 0;
  EXPECT_THAT(to_json(presence), HasSubstr(R"("Users":[],"Count":0})"));
}

}  // namespace
}  // namespace tocsin::demo
