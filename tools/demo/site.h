// The demonstration's page: files that were compiled in.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "net/application.h"

namespace tocsin::demo {

struct Asset {
  std::string_view path;  // of the URL
  std::string_view content_type;
  std::string_view bytes;
};

// For as long as the program runs.
[[nodiscard]] std::span<const Asset> site_assets();

// A route for each. A browser keeps what it has and asks whether it is still good (ETag); a page
// loads nothing from elsewhere and runs no script or style that stands in it
// (Content-Security-Policy).
[[nodiscard]] std::vector<net::Route> site_routes();

}  // namespace tocsin::demo
