#include "tools/load/events/payload.h"

#include <bit>
#include <cstring>

#include "proto/assert.h"

namespace tocsin::load {
namespace {

constexpr std::size_t kTextPeriod = 4093;  // prime: neighbouring events get different padding
constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
constexpr unsigned kNumberBits = 40;
constexpr std::uint64_t kNumberMask = (std::uint64_t{1} << kNumberBits) - 1;

// Where the fields stand in the head; a dot ends each.
constexpr std::size_t kOrderAt = 9;
constexpr std::size_t kDueAt = 26;
constexpr std::size_t kSizeAt = 43;
constexpr std::size_t kCheckAt = 52;
static_assert(kCheckAt + 9 == kPayloadHead);

static_assert(std::endian::native == std::endian::little, "hex is read eight bytes at a time");

// Eight digits with the values 0 to 15, a byte each, to their characters.
std::uint64_t hex_characters(std::uint64_t nibbles) {
  const std::uint64_t letters = ((nibbles + kOnes * 6) >> 4) & kOnes;
  return nibbles + (kOnes * '0') + (letters * ('a' - '0' - 10));
}

// Eight lower-case hex digits to their value, without a branch per digit: at millions of events a
// second in every receiver, a table lookup per character would be most of the client's time.
// False: some byte is no such digit (found by writing the digits again and comparing; 'g' to 'o'
// would come back the same, as digits above 15).
// Five calls for each event, and not small enough for the compiler's own taste: a tenth of a
// receiver's time is in the calls.
[[gnu::always_inline]] inline bool read_hex8(const char* text, std::uint32_t& value) {
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, text, sizeof bytes);
  std::uint64_t nibbles = (bytes & (kOnes * 0x0f)) + (((bytes >> 6) & kOnes) * 9);
  if (((nibbles & (kOnes * 0xf0)) | (hex_characters(nibbles) ^ bytes)) != 0) return false;
  nibbles = __builtin_bswap64(nibbles);
  nibbles = (nibbles | (nibbles >> 4)) & 0x00ff00ff00ff00ffULL;
  nibbles = (nibbles | (nibbles >> 8)) & 0x0000ffff0000ffffULL;
  value = static_cast<std::uint32_t>(nibbles | (nibbles >> 16));
  return true;
}

[[gnu::always_inline]] inline bool read_hex16(const char* text, std::uint64_t& value) {
  std::uint32_t high = 0;
  std::uint32_t low = 0;
  if (!read_hex8(text, high) || !read_hex8(text + 8, low)) return false;
  value = (std::uint64_t{high} << 32) | low;
  return true;
}

// The inverse of read_hex8, and a dot.
char* write_hex8(std::uint32_t value, char* out) {
  std::uint64_t nibbles = value;
  nibbles = (nibbles | (nibbles << 16)) & 0x0000ffff0000ffffULL;
  nibbles = (nibbles | (nibbles << 8)) & 0x00ff00ff00ff00ffULL;
  nibbles = (nibbles | (nibbles << 4)) & 0x0f0f0f0f0f0f0f0fULL;
  const std::uint64_t bytes = hex_characters(__builtin_bswap64(nibbles));
  std::memcpy(out, &bytes, sizeof bytes);
  out[8] = '.';
  return out + 9;
}

char* write_hex16(std::uint64_t value, char* out) {
  write_hex8(static_cast<std::uint32_t>(value >> 32), out);  // the next one overwrites its dot
  return write_hex8(static_cast<std::uint32_t>(value), out + 8);
}

struct Head {
  std::uint32_t run = 0;
  std::uint64_t order = 0;  // lane and number
  std::uint64_t due_ns = 0;
  std::uint32_t bytes = 0;

  [[nodiscard]] std::uint64_t number() const { return order & kNumberMask; }

  [[nodiscard]] std::uint32_t check_word() const {
    std::uint64_t x = (order * 0x9e3779b97f4a7c15ULL) ^ (due_ns * 0xbf58476d1ce4e5b9ULL) ^
                      ((std::uint64_t{bytes} << 32) | run);
    x ^= x >> 29;
    x *= 0x94d049bb133111ebULL;
    return static_cast<std::uint32_t>(x >> 32);
  }
};

// Of kPayloadHead characters at `p`, of which the first nine are `head.run` and its dot if
// `is_ours`. False: they are no head, of any run.
[[gnu::always_inline]] inline bool read_head(const char* p, bool is_ours, Head& head) {
  std::uint32_t word = 0;
  const bool dots = p[kOrderAt - 1] == '.' && p[kDueAt - 1] == '.' && p[kSizeAt - 1] == '.' &&
                    p[kCheckAt - 1] == '.' && p[kPayloadHead - 1] == '.';
  return dots && (is_ours || read_hex8(p, head.run)) && read_hex16(p + kOrderAt, head.order) &&
         read_hex16(p + kDueAt, head.due_ns) && read_hex8(p + kSizeAt, head.bytes) &&
         read_hex8(p + kCheckAt, word) && word == head.check_word() && head.bytes >= kPayloadHead;
}

}  // namespace

