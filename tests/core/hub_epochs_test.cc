// A hub that goes on with a history, which may have forked: ids of every epoch of it.
#include <gmock/gmock.h>

#include "tests/core/hub_fixture.h"

namespace tocsin::core {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr proto::Epoch kFirst = 0x11111111;
constexpr proto::Epoch kSecond = 0x22222222;

// The history has events 1 to 6 of its first epoch, where it forked, and two more of the second; of
// 1 and 2 the hub has nothing. Events 4 and 8 have ids of their publisher's.
class HubEpochsTest : public HubTest {
 protected:
  HubEpochsTest() {
    Epochs epochs(kFirst);
    epochs.fork(kSecond, 6);
    journal_ = Journal(epochs, 8);
    make_hub_over(std::make_unique<JournalStore>(journal_, 2));
    load(kFirst, {{3, ""}, {4, "caf\xC3\xA9"}});
    load(kFirst, {{5, ""}, {6, ""}});
    load(kSecond, {{7, ""}, {8, "eight"}});
  }
  struct Stored {
    Sequence sequence;
    std::string_view id;
  };
  void load(proto::Epoch epoch, std::initializer_list<Stored> batch) {
    std::vector<NewEvent> events;
    for (const Stored& one : batch) {
      events.push_back({.topic = "a", .id = one.id, .body = "data: x\n"});
    }
    const Place place{
        .epoch = epoch, .first = batch.begin()->sequence, .last = (batch.end() - 1)->sequence};
    (void)hub().apply(place, events, now_);
  }
  std::vector<Sequence> read(Subscription at) { return read_all(at).sequences(); }

