#include "bench/payload.h"

#include <bit>
#include <cstring>

#include "proto/assert.h"

namespace tocsin::bench {
namespace {

constexpr std::size_t kTextPeriod = 4093;  // prime: neighbouring events get different padding
constexpr std::uint64_t kOnes = 0x0101010101010101ULL;

static_assert(std::endian::native == std::endian::little, "hex is read eight bytes at a time");

// Eight lower-case hex digits to their value, without a branch per digit: at millions of events a
// second in every receiver, a table lookup per character would be most of the client's time.
// False: some byte is no such digit (found by writing the digits again and comparing).
bool read_hex8(const char* text, std::uint32_t& value) {
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, text, sizeof bytes);
  std::uint64_t nibbles = (bytes & (kOnes * 0x0f)) + (((bytes >> 6) & kOnes) * 9);
  const std::uint64_t letters = ((nibbles + kOnes * 6) >> 4) & kOnes;
  if (nibbles + kOnes * '0' + letters * ('a' - '0' - 10) != bytes) return false;
  nibbles = __builtin_bswap64(nibbles);
  nibbles = (nibbles | (nibbles >> 4)) & 0x00ff00ff00ff00ffULL;
  nibbles = (nibbles | (nibbles >> 8)) & 0x0000ffff0000ffffULL;
  value = static_cast<std::uint32_t>(nibbles | (nibbles >> 16));
  return true;
}

bool read_hex16(const char* text, std::uint64_t& value) {
  std::uint32_t high = 0;
  std::uint32_t low = 0;
  if (!read_hex8(text, high) || !read_hex8(text + 8, low)) return false;
  value = (std::uint64_t{high} << 32) | low;
  return true;
}

char* write_hex(std::uint64_t value, unsigned digits, char* out) {
  for (unsigned i = digits; i-- > 0;) *out++ = "0123456789abcdef"[(value >> (4 * i)) & 0xf];
  return out;
}

std::uint32_t check_word(std::uint32_t run, std::uint64_t order, std::uint64_t sent_at_ns) {
  std::uint64_t x = (order * 0x9e3779b97f4a7c15ULL) ^ (sent_at_ns * 0xbf58476d1ce4e5b9ULL) ^ run;
  x ^= x >> 29;
  x *= 0x94d049bb133111ebULL;
  return static_cast<std::uint32_t>(x >> 32);
}

}  // namespace

PayloadFormat::PayloadFormat(std::uint32_t run, std::size_t bytes) : run_(run), bytes_(bytes) {
  TOCSIN_ASSERT(bytes >= kPayloadHead && bytes <= kMaxPayload);
  std::uint32_t state = 1;
  for (std::size_t i = 0; i < kTextPeriod + bytes; ++i) {
    state = state * 1664525 + 1013904223;  // any fixed text will do
    text_ += "abcdefghijklmnopqrstuvwxyzABCDEF"[state >> 27];
  }
}

const char* PayloadFormat::padding(std::uint64_t number) const {
  return text_.data() + ((number * 31) % kTextPeriod);
}

void PayloadFormat::write(const Stamp& stamp, char* out) const {
  const std::uint64_t order = (std::uint64_t{stamp.lane} << 48) | stamp.number;
  out = write_hex(run_, 8, out);
  *out++ = ' ';
  out = write_hex(order, 16, out);
  *out++ = ' ';
  out = write_hex(stamp.sent_at_ns, 16, out);
  *out++ = ' ';
  out = write_hex(check_word(run_, order, stamp.sent_at_ns), 8, out);
  *out++ = ' ';
  std::memcpy(out, padding(stamp.number), bytes_ - kPayloadHead);
}

Verdict PayloadFormat::read(std::string_view data, Stamp& stamp) const {
  if (data.size() < kPayloadHead) return Verdict::corrupt;
  const char* p = data.data();
  std::uint32_t run = 0;
  std::uint64_t order = 0;
  std::uint64_t sent_at_ns = 0;
  std::uint32_t word = 0;
  if (!read_hex8(p, run) || !read_hex16(p + 9, order) || !read_hex16(p + 26, sent_at_ns) ||
      !read_hex8(p + 43, word) || p[8] != ' ' || p[25] != ' ' || p[42] != ' ' || p[51] != ' ') {
    return Verdict::corrupt;
  }
  if (word != check_word(run, order, sent_at_ns)) return Verdict::corrupt;
  if (run != run_) return Verdict::foreign;
  stamp.lane = static_cast<std::uint16_t>(order >> 48);
  stamp.number = order & 0xffffffffffffULL;
  stamp.sent_at_ns = sent_at_ns;
  if (data.size() != bytes_) return Verdict::corrupt;
  const bool padded =
      std::memcmp(p + kPayloadHead, padding(stamp.number), bytes_ - kPayloadHead) == 0;
  return padded ? Verdict::good : Verdict::corrupt;
}

}  // namespace tocsin::bench
