#include "proto/http/query.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/limits.h"

namespace tocsin::proto {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

std::vector<std::pair<std::string, std::string>> pairs_of(std::string_view text) {
  const auto query = Query::parse(text);
  EXPECT_TRUE(query) << text;
  if (!query) return {};
  return {query->pairs().begin(), query->pairs().end()};
}

TEST(QueryTest, PairsInOrder) {
  EXPECT_THAT(pairs_of("stream=a&type=tick&stream=b"),
              ElementsAre(Pair("stream", "a"), Pair("type", "tick"), Pair("stream", "b")));
  EXPECT_THAT(pairs_of(""), IsEmpty());
}

TEST(QueryTest, MissingPartsAreEmpty) {
  EXPECT_THAT(pairs_of("a&b="), ElementsAre(Pair("a", ""), Pair("b", "")));
  EXPECT_THAT(pairs_of("=v"), ElementsAre(Pair("", "v")));
  EXPECT_THAT(pairs_of("&&a=1&&"), ElementsAre(Pair("a", "1")));
  EXPECT_THAT(pairs_of("a=b=c"), ElementsAre(Pair("a", "b=c")));
}

TEST(QueryTest, DecodesPercentAndPlus) {
  EXPECT_THAT(pairs_of("a+b=c%2Bd%20e&%C3%a9=%26%3D"),
              ElementsAre(Pair("a b", "c+d e"), Pair("é", "&=")));
  EXPECT_THAT(pairs_of("a=%00"), ElementsAre(Pair("a", std::string(1, '\0'))));
}

std::optional<QueryError> error_of(std::string_view text) {
  const auto query = Query::parse(text);
  return query ? std::nullopt : std::optional(query.error());
}

TEST(QueryTest, RefusesBrokenEscapesAndInvalidUtf8) {
  for (const char* text : {"a=%", "a=%4", "a=%4g", "%zz=1", "a=1&b=%", "%=%C3"}) {
    EXPECT_EQ(error_of(text), QueryError::escape) << text;
  }
  for (const char* text : {"a=%C3", "a=%ff", "a=\xFF", "a=%ED%A0%80", "%80=b", "a=%C3&b=%"}) {
    EXPECT_EQ(error_of(text), QueryError::utf8) << text;
  }
}

TEST(QueryTest, FirstAndAll) {
  const auto query = Query::parse("stream=a&x=1&stream=b&stream=");
  ASSERT_TRUE(query);
  EXPECT_EQ(query->first("stream"), "a");
  EXPECT_EQ(query->first("x"), "1");
  EXPECT_EQ(query->first("X"), std::nullopt);
  EXPECT_THAT(query->all("stream"), ElementsAre("a", "b", ""));
  EXPECT_THAT(query->all("none"), IsEmpty());
}

TEST(QueryTest, OwnsWhatItGivesOut) {
  auto text = std::make_unique<std::string>("stream=a-name-that-is-longer-than-some&a=%20");
  auto parsed = Query::parse(*text);
  text.reset();
  ASSERT_TRUE(parsed);
  const auto first = parsed->first("stream");
  const Query moved = *std::move(parsed);
  EXPECT_EQ(first, "a-name-that-is-longer-than-some");
  EXPECT_THAT(moved.pairs(), ElementsAre(Pair("stream", *first), Pair("a", " ")));
}

TEST(QueryTest, BoundsTheNumberOfPairs) {
  std::string text = "a=1";
  for (std::size_t i = 1; i < limits::kMaxQueryPairs; ++i) text += "&a=1";
  EXPECT_EQ(error_of(text), std::nullopt);
  EXPECT_EQ(error_of(text + "&a=1"), QueryError::too_many);
}

TEST(QueryTest, PercentEncodeRoundTrips) {
  std::string all_ascii;
  for (char c = 0; c < 0x7F; ++c) all_ascii += c;
  EXPECT_EQ(percent_encode("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(percent_encode("a b+c/é"), "a%20b%2Bc%2F%C3%A9");
  const auto query = Query::parse("k=" + percent_encode(all_ascii));
  ASSERT_TRUE(query);
  EXPECT_EQ(query->first("k"), all_ascii);
}

// Positions come in whatever encoding their client has.
TEST(QueryTest, ValuesOfSomeNamesMayBeAnyBytes) {
  const auto is_id = [](std::string_view name) { return name == "id"; };
  const auto query = Query::parse("id=caf%E9&a=1", is_id);
  ASSERT_TRUE(query);
  EXPECT_EQ(query->first("id"), "caf\xE9");
  EXPECT_EQ(Query::parse("id=1&a=caf%E9", is_id).error(), QueryError::utf8);
  EXPECT_EQ(Query::parse("id=%g1", is_id).error(), QueryError::escape);
  EXPECT_EQ(Query::parse("id=caf%E9").error(), QueryError::utf8);
}

}  // namespace
}  // namespace tocsin::proto
