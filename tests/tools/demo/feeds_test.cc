#include "tools/demo/feeds.h"

#include <cmath>
#include <vector>

#include <gmock/gmock.h>
#include <simdjson.h>

namespace tocsin::demo {
namespace {

// The number at `key` of an object.
double number_at(const std::string& json, std::string_view key) {
  simdjson::dom::parser parser;
  double value = NAN;
  EXPECT_EQ(parser.parse(json)[key].get(value), simdjson::SUCCESS) << json;
  return value;
}

TEST(Feeds, BeginAsDocumented) {
  EXPECT_EQ(StockFeed(1).next(), R"({"symbol":"ACME","price":123.45})");
  EXPECT_EQ(ScoreFeed(1).next(), R"({"home":1,"away":0})");
  EXPECT_EQ(LocationFeed().next(), R"({"lat":31.2307,"lng":121.4739})");
}

TEST(Feeds, ProgressGoesRound) {
  ProgressFeed feed;
  std::vector<double> percents;
  for (int i = 0; i < 8; ++i) percents.push_back(number_at(feed.next(), "percent"));
  EXPECT_THAT(percents, testing::ElementsAre(0, 20, 40, 60, 80, 100, 0, 20));
}

TEST(Feeds, UpdatesAreNumberedWithoutHoles) {
  UpdateFeed feed;
  for (int i = 1; i < 4; ++i) {
    const std::string update = feed.next(WallClock::now());
    EXPECT_EQ(number_at(update, "id"), i);
    EXPECT_THAT(update, testing::HasSubstr(R"("event":"update","data":"Current time: 2)"));
  }
}

TEST(Feeds, StayWithinTheirBoundsForAWeek) {
  StockFeed stock(7);
  ScoreFeed score(7);
  LocationFeed location;
  bool moved = false;
  for (int i = 0; i < 100'000; ++i) {
    const double price = number_at(stock.next(), "price");
    ASSERT_TRUE(price >= 1 && price < 1000) << price;
    moved = moved || price != 123.45;
    const std::string match = score.next();
    ASSERT_LE(std::max(number_at(match, "home"), number_at(match, "away")), 10);
    const std::string here = location.next();
    ASSERT_LT(std::abs(number_at(here, "lat") - 31.23), 0.01) << here;
    ASSERT_LT(std::abs(number_at(here, "lng") - 121.474), 0.01) << here;
  }
  EXPECT_TRUE(moved);
}

}  // namespace
}  // namespace tocsin::demo
