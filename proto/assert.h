// Assertions about our own state; bad input is never one of them.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace tocsin {

[[noreturn]] inline void assertion_failed(const char* what, const char* file, int line) {
  std::fprintf(stderr, "tocsin: %s:%d: assertion failed: %s\n", file, line, what);
  std::abort();
}

}  // namespace tocsin

// On in every build: a broken invariant ends the process before it sends wrong bytes to a million.
// Cheap conditions only; keep out of the loop over subscribers.
#define TOCSIN_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::tocsin::assertion_failed(#condition, __FILE__, __LINE__))

// Per delivery or dear: on in debug builds and in the simulation's build.
#ifdef NDEBUG
#define TOCSIN_DEBUG_ASSERT(condition) static_cast<void>(0)
#else
#define TOCSIN_DEBUG_ASSERT(condition) TOCSIN_ASSERT(condition)
#endif
