#include "proto/text/number.h"

#include <cstdint>

#include <gtest/gtest.h>

namespace tocsin::proto {
namespace {

TEST(ReadNumber, TakesTheWholeTextOrNothing) {
  EXPECT_EQ(read_number<std::uint64_t>("0"), 0U);
  EXPECT_EQ(read_number<std::uint64_t>("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(read_number<std::uint64_t>("007"), 7U);
  for (const char* text : {"", " 1", "1 ", "+1", "-1", "1x", "x", "18446744073709551616"}) {
    EXPECT_FALSE(read_number<std::uint64_t>(text)) << text;
  }
  EXPECT_EQ(read_number<std::int64_t>("-1"), -1);
}

TEST(ReadNumber, KnowsItsTypeAndItsBase) {
  EXPECT_EQ(read_number<std::uint16_t>("65535"), 65535);
  EXPECT_FALSE(read_number<std::uint16_t>("65536"));
  EXPECT_EQ(read_number<std::uint32_t>("ffffFFFF", 16), 0xffff'ffffU);
  EXPECT_FALSE(read_number<std::uint32_t>("g", 16));
  EXPECT_EQ(read_number<double>("0.5"), 0.5);
  EXPECT_FALSE(read_number<double>("0.5s"));
}

}  // namespace
}  // namespace tocsin::proto
