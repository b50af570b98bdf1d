#include "net/jose/secret.h"

#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

TEST(Secret, WipesAllThatAStringHasRoomFor) {
  std::string bytes = "hidden behind";
  bytes.reserve(64);
  const char* memory = bytes.data();
  bytes.resize(3);  // the rest is still there
  Secret::wipe(bytes);
  EXPECT_TRUE(bytes.empty());
  EXPECT_EQ(std::string(memory, 13), std::string(13, '\0'));
}

// Short strings are copied when they move.
TEST(Secret, LeavesNothingInWhatItTook) {
  std::string given = "short";
  const char* given_memory = given.data();
  Secret first(std::move(given));
  EXPECT_EQ(first.view(), "short");
  EXPECT_EQ(std::string(given_memory, 5), std::string(5, '\0'));
  const char* first_memory = first.view().data();
  const Secret second(std::move(first));
  EXPECT_EQ(second.view(), "short");
  EXPECT_EQ(std::string(first_memory, 5), std::string(5, '\0'));
}

TEST(Secret, CanBeReplaced) {
  Secret secret(std::string("the first, which is long enough for memory of its own"));
  secret = Secret(std::string("the second"));
  EXPECT_EQ(secret.view(), "the second");
}

}  // namespace
}  // namespace tocsin::net
