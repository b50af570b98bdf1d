#include "bench/micro/allocation_count.h"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace tocsin::bench {
namespace {

// The counter of the replacement functions, which have no object to keep it in.
thread_local constinit std::uint64_t count = 0;

void* allocate(std::size_t size, std::size_t alignment) {
  ++count;
  const std::size_t rounded = (size + alignment - 1) / alignment * alignment;
  void* const memory = alignment <= alignof(std::max_align_t)
                           ? std::malloc(size == 0 ? 1 : size)
                           : std::aligned_alloc(alignment, rounded);
  if (memory == nullptr) std::abort();  // the hub's own rule: see DECISIONS.md
  return memory;
}

}  // namespace

std::uint64_t allocations() {
  return count;
}

}  // namespace tocsin::bench

// The array and nothrow forms call these.
void* operator new(std::size_t size) {
  return tocsin::bench::allocate(size, 1);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return tocsin::bench::allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
