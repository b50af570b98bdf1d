// The data of a measured event: it says which run and publisher it belongs to, its place in the
// order, and when it was sent, and every byte of it can be checked by whoever receives it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tocsin::bench {

inline constexpr std::size_t kPayloadHead = 8 + 1 + 16 + 1 + 16 + 1 + 8 + 1;
inline constexpr std::size_t kMaxPayload = std::size_t{64} * 1024;

// Events of several publisher connections have no common order, so each connection is a lane that
// counts for itself.
struct Stamp {
  std::uint16_t lane = 0;
  std::uint64_t number = 0;      // dense in its lane, from 0; below 2^48
  std::uint64_t sent_at_ns = 0;  // CLOCK_MONOTONIC

  friend bool operator==(const Stamp&, const Stamp&) = default;
};

enum class Verdict : std::uint8_t {
  good,
  foreign,  // whole, but of another run (a history that was there before)
  corrupt,
};

// Writes and checks the payloads of one run, all of the same size:
//
//   RRRRRRRR LLLLNNNNNNNNNNNN TTTTTTTTTTTTTTTT CCCCCCCC padding
//
// run, lane and number, time, check word over all of them (lower-case hex), and padding that is a
// piece of a fixed text at a place that depends on the number. Nothing in it needs escaping in
// JSON. Immutable after construction, so threads share it.
class PayloadFormat {
 public:
  // REQUIRES: kPayloadHead <= bytes <= kMaxPayload.
  PayloadFormat(std::uint32_t run, std::size_t bytes);

  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  // Writes bytes() characters.
  void write(const Stamp& stamp, char* out) const;
  // Fills `stamp` if the verdict is good.
  [[nodiscard]] Verdict read(std::string_view data, Stamp& stamp) const;

 private:
  [[nodiscard]] const char* padding(std::uint64_t number) const;

  std::uint32_t run_;
  std::size_t bytes_;
  std::string text_;  // kTextPeriod + bytes_ characters
};

}  // namespace tocsin::bench
