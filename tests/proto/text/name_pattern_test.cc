#include "proto/text/name_pattern.h"

#include <gtest/gtest.h>

namespace tocsin::proto {
namespace {

TEST(NamePattern, WithoutAStarItIsTheName) {
  EXPECT_TRUE(matches_name("chat/1", "chat/1"));
  for (const char* name : {"chat/", "chat/10", "Chat/1", ""}) {
    EXPECT_FALSE(matches_name("chat/1", name)) << name;
  }
}

TEST(NamePattern, AStarAtTheEndStandsForAnything) {
  for (const char* name : {"chat/", "chat/1", "chat/a/b", "chat/*"}) {
    EXPECT_TRUE(matches_name("chat/*", name)) << name;
  }
  for (const char* name : {"chat", "chats/1", "", "a/chat/1"}) {
    EXPECT_FALSE(matches_name("chat/*", name)) << name;
  }
  EXPECT_TRUE(matches_name("*", ""));
  EXPECT_TRUE(matches_name("*", "anything"));
}

TEST(NamePattern, OfTwoPatternsTheWiderOneMatches) {
  EXPECT_TRUE(matches_name("*", "chat/*"));
  EXPECT_TRUE(matches_name("chat/*", "chat/*"));
  EXPECT_TRUE(matches_name("chat*", "chat/*"));
  EXPECT_FALSE(matches_name("chat/*", "chat*"));
  EXPECT_FALSE(matches_name("chat/1", "chat/1*"));
  EXPECT_FALSE(matches_name("chat/*", "*"));
}

TEST(NamePattern, AStarStandsOnlyAtTheEnd) {
  for (const char* good : {"*", "a", "a*", "a/b/*"}) EXPECT_TRUE(is_name_pattern(good)) << good;
  for (const char* bad : {"", "**", "*a", "a*b", "a*b*"}) EXPECT_FALSE(is_name_pattern(bad)) << bad;
}

}  // namespace
}  // namespace tocsin::proto
