// The texts of a history in Redis, and what is none of them.
#include "net/redis/stored_history.h"

#include <initializer_list>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

using testing::ElementsAre;

class StoredHistoryTest : public testing::Test {
 protected:
  // What the server answers, as RESP.
  const RespValue& reply(const std::string& bytes) {
    reader_.emplace(1000);
    reader_->feed(bytes);
    const RespValue* value = reader_->next();
    EXPECT_NE(value, nullptr) << bytes;
    return *value;
  }
  static std::string list(std::initializer_list<std::string> words) {
    std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
    for (const std::string& word : words) {
      bytes += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
    }
    return bytes;
  }
  std::optional<StoredEntry> entry(const std::string& id,
                                   std::initializer_list<std::string> fields) {
    return parse_entry(
        reply("*2\r\n$" + std::to_string(id.size()) + "\r\n" + id + "\r\n" + list(fields)));
  }

 private:
  std::optional<RespReader> reader_;
};

TEST_F(StoredHistoryTest, AnIdIsTwoNumbers) {
  EXPECT_EQ(parse_entry_id("17-18446744073709551615"), (EntryId{17, ~core::Sequence{0}}));
  EXPECT_EQ(to_string(EntryId{17, 4}), "17-4");
  for (const char* text : {"", "-", "1", "1-", "-1", "1-2-3", "1-x", "18446744073709551616-1"}) {
    EXPECT_FALSE(parse_entry_id(text)) << text;
  }
}

TEST_F(StoredHistoryTest, AHeadIsReadAsItWasWritten) {
  const auto head = parse_head(
      reply(list({"4294967295", "1700000000000", "9007199254740993", "1:2:3,4:5:6,", "77", "99"})));
  ASSERT_TRUE(head);
  EXPECT_EQ(head->epoch, 4294967295U);
  EXPECT_EQ(head->last, 9007199254740993U);
  EXPECT_THAT(head->older, ElementsAre(StoredHead::Older{1, 2, 3}, StoredHead::Older{4, 5, 6}));
  EXPECT_EQ(head->older_text(), "1:2:3,4:5:6,");
  EXPECT_EQ(head->now_ms, 99U);
}

TEST_F(StoredHistoryTest, WhatIsNoHeadIsNone) {
  EXPECT_FALSE(parse_head(reply("-NOSCRIPT\r\n")));
  EXPECT_FALSE(parse_head(reply("$-1\r\n")));
  EXPECT_FALSE(parse_head(reply("*0\r\n")));
  EXPECT_FALSE(parse_head(reply(list({"4294967296", "1", "1", "", "0", "0"})))) << "no epoch";
  EXPECT_FALSE(parse_head(reply(list({"1", "1", "1.2e+14", "", "0", "0"}))));
  for (const char* older : {"1", "1:2", "1:2:3", "1:2:3;", "x:2:3,", ",", "1:2:3,,"}) {
    EXPECT_FALSE(parse_head(reply(list({"1", "1", "1", older, "0", "0"})))) << older;
  }
}

TEST_F(StoredHistoryTest, AnEntryHasItsPlaceInTheHistoryOfAHead) {
  const StoredHead head{.epoch = 9,
                        .generation = 70,
                        .last = 40,
                        .older = {{5, 50, 10}, {6, 60, 10}, {7, 65, 30}}};
  const auto place = [&](std::uint64_t generation, core::Sequence last) {
    return place_of({.id = {generation, last}, .events = 3}, head);
  };
  EXPECT_EQ(place(70, 40), (core::Place{9, 38, 40}));
  EXPECT_EQ(place(65, 30), (core::Place{7, 28, 30}));
  EXPECT_EQ(place(50, 10), (core::Place{5, 8, 10}));
  EXPECT_FALSE(place(70, 41)) << "behind the head";
  EXPECT_FALSE(place(65, 31)) << "lost at the fork";
  EXPECT_FALSE(place(40, 5)) << "of an epoch that is forgotten";
  EXPECT_FALSE(place(80, 40)) << "of one that nobody has begun";
  EXPECT_EQ(head.generation_behind(0), 50U);
  EXPECT_EQ(head.generation_behind(9), 50U);
  EXPECT_EQ(head.generation_behind(10), 65U);
  EXPECT_EQ(head.generation_behind(29), 65U);
  EXPECT_EQ(head.generation_behind(30), 70U);
}

TEST_F(StoredHistoryTest, AnEntryIsACommitOrBeginsAnEpoch) {
  const auto commit = entry("7-12", {"n", "3", "p", "me", "k", "5", "t", "88", "d", "bytes"});
  ASSERT_TRUE(commit);
  EXPECT_EQ(commit->id, (EntryId{7, 12}));
  EXPECT_EQ(commit->events, 3U);
  EXPECT_EQ(commit->producer, "me");
  EXPECT_EQ(commit->number, 5U);
  EXPECT_EQ(commit->time_ms, 88U);
  EXPECT_EQ(commit->bytes, "bytes");
  const auto opens = entry("8-12", {"open", "99"});
  ASSERT_TRUE(opens);
  EXPECT_EQ(opens->events, 0U);
  EXPECT_EQ(opens->opens, 99U);
}

TEST_F(StoredHistoryTest, AnEntryOfOthersIsNone) {
  EXPECT_FALSE(entry("7-12", {"message", "hello"}));
  EXPECT_FALSE(entry("7-12", {"message", "hello", "x", "y"}));
  EXPECT_FALSE(entry("7-12", {"n", "13", "d", "more events than there are"}));
  EXPECT_FALSE(entry("7-12", {"n", "0", "d", ""}));
  EXPECT_FALSE(entry("7-12", {"n", "x", "d", ""}));
  EXPECT_FALSE(entry("7-12", {"open", "4294967296"}));
  EXPECT_FALSE(entry("x", {"open", "1"}));
  EXPECT_FALSE(parse_entry(reply("$-1\r\n")));
  EXPECT_FALSE(parse_entry(reply(list({"7-12", "n"}))));
}

TEST_F(StoredHistoryTest, AMarkIsAnIdAndBytes) {
  const auto mark = parse_mark("7-12 400 1700000000000");
  ASSERT_TRUE(mark);
  EXPECT_EQ(mark->id, (EntryId{7, 12}));
  EXPECT_EQ(mark->bytes, 400U);
  for (const char* text : {"", "7-12", "7-12 x", "7 400 1"}) EXPECT_FALSE(parse_mark(text)) << text;
}

}  // namespace
}  // namespace tocsin::net