  Journal journal_{Epochs(kFirst)};  // of the store
};

TEST_F(HubEpochsTest, EventsKeepTheIdsThatTheyWereOrderedWith) {
  Subscription at = earliest({"a"});
  EXPECT_EQ(read_all(at).bytes(), frame_of(own_id(3, kFirst), "x") + frame_of("caf%C3%A9", "x") +
                                      frame_of(own_id(5, kFirst), "x") +
                                      frame_of(own_id(6, kFirst), "x") +
                                      frame_of(own_id(7, kSecond), "x") + frame_of("eight", "x"));
  EXPECT_EQ(publish("a", "new"), 9U);
  EXPECT_EQ(read_all(at).bytes(), frame_of(own_id(9, kSecond), "new"));
}

TEST_F(HubEpochsTest, AnIdOfAnOlderEpochResumesExactlyUpToItsFork) {
  for (Sequence seen = 2; seen <= 6; ++seen) {
    const Subscription at = after({"a"}, own_id(seen, kFirst));
    EXPECT_FALSE(at.gap) << seen;
    EXPECT_EQ(at.cursor, seen);
    EXPECT_EQ(read(at).size(), 8 - seen);
    EXPECT_EQ(read(at).front(), seen + 1);
  }
}

TEST_F(HubEpochsTest, AnIdOfAnOlderEpochAboveItsForkIsAGap) {
  for (const Sequence lost : {Sequence{7}, Sequence{8}, Sequence{9}, ~Sequence{0}}) {
    const Subscription at = after({"a"}, own_id(lost, kFirst));
    EXPECT_EQ(at.gap, GapReason::unknown_id) << lost;
    EXPECT_THAT(read(at), ElementsAre(3, 4, 5, 6, 7, 8)) << lost;
  }
  EXPECT_EQ(after({"a"}, own_id(9, kSecond)).gap, GapReason::unknown_id) << "from the future";
  EXPECT_EQ(after({"a"}, own_id(3, kFirst + 1)).gap, GapReason::unknown_id) << "of no epoch of it";
}

TEST_F(HubEpochsTest, TheNewEpochsIdsAreExactInAllOfItsHistory) {
  EXPECT_THAT(read(after({"a"}, own_id(7, kSecond))), ElementsAre(8));
  // The stream's beginning, or a gap event, said so; no event has this id.
  EXPECT_THAT(read(after({"a"}, own_id(4, kSecond))), ElementsAre(5, 6, 7, 8));
  EXPECT_FALSE(after({"a"}, own_id(4, kSecond)).gap);
}

TEST_F(HubEpochsTest, WhatIsOlderThanTheHubIsAGapInEveryTopicAndEpoch) {
  for (const proto::Epoch epoch : {kFirst, kSecond}) {
    const Subscription at = after({"a"}, own_id(1, epoch));
    EXPECT_EQ(at.gap, GapReason::expired);
    EXPECT_THAT(read(at), ElementsAre(3, 4, 5, 6, 7, 8));
    EXPECT_EQ(after({"never seen"}, own_id(1, epoch)).gap, GapReason::expired);
    EXPECT_FALSE(after({"never seen"}, own_id(2, epoch)).gap);
  }
  EXPECT_THAT(read(live({"a"})), IsEmpty());
}

TEST_F(HubEpochsTest, PublishersIdsResumeWhateverTheirEpoch) {
  for (const char* form : {"caf%C3%A9", "caf%c3%a9", "caf\xC3\xA9", "caf\xE9"}) {
    EXPECT_THAT(read(after({"a"}, form)), ElementsAre(5, 6, 7, 8)) << form;
    EXPECT_FALSE(after({"a"}, form).gap) << form;
  }
  EXPECT_THAT(read(after({"a"}, "eight")), IsEmpty());
  EXPECT_FALSE(after({"a"}, "eight").gap);
}

TEST_F(HubEpochsTest, OfSeveralPositionsTheNewestKnownCountsInEveryEpoch) {
  const std::string lost = own_id(8, kFirst);
  const std::string five = own_id(5, kFirst);
  const std::string seven = own_id(7, kSecond);
  EXPECT_EQ(after_any({"a"}, {five, seven}).cursor, 7U);
  EXPECT_EQ(after_any({"a"}, {seven, five}).cursor, 7U);
  EXPECT_EQ(after_any({"a"}, {lost, five}).cursor, 5U) << "what is not here is no position";
  EXPECT_FALSE(after_any({"a"}, {five, lost}).gap);
}

TEST_F(HubEpochsTest, NoPublishersIdReadsAsOneOfAnyEpoch) {
  const auto publish_id = [&](const std::string& id) {
    const NewEvent event{.topic = "a", .id = id, .body = "data: x\n"};
    return hub().publish({&event, 1}, now_);
  };
  for (const proto::Epoch epoch : {kFirst, kSecond}) {
    for (const Sequence sequence : {Sequence{0}, Sequence{6}, Sequence{7}, Sequence{99}}) {
      const auto refused = publish_id(own_id(sequence, epoch));
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error(), PublishError::reserved_id);
    }
  }
  EXPECT_TRUE(publish_id(own_id(1, kFirst + 1))) << "another hub's";
  EXPECT_TRUE(publish_id("11111111-01")) << "not the form";
}

TEST_F(HubEpochsTest, AForkUnderTheHubKeepsEveryCursor) {
  constexpr proto::Epoch kThird = 0x33333333;
  Subscription slow = earliest({"a"});
  Subscription at = live({"a"});
  hub().fork(kThird);
  EXPECT_EQ(hub().epoch(), kThird);
  load(kThird, {{9, ""}});
  EXPECT_EQ(read_all(at).bytes(), frame_of(own_id(9, kThird), "x"));
  EXPECT_THAT(read(slow), ElementsAre(3, 4, 5, 6, 7, 8, 9));
  EXPECT_THAT(read(after({"a"}, own_id(8, kSecond))), ElementsAre(9));
  EXPECT_EQ(after({"a"}, own_id(9, kSecond)).gap, GapReason::unknown_id) << "was lost";
  EXPECT_THAT(read(after({"a"}, own_id(8, kThird))), ElementsAre(9)) << "a position in the new one";
}

}  // namespace
}  // namespace tocsin::core
