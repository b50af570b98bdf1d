#include "proto/http/http_date.h"

#include <gtest/gtest.h>

namespace tocsin::proto {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

struct DateCase {
  std::int64_t since_1970_s;
  std::string_view text;
};
constexpr DateCase kDates[] = {
    {784'111'777, "Sun, 06 Nov 1994 08:49:37 GMT"},  // RFC 9110, 5.6.7
    {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
    {1'709'251'199, "Thu, 29 Feb 2024 23:59:59 GMT"},
    {1'709'251'200, "Fri, 01 Mar 2024 00:00:00 GMT"},
    {253'402'300'799, "Fri, 31 Dec 9999 23:59:59 GMT"},
};

TEST(HttpDate, IsWrittenAndReadInTheFormOfTheStandard) {
  for (const DateCase& moment : kDates) {
    const sys_seconds time{seconds(moment.since_1970_s)};
    const HttpDateText text = to_http_date(time);
    EXPECT_EQ(std::string_view(text.data(), text.size()), moment.text);
    EXPECT_EQ(parse_http_date(moment.text), time);
  }
}

TEST(HttpDate, NothingElseIsRead) {
  for (const std::string_view text :
       {"", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nox 1994 08:49:37 GMT", "Sun, xx Nov 1994 08:49:37 GMT",
        "Sun, -6 Nov 1994 08:49:37 GMT", "Sun, +6 Nov 1994 08:49:37 GMT",
        "Sun; 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT "}) {
    EXPECT_EQ(parse_http_date(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace tocsin::proto
