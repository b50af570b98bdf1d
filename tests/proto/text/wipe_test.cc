#include "proto/text/wipe.h"

#include <array>
#include <string>

#include <gtest/gtest.h>

namespace tocsin::proto {
namespace {

TEST(Wipe, OverwritesBytes) {
  std::array<char, 4> bytes{'a', 'b', 'c', 'd'};
  wipe(std::span<char>(bytes).first(3));
  EXPECT_EQ(bytes, (std::array<char, 4>{'\0', '\0', '\0', 'd'}));
  wipe(std::span<char>());
}

TEST(Wipe, EmptiesAString) {
  for (std::string text : {std::string(), std::string("short"), std::string(100, 'x')}) {
    wipe(text);
    EXPECT_EQ(text, "");
  }
}

TEST(AppendWiping, IsAnAppend) {
  std::string wiping;
  std::string plain;
  for (const char* more : {"", "a", "some more of it", "so much that it grows, and grows", "b"}) {
    append_wiping(wiping, more);
    plain += more;
    EXPECT_EQ(wiping, plain);
  }
}

// Byte by byte it must not copy all of it each time.
TEST(AppendWiping, GrowsByItsSize) {
  std::string text;
  std::size_t grown = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::size_t before = text.capacity();
    append_wiping(text, "x");
    grown += text.capacity() != before ? 1 : 0;
  }
  EXPECT_LT(grown, 20U);
}

}  // namespace
}  // namespace tocsin::proto
