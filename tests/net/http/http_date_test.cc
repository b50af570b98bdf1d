#include "net/http/http_date.h"

#include <ctime>
#include <string>

#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

TEST(HttpDateTest, IsInTheFormOfTheStandard) {
  HttpDate date;
  EXPECT_EQ(date.at(784'111'777), "Sun, 06 Nov 1994 08:49:37 GMT");  // RFC 9110, 5.6.7
  EXPECT_EQ(date.at(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(date.at(1'709'251'199), "Thu, 29 Feb 2024 23:59:59 GMT");
  EXPECT_EQ(date.at(1'709'251'200), "Fri, 01 Mar 2024 00:00:00 GMT");
  EXPECT_EQ(date.at(253'402'300'799), "Fri, 31 Dec 9999 23:59:59 GMT");
}

TEST(HttpDateTest, GoesWithTheClock) {
  const std::time_t before = std::time(nullptr) - 1;  // the coarse clock may be a tick behind
  HttpDate date;
  const std::string text{date.now()};
  std::tm utc{};
  ASSERT_NE(strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &utc), nullptr) << text;
  EXPECT_GE(timegm(&utc), before);
  EXPECT_LE(timegm(&utc), std::time(nullptr));
}

}  // namespace
}  // namespace tocsin::net
