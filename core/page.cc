#include "core/page.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "proto/assert.h"

namespace tocsin::core {
namespace {

constexpr std::uint64_t kMaxOffset = std::numeric_limits<std::uint32_t>::max();

// Slots are read in place behind the bytes.
constexpr std::size_t aligned(std::size_t capacity) {
  return (capacity + 3) & ~std::size_t{3};
}

}  // namespace

Page::Page(std::size_t capacity, const Origin& origin)
    : origin_(origin),
      bytes_(std::make_unique_for_overwrite<char[]>(aligned(capacity))),
      capacity_(static_cast<std::uint32_t>(aligned(capacity))) {
  TOCSIN_ASSERT(aligned(capacity) <= kMaxOffset);
}

bool Page::accepts(std::size_t size, Sequence sequence, TimeMs time) const {
  const std::size_t used = size_ + frames_ * sizeof(Slot);
  return cost(size) <= capacity_ - used && sequence - origin_.sequence <= kMaxOffset &&
         time - origin_.time <= kMaxOffset;
}

void Page::append(std::string_view body, std::string_view tail, Sequence sequence, TimeMs time,
                   ReceiptUs received) {
  const std::size_t frame_size = body.size() + tail.size();
  TOCSIN_ASSERT(accepts(frame_size, sequence, time));
  TOCSIN_ASSERT(frames_ == 0 || sequence > last_sequence());
  char* out = proto::write_chunk_head(frame_size, bytes_.get() + size_);
  for (const std::string_view part : {body, tail, proto::kChunkTail}) {
    std::memcpy(out, part.data(), part.size());
    out += part.size();
  }
  const Slot slot{static_cast<std::uint32_t>(out - bytes_.get()),
                  static_cast<std::uint32_t>(sequence - origin_.sequence),
                  static_cast<std::uint32_t>(time - origin_.time), received};
  std::memcpy(bytes_.get() + capacity_ - (frames_ + 1) * sizeof(Slot), &slot, sizeof(Slot));
  ++frames_;
  size_ = slot.end;
  last_ = slot.sequence;
}

std::uint32_t Page::first_after(Sequence after) const {
  std::uint32_t high = frames_;  // every frame from here on is above
  std::uint32_t low = frames_;   // no frame below is, once the next loop is over
  for (std::uint32_t step = 1; low > 0 && sequence_of(low - 1) > after; step *= 2) {
    high = low - 1;
    low = high - std::min(step - 1, high);
  }
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    if (sequence_of(middle) > after) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

}  // namespace tocsin::core
