#include "net/state/stream_inquiry.h"

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/server_options.h"
#include "net/state/server_state.h"
#include "proto/limits.h"

namespace tocsin::net {
namespace {

using testing::ElementsAre;
using testing::Pair;
using testing::SizeIs;
using Kind = StreamQuestion::Kind;

TEST(StreamId, IsReadBack) {
  const StreamId id{.shard = 127, .slot = 0xff'ffff, .generation = 0xab'cdef};
  EXPECT_EQ(id.text(), "7fabcdef00ffffff");
  const auto back = StreamId::parse(id.text());
  ASSERT_TRUE(back);
  EXPECT_EQ(back->pack(), id.pack());
  for (const char* text :
       {"", "0", "7FABCDEF00FFFFFF", "7fabcdef00fffff", "7fabcdef00ffffff0", "80abcdef00ffffff",
        "7fabcdef01000000", "+fabcdef00ffffff", " 7fabcdef00fffff", "7fabcdef00fffffg"}) {
    EXPECT_FALSE(StreamId::parse(text)) << text;
  }
}

class StreamInquiryTest : public testing::Test {
 protected:
  static constexpr RequestTicket kAsker{.shard = 1, .slot = 7, .generation = 3, .number = 2};

  // Asked of every shard.
  [[nodiscard]] std::shared_ptr<StreamInquiry> ask(StreamQuestion question) {
    EXPECT_TRUE(StreamInquiry::begin(state_, kAsker, std::move(question)));
    std::shared_ptr<StreamInquiry> asked;
    for (auto& mailbox : state_.mailboxes) {
      std::vector<Letter> letters;
      mailbox->take(letters);
      EXPECT_THAT(letters, SizeIs(1));
      auto inquiry = std::get<std::shared_ptr<StreamInquiry>>(letters.front().value);
      EXPECT_TRUE(asked == nullptr || asked == inquiry);
      asked = std::move(inquiry);
    }
    return asked;
  }
  // Null: there is no answer yet.
  [[nodiscard]] std::shared_ptr<const StreamsFound> answer() {
    std::vector<Letter> letters;
    state_.mailboxes[kAsker.shard]->take(letters);
    if (letters.empty()) return nullptr;
    EXPECT_THAT(letters, SizeIs(1));
    EXPECT_EQ(letters.front().ticket.slot, kAsker.slot);
    EXPECT_EQ(letters.front().ticket.number, kAsker.number);
    return std::get<std::shared_ptr<const StreamsFound>>(letters.front().value);
  }
  static StreamsFound streams(core::ShardId shard, std::vector<std::uint32_t> slots,
                              bool more = false) {
    StreamsFound found{.more = more};
    for (const std::uint32_t slot : slots) {
      found.streams.push_back({.id = {.shard = shard, .slot = slot}});
    }
    return found;
  }
  static std::vector<std::string> ids(const StreamsFound& found) {
    std::vector<std::string> all;
    for (const StreamFacts& stream : found.streams) {
      all.push_back(std::to_string(stream.id.shard) + "." + std::to_string(stream.id.slot));
    }
    return all;
  }

  ServerState state_{proto::Epoch{1}, 3, ServerOptions{}};
};

TEST_F(StreamInquiryTest, TheLastShardAnswers) {
  auto inquiry = ask({.kind = Kind::list, .limit = 10});
  inquiry->add(2, streams(2, {1}));
  inquiry->add(0, streams(0, {4, 9}));
  EXPECT_EQ(answer(), nullptr);
  inquiry->add(1, streams(1, {0}));
  const auto all = answer();
  ASSERT_NE(all, nullptr);
  EXPECT_THAT(ids(*all), ElementsAre("0.4", "0.9", "1.0", "2.1"));
  EXPECT_FALSE(all->more);
  EXPECT_EQ(state_.inquiries, 1U);
  inquiry.reset();
  EXPECT_EQ(state_.inquiries, 0U);
}

TEST_F(StreamInquiryTest, APageEndsWhereItIsFull) {
  auto inquiry = ask({.kind = Kind::list, .limit = 3});
  inquiry->add(0, streams(0, {1, 2}));
  inquiry->add(1, streams(1, {1, 2, 3}, true));
  inquiry->add(2, streams(2, {1}));
  const auto all = answer();
  EXPECT_THAT(ids(*all), ElementsAre("0.1", "0.2", "1.1"));
  EXPECT_TRUE(all->more);
}

// Else the next page, which begins behind the last one, would leave something out.
TEST_F(StreamInquiryTest, NothingIsToldFromBehindAShardThatHadToStop) {
  auto inquiry = ask({.kind = Kind::list, .limit = 10});
  inquiry->add(0, streams(0, {1}));
  inquiry->add(1, streams(1, {1, 2}, true));
  inquiry->add(2, streams(2, {1, 2}));
  const auto all = answer();
  EXPECT_THAT(ids(*all), ElementsAre("0.1", "1.1", "1.2"));
  EXPECT_TRUE(all->more);
}

TEST_F(StreamInquiryTest, SubjectsOfAllShardsAreCountedTogether) {
  auto inquiry = ask({.kind = Kind::count, .limit = 2});
  for (core::ShardId shard = 0; shard < 3; ++shard) {
    StreamsFound found{.matching = 4, .anonymous = 1};
    for (const char* subject : {"d", "c", "c", "a", "b", "a", "d"}) found.count(subject, 2);
    EXPECT_TRUE(found.more);
    EXPECT_THAT(found.subjects, ElementsAre(Pair("a", 2), Pair("b", 1)));
    if (shard == 1) found.subjects = {{"b", 5}, {"z", 1}};
    inquiry->add(shard, std::move(found));
  }
  const auto all = answer();
  EXPECT_THAT(all->subjects, ElementsAre(Pair("a", 4), Pair("b", 7)));
  EXPECT_TRUE(all->more);
  EXPECT_EQ(all->matching, 12U);
  EXPECT_EQ(all->anonymous, 3U);
}

TEST_F(StreamInquiryTest, ThereAreNotMoreThanSoMany) {
  std::vector<std::shared_ptr<StreamInquiry>> asked;
  for (std::uint32_t i = 0; i < limits::kMaxStreamInquiries; ++i) {
    asked.push_back(ask({.kind = Kind::end}));
  }
  EXPECT_FALSE(StreamInquiry::begin(state_, kAsker, {.kind = Kind::end}));
  for (auto& mailbox : state_.mailboxes) EXPECT_TRUE(mailbox->empty());
  asked.pop_back();
  EXPECT_NE(ask({.kind = Kind::end}), nullptr);
}

}  // namespace
}  // namespace tocsin::net
