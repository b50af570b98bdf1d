// Where a JSON body ends: what stands in memory behind it is no part of it.
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "proto/json/publish_body.h"

namespace tocsin::proto {
namespace {

using namespace std::string_view_literals;

// An error's message, or "" for events.
std::string read(std::string_view body, BodyForm form, char behind) {
  std::vector<char> padded(body.begin(), body.end());
  padded.resize(body.size() + 64, behind);
  PublishBodyReader reader;
  // A longer text before it, of which the parser may remember something.
  std::string longer = R"({"data":[[[[[[[[[[1,2,3,4],{"a":{"b":{"c":{}}}}]]]]]]]]]})";
  longer.reserve(longer.size() + 64);
  EXPECT_TRUE(reader.read(longer, form, {}));
  const auto result = reader.read({padded.data(), body.size()}, form, {});
  return result ? "" : result.error().message;
}

TEST(PublishBodyEndTest, BracketsBehindABodyDoNotCloseIt) {
  for (const auto body : {
           R"([{"data":{"a":{"b":[2])"sv,
           R"([{"data":{"a":{"b":{}})"sv,
           R"([{"data":[[[1])"sv,
           R"([{"data":[[{"a":1})"sv,
           R"([{"data":[{"a":[1]])"sv,
           R"({"data":{"a":{"b":1})"sv,
           R"({"data":{"a":[{}])"sv,
           R"({"data":[[1])"sv,
           R"({"data":1,"id":"x")"sv,
           R"([{"data":1})"sv,
           R"([{"data":1},{"data":[])"sv,
       }) {
    for (const char behind : {'}', ']', '{', '[', '"', ',', ':', '1', ' ', '\0'}) {
      for (const auto form : {BodyForm::json, BodyForm::ndjson}) {
        EXPECT_NE(read(body, form, behind), "") << body << " and then " << behind;
      }
    }
  }
}

TEST(PublishBodyEndTest, WhatIsWholeStaysSo) {
  for (const char behind : {'}', ']', '{', '[', '"', ',', ':', '1', ' ', '\0'}) {
    EXPECT_EQ(read(R"([{"data":{"a":{"b":[2]}}}])", BodyForm::json, behind), "") << behind;
    EXPECT_EQ(read(R"({"data":[[1],{}]})", BodyForm::ndjson, behind), "") << behind;
  }
}

}  // namespace
}  // namespace tocsin::proto