PayloadFormat::PayloadFormat(std::uint32_t run, std::size_t max_bytes)
    : run_(run), run_text_(9, '.'), max_bytes_(max_bytes) {
  TOCSIN_ASSERT(max_bytes >= kPayloadHead && max_bytes <= kMaxPayload);
  write_hex8(run, run_text_.data());
  text_.reserve(kTextPeriod + max_bytes);
  std::uint32_t state = 1;
  for (std::size_t i = 0; i < kTextPeriod + max_bytes; ++i) {
    state = state * 1664525 + 1013904223;  // any fixed text will do
    text_ += "abcdefghijklmnopqrstuvwxyzABCDEF"[state >> 27];
  }
}

const char* PayloadFormat::padding(std::uint64_t number) const {
  return text_.data() + ((number * 31) % kTextPeriod);
}

void PayloadFormat::write(const Stamp& stamp, std::size_t bytes, char* out) const {
  TOCSIN_DEBUG_ASSERT(bytes >= kPayloadHead && bytes <= max_bytes_);
  TOCSIN_DEBUG_ASSERT(stamp.lane < kMaxLanes && stamp.number <= kNumberMask);
  const Head head{.run = run_,
                  .order = (std::uint64_t{stamp.lane} << kNumberBits) | stamp.number,
                  .due_ns = stamp.due_ns,
                  .bytes = static_cast<std::uint32_t>(bytes)};
  out = write_hex8(head.run, out);
  out = write_hex16(head.order, out);
  out = write_hex16(head.due_ns, out);
  out = write_hex8(head.bytes, out);
  out = write_hex8(head.check_word(), out);
  std::memcpy(out, padding(stamp.number), bytes - kPayloadHead);
}

Verdict PayloadFormat::read_at_front(std::string_view data, Stamp& stamp) const {
  Head head;
  if (data.size() < kPayloadHead) return Verdict::corrupt;
  // Nearly always; it saves reading a sixth of the digits.
  const bool is_ours = std::memcmp(data.data(), run_text_.data(), kOrderAt) == 0;
  if (is_ours) head.run = run_;
  if (!read_head(data.data(), is_ours, head)) return Verdict::corrupt;
  if (head.bytes > data.size()) return Verdict::corrupt;
  // Another run may have had larger payloads, whose padding cannot be compared.
  if (head.run != run_ && head.bytes > max_bytes_) return Verdict::foreign;
  if (head.bytes > max_bytes_ || std::memcmp(data.data() + kPayloadHead, padding(head.number()),
                                             head.bytes - kPayloadHead) != 0) {
    return Verdict::corrupt;
  }
  if (head.run != run_) return Verdict::foreign;
  stamp.lane = static_cast<std::uint32_t>(head.order >> kNumberBits);
  stamp.number = head.number();
  stamp.due_ns = head.due_ns;
  return Verdict::good;
}

Verdict PayloadFormat::read(std::string_view data, Stamp& stamp) const {
  Verdict verdict = read_at_front(data, stamp);
  if (verdict != Verdict::corrupt || data.size() < kPayloadHead) return verdict;
  // The run's text may also stand in what the server put in front, so every place is tried.
  const char* const end = data.data() + data.size();
  for (const char* at = data.data() + 1; at != nullptr && at < end; ++at) {
    at = static_cast<const char*>(
        memmem(at, static_cast<std::size_t>(end - at), run_text_.data(), run_text_.size()));
    if (at == nullptr) break;
    if (read_at_front({at, end}, stamp) == Verdict::good) return Verdict::good;
  }
  // Another run's number is not known, but where its dots stand is.
  for (std::size_t dot = data.find('.', 8); dot != std::string_view::npos;
       dot = data.find('.', dot + 1)) {
    if (read_at_front(data.substr(dot - 8), stamp) == Verdict::foreign) return Verdict::foreign;
  }
  return Verdict::corrupt;
}

}  // namespace tocsin::load
