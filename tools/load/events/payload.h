// The data of a measured event: it says which run and lane it belongs to, its place in the order
// and when it was to be sent, and every byte of it can be checked by whoever receives it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tocsin::load {

// Run, order, time, size, check word, with a dot behind each.
inline constexpr std::size_t kPayloadHead = 8 + 1 + 16 + 1 + 16 + 1 + 8 + 1 + 8 + 1;
inline constexpr std::size_t kMaxPayload = std::size_t{1024} * 1024;
inline constexpr std::uint32_t kMaxLanes = 1U << 24;

// A lane is what has one order: one publisher's connection to one topic.
struct Stamp {
  std::uint32_t lane = 0;
  std::uint64_t number = 0;  // dense in its lane, from 0; below 2^40
  std::uint64_t due_ns = 0;  // CLOCK_MONOTONIC: when it was intended to be sent

  friend bool operator==(const Stamp&, const Stamp&) = default;
};

enum class Verdict : std::uint8_t {
  good,
  foreign,  // whole, but of another run (a history that was there before)
  corrupt,
};

// Writes and checks the payloads of one run:
//
//   RRRRRRRR.LLLLLLNNNNNNNNNN.TTTTTTTTTTTTTTTT.SSSSSSSS.CCCCCCCC.padding
//
// run, lane and number, time, size in bytes, check word over all of them (lower-case hex), and
// padding that is a piece of a fixed text at a place that depends on the number. Only letters,
// digits and dots: nothing in it needs escaping in JSON, in a form or in a URL.
// Immutable after construction, so threads share it.
class PayloadFormat {
 public:
  // `max_bytes`: of the largest payload. REQUIRES: kPayloadHead <= max_bytes <= kMaxPayload.
  PayloadFormat(std::uint32_t run, std::size_t max_bytes);

  // Writes `bytes` characters. REQUIRES: kPayloadHead <= bytes <= max_bytes.
  void write(const Stamp& stamp, std::size_t bytes, char* out) const;
  // Fills `stamp` if the verdict is good. `data` may have anything around the payload (a server
  // that wraps what was published in JSON of its own); right at the front it is found at once.
  [[nodiscard]] Verdict read(std::string_view data, Stamp& stamp) const;
  // This run's text stands somewhere in `data`: it is, or was, a payload.
  [[nodiscard]] bool is_marked(std::string_view data) const {
    return data.find(run_text_) != std::string_view::npos;
  }

 private:
  [[nodiscard]] Verdict read_at_front(std::string_view data, Stamp& stamp) const;
  [[nodiscard]] const char* padding(std::uint64_t number) const;

  std::uint32_t run_;
  std::string run_text_;  // eight digits and the dot
  std::size_t max_bytes_;
  std::string text_;  // kTextPeriod + max_bytes_ characters
};

}  // namespace tocsin::load
