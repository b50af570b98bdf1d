#include "net/http/option_value.h"

#include <cstdint>
#include <limits>

#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

TEST(OptionValue, Durations) {
  EXPECT_EQ(parse_duration_ms("500ms"), 500U);
  EXPECT_EQ(parse_duration_ms("15s"), 15'000U);
  EXPECT_EQ(parse_duration_ms("15"), 15'000U);
  EXPECT_EQ(parse_duration_ms("2m"), 120'000U);
  EXPECT_EQ(parse_duration_ms("1h"), 3'600'000U);
  EXPECT_EQ(parse_duration_ms("1d"), 86'400'000U);
  for (const char* bad : {"", "s", "-1s", "1.5s", "1 s", "1S", "1sec", "1s2", "0x10", " 1"}) {
    EXPECT_FALSE(parse_duration_ms(bad)) << bad;
  }
}

TEST(OptionValue, Sizes) {
  EXPECT_EQ(parse_size("4096"), 4096U);
  EXPECT_EQ(parse_size("1B"), 1U);
  EXPECT_EQ(parse_size("64KiB"), 65'536U);
  EXPECT_EQ(parse_size("1MiB"), 1'048'576U);
  EXPECT_EQ(parse_size("2GiB"), 2'147'483'648U);
  for (const char* bad : {"", "KiB", "64KB", "64k", "-1", "1.5MiB", "1 MiB"}) {
    EXPECT_FALSE(parse_size(bad)) << bad;
  }
}

TEST(OptionValue, WhatDoesNotFitIsRefusedAndNeverWrapsAround) {
  EXPECT_EQ(parse_number("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(parse_number("18446744073709551616").error(), "is too large");
  EXPECT_EQ(parse_size("18014398509481984KiB").error(), "is too large");
  EXPECT_EQ(parse_duration_ms("213503982335d").error(), "is too large");
}

TEST(OptionValue, Switches) {
  EXPECT_EQ(parse_flag("true"), true);
  EXPECT_EQ(parse_flag("false"), false);
  EXPECT_FALSE(parse_flag("yes"));
  EXPECT_FALSE(parse_flag(""));
}

TEST(OptionValue, PrintedWithTheLargestUnitAndReadBack) {
  EXPECT_EQ(format_duration_ms(0), "0s");
  EXPECT_EQ(format_duration_ms(1500), "1500ms");
  EXPECT_EQ(format_duration_ms(75'000), "75s");
  EXPECT_EQ(format_duration_ms(300'000), "5m");
  EXPECT_EQ(format_size(0), "0B");
  EXPECT_EQ(format_size(1000), "1000B");
  EXPECT_EQ(format_size(65'536), "64KiB");
  for (const std::uint64_t value : {1ULL, 999ULL, 60'000ULL, 86'400'000ULL, 90'000'001ULL}) {
    EXPECT_EQ(parse_duration_ms(format_duration_ms(value)), value);
    EXPECT_EQ(parse_size(format_size(value)), value);
  }
}

}  // namespace
}  // namespace tocsin::net
