#include "proto/sse/wire_id.h"

#include <random>

#include <gmock/gmock.h>

#include "proto/text/utf8.h"

namespace tocsin::proto {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kCafe = "caf\xC3\xA9";  // in UTF-8

TEST(WireIdTest, PrintableAsciiIsSentAsItIs) {
  for (const char* id :
       {"9f3c21ab-1042", "a b/c?d&e=f\"~", "50%", "%41", "caf%C3%A9", "%zz", "%"}) {
    EXPECT_EQ(wire_id(id), id);
  }
}

TEST(WireIdTest, AllElseIsPercentEncodedSoThatDecodingGivesItBack) {
  EXPECT_EQ(wire_id(kCafe), "caf%C3%A9");
  EXPECT_EQ(wire_id("100% \xC3\xA4"), "100%25 %C3%A4");
  EXPECT_EQ(wire_id("\xE2\x82\xAC\xF0\x9F\x98\x80"), "%E2%82%AC%F0%9F%98%80");
  EXPECT_EQ(wire_id("a\nb\x7f"), "a%0Ab%7F") << "what a client sent is told to it";
  EXPECT_EQ(wire_id("\xE9"), "%E9");
  char out[limits::kMaxWireId];
  EXPECT_EQ((std::string_view{out, write_wire_id(kCafe, out)}), "caf%C3%A9");
  const std::string longest(limits::kMaxEventId, '\xC3');
  EXPECT_EQ(write_wire_id(longest, out), limits::kMaxWireId);
}

TEST(WireIdTest, WhatIsMeantIsTheIdThatWasPublished) {
  for (const char* sent : {"caf%C3%A9", kCafe, "caf\xE9"}) EXPECT_EQ(meant_id(sent), kCafe);
  EXPECT_EQ(meant_id("100%25 %C3%A4"), "100% \xC3\xA4");
  for (const char* id : {"50%", "50%25", "a%20b", "%41", "%E9", "%", "%zz%C3%A4"}) {
    EXPECT_EQ(meant_id(id), id) << "no wire form of another";
  }
}

TEST(WireIdTest, OtherReadingsOfWhatClientsSend) {
  EXPECT_THAT(other_readings("9f3c21ab-1042"), IsEmpty());
  EXPECT_THAT(other_readings("caf%C3%A9"), IsEmpty()) << "what it got";
  EXPECT_THAT(other_readings("50%"), IsEmpty());
  EXPECT_THAT(other_readings("a%2fb"), IsEmpty()) << "in ASCII % means nothing";
  EXPECT_THAT(other_readings("caf%c3%a9"), ElementsAre("caf%C3%A9"));
  EXPECT_THAT(other_readings("caf%C3%A9 50%25"), IsEmpty());
  EXPECT_THAT(other_readings("caf%c3%a9 50%25"), ElementsAre("caf%C3%A9 50%25"));
  EXPECT_THAT(other_readings("caf\xE9"), ElementsAre("caf%C3%A9"));
  EXPECT_THAT(other_readings(kCafe), ElementsAre("caf%C3%A9", "caf%C3%83%C2%A9"));
}

// Of any id: its wire form stays what it is, is ASCII without controls, and every form that a
// client has for it leads back to it.
TEST(WireIdTest, EveryFormLeadsBack) {
  const std::uint32_t seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 20'000; ++round) {
    std::string latin1;
    for (std::size_t n = random() % 6; latin1.size() <= n;) {
      constexpr std::string_view kFew = "%25cC3aA9\xC3\xA9\xE9 ";
      latin1 += kFew[random() % kFew.size()];
    }
    const std::string id = utf8_of_latin1(latin1);
    const std::string wire = wire_id(id);
    ASSERT_EQ(wire_id(wire), wire) << id;
    ASSERT_EQ(wire_id_size(id), wire.size()) << id;
    ASSERT_TRUE(std::ranges::all_of(wire, [](char c) { return c >= ' ' && c <= '~'; })) << id;
    const auto may_mean = [&](const std::string& sent) {
      const auto others = other_readings(sent);
      return sent == wire || std::ranges::find(others, wire) != others.end();
    };
    ASSERT_TRUE(may_mean(wire)) << id;
    ASSERT_TRUE(may_mean(id)) << id;
    ASSERT_TRUE(may_mean(latin1)) << id;
    const bool ascii = id == latin1;
    if (!ascii) {
      ASSERT_EQ(meant_id(wire), id);
    }
  }
}

}  // namespace
}  // namespace tocsin::proto
