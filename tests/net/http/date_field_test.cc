#include "net/http/date_field.h"

#include <ctime>
#include <string>

#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

TEST(HttpDateTest, IsWrittenAnewForAnotherSecond) {
  DateField date;
  EXPECT_EQ(date.at(784'111'777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(date.at(784'111'777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(date.at(784'111'778), "Sun, 06 Nov 1994 08:49:38 GMT");
}

TEST(HttpDateTest, GoesWithTheClock) {
  const std::time_t before = std::time(nullptr) - 1;  // the coarse clock may be a tick behind
  DateField date;
  const std::string text{date.now()};
  std::tm utc{};
  ASSERT_NE(strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &utc), nullptr) << text;
  EXPECT_GE(timegm(&utc), before);
  EXPECT_LE(timegm(&utc), std::time(nullptr));
}

}  // namespace
}  // namespace tocsin::net
