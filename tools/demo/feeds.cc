#include "tools/demo/feeds.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

namespace tocsin::demo {

std::string StockFeed::next() {
  if (!first_) {
    // Pulled back to where it began, so that it neither dies nor explodes over a month.
    const double pull = (123.45 - price_) * 0.02;
    price_ = std::max(1.0, price_ + pull + std::normal_distribution(0.0, 0.9)(random_));
  }
  first_ = false;
  return fmt::format(R"({{"symbol":"ACME","price":{:.2f}}})", price_);
}

std::string ScoreFeed::next() {
  if (std::max(home_, away_) == 10) home_ = away_ = 0;
  // The first goal is the home side's, as in every demonstration.
  const bool home = home_ + away_ == 0 || std::bernoulli_distribution(0.6)(random_);
  ++(home ? home_ : away_);
  return fmt::format(R"({{"home":{},"away":{}}})", home_, away_);
}

// Steps of 0.0003 degrees to the north and 0.0002 to the east at first.
const double LocationFeed::kFirstHeading = std::atan2(0.0002, 0.0003);

std::string LocationFeed::next() {
  constexpr double kStep = 0.00036;  // degrees: 40 m
  constexpr double kTurn = 0.12;     // a round has 52 steps
  lat_ += kStep * std::cos(heading_);
  lng_ += kStep * std::sin(heading_);
  heading_ = std::fmod(heading_ + kTurn, 2 * std::numbers::pi);
  return fmt::format(R"({{"lat":{:.4f},"lng":{:.4f}}})", lat_, lng_);
}

std::string ProgressFeed::next() {
  percent_ = percent_ == 100 ? 0 : percent_ + 20;
  return fmt::format(R"({{"percent":{}}})", percent_);
}

std::string UpdateFeed::next(WallClock::time_point now) {
  return fmt::format(R"({{"id":{},"event":"update","data":"Current time: {}"}})", ++id_,
                     rfc3339(now));
}

}  // namespace tocsin::demo
