#include "proto/json/json_text.h"

#include <gtest/gtest.h>

namespace tocsin::proto {
namespace {

TEST(JsonText, StringsAreQuoted) {
  const auto json = [](std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
  };
  using namespace std::string_view_literals;
  EXPECT_EQ(json(""), R"("")");
  EXPECT_EQ(json("a/b é鐘"), "\"a/b é鐘\"");
  EXPECT_EQ(json("\"\\\n\r\t"), R"("\"\\\n\r\t")");
  EXPECT_EQ(json("\0\x01\x1f\x7f"sv), R"("\u0000\u0001\u001f\u007f")");
  // JSON must be UTF-8 whatever it quotes.
  EXPECT_EQ(json("a\xFFz"), "\"a\xEF\xBF\xBDz\"");
}

}  // namespace
}  // namespace tocsin::proto
