#include "proto/text/utf8.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace tocsin::proto {
namespace {

using std::string_view_literals::operator""sv;

TEST(Utf8, KnowsWhatActsOnATerminal) {
  for (const auto acts :
       {"\x00"sv, "\t"sv, "\n"sv, "\x1B"sv, "\x7F"sv, "\u0080"sv, "\u0085"sv, "\u009B"sv,
        "\u009F"sv, "\u2028"sv, "\u2029"sv, "\u202A"sv, "\u202E"sv, "\u2066"sv, "\u2069"sv}) {
    const std::string text = "a" + std::string(acts) + "é";
    EXPECT_TRUE(has_controls(text)) << text;
    EXPECT_EQ(without_controls(text), "a?é");
    EXPECT_EQ(without_controls(text, ' '), "a é");
  }
  for (const auto shown : {""sv, " ~"sv, "\u00A0"sv, "\u00BF"sv, "\u2027"sv, "\u202F"sv, "\u2065"sv,
                           "\u206A"sv, "\u200F"sv, "новости"sv, "鐘"sv, "🔔"sv, "‘quoted’ …"sv}) {
    EXPECT_FALSE(has_controls(shown)) << shown;
    EXPECT_EQ(without_controls(shown), shown);
  }
}

// As a terminal that is not in UTF-8 would take them for one.
TEST(Utf8, BytesThatAreNoneAreNotShown) {
  EXPECT_EQ(without_controls("a\x9B\xFF" "b\xC2"), "a??b?");
  EXPECT_EQ(without_controls("\xE2\x80"), "??");
  EXPECT_FALSE(has_controls("\xC2"));
  EXPECT_FALSE(has_controls("\xE2\x80"));
}

}  // namespace
}  // namespace tocsin::proto
