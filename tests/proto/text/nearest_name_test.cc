#include "proto/text/nearest_name.h"

#include <array>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace tocsin::proto {
namespace {

constexpr auto kNames = std::to_array<std::string_view>(
    {"stream", "topic", "type", "id", "retry", "last_event_id", "max_connections", "heartbeat"});

std::string_view nearest(std::string_view word) {
  return nearest_name(word, kNames);
}

TEST(NearestName, OneSlipOfEachKind) {
  EXPECT_EQ(nearest("hartbeat"), "heartbeat");  // left out
  EXPECT_EQ(nearest("topics"), "topic");        // added
  EXPECT_EQ(nearest("streem"), "stream");       // changed
  EXPECT_EQ(nearest("tpye"), "type");           // exchanged
  EXPECT_EQ(nearest("rtery"), "retry");         // exchanged twice over is still near
  EXPECT_EQ(nearest("max_conections"), "max_connections");
}

TEST(NearestName, WordsForWhoMisspelt) {
  EXPECT_EQ(did_you_mean("streem", kNames), "did you mean stream?");
  EXPECT_EQ(did_you_mean("channel", kNames),
            "known are stream, topic, type, id, retry, last_event_id, max_connections, heartbeat");
}

TEST(NearestName, ADashAndACapitalAreNoDifference) {
  EXPECT_EQ(nearest("max-connections"), "max_connections");
  EXPECT_EQ(nearest("Last-Event-ID"), "last_event_id");
  EXPECT_EQ(nearest("lastEventId"), "last_event_id");
}

TEST(NearestName, TheNearestNotTheFirst) {
  constexpr auto kNear = std::to_array<std::string_view>({"history_bytes", "history_age"});
  EXPECT_EQ(nearest_name("history_ages", kNear), "history_age");
  constexpr auto kEqual = std::to_array<std::string_view>({"slow_a", "slow_b"});
  EXPECT_EQ(nearest_name("slow_c", kEqual), "slow_a");
}

TEST(NearestName, NothingForAnotherWord) {
  EXPECT_EQ(nearest("channel"), "");
  EXPECT_EQ(nearest("x"), "");
  EXPECT_EQ(nearest(""), "");
  EXPECT_EQ(nearest("ab"), "");
  EXPECT_EQ(nearest_name("anything", {}), "");
  EXPECT_EQ(nearest_name("a", std::to_array<std::string_view>({"b"})), "");
}

// A third of a name may be wrong, and not a letter more.
TEST(NearestName, WhereASlipEnds) {
  EXPECT_EQ(nearest("heartxxxt"), "heartbeat");
  EXPECT_EQ(nearest("hearxxxxt"), "");
}

TEST(NearestName, AWordOfAMegabyteIsCheap) {
  EXPECT_EQ(nearest(std::string(1 << 20, 't')), "");
}

}  // namespace
}  // namespace tocsin::proto
