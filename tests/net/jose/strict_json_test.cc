#include "net/jose/strict_json.h"

#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

using testing::HasSubstr;

std::string fault_of(std::string_view text) {
  const auto json = StrictJson::parse(text, "it");
  return json ? "" : json.error();
}

TEST(StrictJson, KeepsWhatItParsedWhenItMoves) {
  auto json = StrictJson::parse(R"({"a":"text","b":{"c":1}})", "it");
  ASSERT_TRUE(json);
  const StrictJson moved = *std::move(json);
  std::string_view text;
  EXPECT_EQ(moved.root()["a"].get(text), simdjson::SUCCESS);
  EXPECT_EQ(text, "text");
}

TEST(StrictJson, WantsOneObject) {
  EXPECT_EQ(fault_of("{}"), "");
  EXPECT_EQ(fault_of(" { } \n"), "");
  for (const std::string_view text :
       {"", " ", "[]", "1", "\"a\"", "null", "{}{}", "{} x", "{", "{\"a\":}", "{'a':1}",
        "{\"a\":1,}", "{\"a\":01}", "{\"a\":\"\xff\"}", "\xEF\xBB\xBF\xEF\xBB\xBF{}"}) {
    EXPECT_NE(fault_of(text), "") << text;
  }
}

TEST(StrictJson, TakesNothingTwice) {
  EXPECT_EQ(fault_of(R"({"a":{"x":1},"b":{"x":1}})"), "");
  EXPECT_THAT(fault_of(R"({"a":1,"a":1})"), HasSubstr("'a' twice"));
  EXPECT_THAT(fault_of(R"({"a":1,"b":2,"\u0061":3})"), HasSubstr("'a' twice"));
  EXPECT_THAT(fault_of(R"({"x":[1,{"b":1,"c":2,"b":2}]})"), HasSubstr("'b' twice"));
  EXPECT_THAT(fault_of(R"({"x":{"y":{"":1,"":2}}})"), HasSubstr("'' twice"));
}

std::string nested(std::size_t depth) {
  return "{\"a\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
}

TEST(StrictJson, HasABoundForDepth) {
  EXPECT_EQ(fault_of(nested(StrictJson::kMaxDepth)), "");
  EXPECT_THAT(fault_of(nested(StrictJson::kMaxDepth + 1)), HasSubstr("too deep"));
  EXPECT_THAT(fault_of(nested(5000)), HasSubstr("too deep"));
  EXPECT_NE(fault_of("{\"a\":" + std::string(100'000, '[')), "");
}

TEST(StrictJson, HasABoundForMembers) {
  std::string text = "{\"a\":0";
  for (std::size_t i = 1; i < StrictJson::kMaxMembers; ++i) {
    text += ",\"m" + std::to_string(i) + "\":0";
  }
  EXPECT_EQ(fault_of(text + "}"), "");
  EXPECT_THAT(fault_of(text + ",\"z\":0}"), HasSubstr("too many members"));
}

}  // namespace
}  // namespace tocsin::net
