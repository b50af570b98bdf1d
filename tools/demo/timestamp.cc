#include "tools/demo/timestamp.h"

#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace tocsin::demo {
namespace {

std::string render(WallClock::time_point time, const std::string& fraction) {
  const std::tm local = fmt::localtime(WallClock::to_time_t(time));
  const std::string text = fmt::format("{:%Y-%m-%dT%H:%M:%S}{}", local, fraction);
  if (local.tm_gmtoff == 0) return text + 'Z';
  const long minutes = (local.tm_gmtoff < 0 ? -local.tm_gmtoff : local.tm_gmtoff) / 60;
  return text +
         fmt::format("{}{:02}:{:02}", local.tm_gmtoff < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

}  // namespace

std::string rfc3339(WallClock::time_point time) {
  return render(std::chrono::floor<std::chrono::seconds>(time), {});
}

std::string rfc3339_micros(WallClock::time_point time) {
  using std::chrono::microseconds;
  using std::chrono::seconds;
  const auto second = std::chrono::floor<seconds>(time);
  const auto micros = std::chrono::duration_cast<microseconds>(time - second).count();
  return render(second, fmt::format(".{:06}", micros));
}

}  // namespace tocsin::demo
