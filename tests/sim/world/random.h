// The one source of chance of a simulated world: the same seed, the same run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>

namespace tocsin::sim {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  // [0, n). REQUIRES: n > 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t n) { return engine_() % n; }
  // [low, high].
  [[nodiscard]] std::uint64_t between(std::uint64_t low, std::uint64_t high) {
    return low + below(high - low + 1);
  }
  [[nodiscard]] bool chance(std::uint64_t percent) { return below(100) < percent; }

  template <typename List>
  [[nodiscard]] auto& pick(List& list) {
    return list[below(std::size(list))];
  }
  template <typename List>
  void shuffle(List& list, std::size_t from = 0) {
    for (std::size_t i = list.size(); i > from + 1; --i) {
      std::swap(list[i - 1], list[from + below(i - from)]);
    }
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace tocsin::sim
