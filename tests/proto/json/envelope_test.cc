#include "proto/json/envelope.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "proto/limits.h"

namespace tocsin::proto {
namespace {

using namespace std::string_view_literals;

std::string envelope(std::string_view topic, std::string_view data, bool json = false) {
  std::string out = "before ";
  append_envelope(out, topic, data, json);
  EXPECT_TRUE(out.starts_with("before "));
  EXPECT_EQ(out.find('\n'), std::string::npos) << "one line";
  return out.substr(7);
}
std::string data_of(std::string_view data, bool json = false) {
  const std::string whole = envelope("t", data, json);
  constexpr std::string_view kFront = R"({"topic":"t","data":)";
  EXPECT_TRUE(whole.starts_with(kFront) && whole.ends_with('}')) << whole;
  return whole.substr(kFront.size(), whole.size() - kFront.size() - 1);
}

TEST(Envelope, TextBecomesAString) {
  EXPECT_EQ(envelope("news", "hello"), R"({"topic":"news","data":"hello"})");
  EXPECT_EQ(envelope("a \"b\" \\ ключ", "x"), R"({"topic":"a \"b\" \\ ключ","data":"x"})");
  EXPECT_EQ(data_of(""), R"("")");
  EXPECT_EQ(data_of("one\ntwo\r\n\"three\"\0"sv), R"("one\ntwo\r\n\"three\"\u0000")");
  // A chat's 42 is a text.
  for (const auto* scalar : {"42", "1e3", "true", "null"}) {
    EXPECT_EQ(data_of(scalar), '"' + std::string(scalar) + '"');
    EXPECT_EQ(data_of(scalar, true), scalar) << "but what was written as JSON stays JSON";
  }
  EXPECT_EQ(data_of(R"("quoted")"), R"("\"quoted\"")");
}

TEST(Envelope, ATextThatIsAnObjectOrAnArrayStaysOne) {
  EXPECT_EQ(data_of(R"({"a":1})"), R"({"a":1})");
  EXPECT_EQ(data_of(" [ 1 , { \"b c\" : \"d \\n\" } ]\n"), R"([1,{"b c":"d \n"}])");
  EXPECT_EQ(data_of("{\n  \"a\": [],\r\n  \"b\": 123456789012345678901234567890\n}"),
            R"({"a":[],"b":123456789012345678901234567890})");
  EXPECT_EQ(data_of("[]"), "[]");
}

// What only looks like JSON must not break the envelope.
TEST(Envelope, WhatIsNoJsonIsAString) {
  for (const std::string_view text :
       {"{"sv, "["sv, "[}"sv, "{]"sv, "[1"sv, "[1]]"sv, "[1] x"sv, "{\"a\":1}}"sv, "[1][2]"sv,
        "{\"a\":1},"sv, "{a:1}"sv, "[01]"sv, "[tru]"sv, "[\"\\x\"]"sv, "[\"a\nb\"]"sv,
        "[hello] world"sv, "{\"a\":1}//"sv, "[1,]"sv, "[\"\\ud800\"]"sv}) {
    EXPECT_EQ(data_of(text).front(), '"') << text;
  }
  const std::string deep(limits::kMaxJsonDepth + 1, '[');
  EXPECT_EQ(data_of(deep + std::string(deep.size(), ']')).front(), '"');
}

}  // namespace
}  // namespace tocsin::proto
