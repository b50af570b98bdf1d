#include "net/state/revocations.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;

constexpr std::int64_t kNow = 1'000'000;

class RevocationsTest : public testing::Test {
 protected:
  // What the subject is told; empty: it is not refused.
  [[nodiscard]] std::string told(const std::string& subject, std::int64_t now_s = kNow,
                                 bool admin = false,
                                 CredentialKind kind = CredentialKind::token) const {
    const auto denial = table_.deny({.kind = kind, .subject = subject, .admin = admin}, now_s);
    if (!denial) return {};
    EXPECT_EQ(denial->cause, DenialCause::revoked);
    return denial->reason;
  }
  Revocations table_;
};

TEST_F(RevocationsTest, HoldUntilThen) {
  EXPECT_EQ(told("ann"), "");
  EXPECT_TRUE(table_.set("ann", kNow + 40, kNow));
  EXPECT_EQ(told("ann"), "subject ann is revoked for another 40 s");
  EXPECT_EQ(told("ann", kNow + 39), "subject ann is revoked for another 1 s");
  EXPECT_EQ(told("ann", kNow + 40), "");
  EXPECT_EQ(told("an"), "");
  EXPECT_EQ(told("anne"), "");
  EXPECT_EQ(told(""), "") << "nobody in particular";
  EXPECT_EQ(told("ann", kNow, true), "") << "who administrates";
  EXPECT_NE(told("ann", kNow, false, CredentialKind::webhook), "");
  EXPECT_EQ(told("ann", kNow, false, CredentialKind::key), "") << "a key that is called so";
}

TEST_F(RevocationsTest, TheLastWordCounts) {
  EXPECT_TRUE(table_.set("ann", kNow + 1000, kNow));
  EXPECT_TRUE(table_.set("ann", kNow + 10, kNow));
  EXPECT_EQ(told("ann", kNow + 10), "");
  EXPECT_TRUE(table_.set("ann", kNow + 20, kNow));
  EXPECT_NE(told("ann", kNow + 10), "");
  EXPECT_TRUE(table_.set("ann", kNow, kNow));
  EXPECT_EQ(told("ann"), "");
  EXPECT_TRUE(table_.set("ann", 0, kNow)) << "there is nothing to take back";
}

TEST_F(RevocationsTest, AreListedInOrder) {
  for (const char* subject : {"c", "a", "b", "d"}) {
    EXPECT_TRUE(table_.set(subject, kNow + (*subject == 'b' ? 5 : 50), kNow));
  }
  const auto names = [this](std::string_view after, std::size_t most, std::int64_t now_s) {
    std::string all;
    for (const auto& entry : table_.list(after, most, now_s)) all += entry.subject;
    return all;
  };
  EXPECT_EQ(names("", 10, kNow), "abcd");
  EXPECT_EQ(names("", 2, kNow), "ab");
  EXPECT_EQ(names("b", 2, kNow), "cd");
  EXPECT_EQ(names("", 10, kNow + 5), "acd");
  EXPECT_EQ(names("d", 10, kNow), "");
}

TEST_F(RevocationsTest, WhatHasEndedMakesRoom) {
  for (std::size_t i = 0; i < limits::kMaxRevocations; ++i) {
    ASSERT_TRUE(table_.set(std::to_string(i), kNow + 10 + (i % 2 == 0 ? 0 : 5), kNow));
  }
  EXPECT_FALSE(table_.set("one more", kNow + 10, kNow));
  EXPECT_EQ(told("one more"), "");
  EXPECT_TRUE(table_.set("7", kNow + 20, kNow)) << "it is there";
  EXPECT_TRUE(table_.set("one more", 0, kNow)) << "it takes no room";
  EXPECT_TRUE(table_.set("one more", kNow + 30, kNow + 10));
  EXPECT_EQ(table_.list("", SIZE_MAX, kNow).size(), limits::kMaxRevocations / 2 + 1);
}

}  // namespace
}  // namespace tocsin::net
