// What the demonstration has to tell: every feed's next event, as data. No hub, no clock of its
// own; demo_application.cc says when and to which topic.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "tools/demo/timestamp.h"

namespace tocsin::demo {

// {"symbol":"ACME","price":123.45}, from there on at random.
class StockFeed {
 public:
  explicit StockFeed(std::uint32_t seed) : random_(seed) {}
  [[nodiscard]] std::string next();

 private:
  std::minstd_rand random_;
  double price_ = 123.45;
  bool first_ = true;
};

// {"home":1,"away":0}: somebody scores; a new match begins when one has ten.
class ScoreFeed {
 public:
  explicit ScoreFeed(std::uint32_t seed) : random_(seed) {}
  [[nodiscard]] std::string next();

 private:
  std::minstd_rand random_;
  int home_ = 0;
  int away_ = 0;
};

// {"lat":31.2307,"lng":121.4739}: a walk that comes round again.
class LocationFeed {
 public:
  [[nodiscard]] std::string next();

 private:
  double lat_ = 31.2304;
  double lng_ = 121.4737;
  double heading_ = kFirstHeading;
  static const double kFirstHeading;  // radians from north to east
};

// {"percent":0}, 20 … 100, and again.
class ProgressFeed {
 public:
  [[nodiscard]] std::string next();

 private:
  int percent_ = -20;
};

// {"id":1,"event":"update","data":"Current time: 2026-11-20T09:30:00+08:00"}; ids have no holes, so
// that a reader sees whether it missed one.
class UpdateFeed {
 public:
  [[nodiscard]] std::string next(WallClock::time_point now);

 private:
  std::uint64_t id_ = 0;
};

}  // namespace tocsin::demo
