// What a server says is wrong with a request: application/problem+json (RFC 9457).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tocsin::net {

inline constexpr std::string_view kProblemType = "application/problem+json";

struct Problem {
  // For a person; empty: none. With the name of a bad field in front, on which the hub's details
  // read on: "data", "is not valid UTF-8". Control characters are blanks: it may go to a terminal.
  std::string detail;
  std::size_t line = 0;  // the hub's, of a batch; 0: none
  std::uint64_t expected = 0;  // the hub's: the number that a Publish-Id should have; 0: none
  bool unknown = false;  // the hub's: what was asked for may have happened all the same
};

// As far as `body` is one.
[[nodiscard]] Problem read_problem(std::string_view body);

}  // namespace tocsin::net
