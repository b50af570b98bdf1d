// What this build is. Both texts live as long as the process.
#pragma once

#include <string_view>

namespace tocsin {

// The project's version in CMakeLists.txt, e.g. "0.1.0".
[[nodiscard]] std::string_view version();

// The commit it was built from, e.g. "e310c94a1b2c", with "-dirty" if files had been changed; what
// TOCSIN_COMMIT says instead where that is set; empty where neither is known (a source archive).
[[nodiscard]] std::string_view commit();

}  // namespace tocsin
