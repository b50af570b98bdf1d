// What was used last, within a bound of bytes.
//
// Few and large things: a look goes through all of them. Not thread-safe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <utility>

namespace tocsin::net {

// `Value`: a reference such as a std::shared_ptr, for what somebody uses may go meanwhile.
template <typename Value>
class RecentlyUsed {
 public:
  // The newest stays, however large it is.
  explicit RecentlyUsed(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  // One that `is_wanted` says yes to, which is the newest from then on; Value(): there is none.
  template <typename Wanted>
  [[nodiscard]] Value find(Wanted&& is_wanted) {
    const auto found = std::ranges::find_if(kept_, std::forward<Wanted>(is_wanted), &Kept::value);
    if (found == kept_.end()) return Value();
    std::rotate(kept_.begin(), found, found + 1);
    return kept_.front().value;
  }

  // `bytes`: that it takes. The oldest go for it.
  void keep(Value value, std::size_t bytes) {
    kept_.push_front({.value = std::move(value), .bytes = bytes});
    bytes_ += bytes;
    while (bytes_ > most_bytes_ && kept_.size() > 1) {
      bytes_ -= kept_.back().bytes;
      kept_.pop_back();
    }
  }

  void clear() {
    kept_.clear();
    bytes_ = 0;
  }

 private:
  struct Kept {
    Value value;
    std::size_t bytes;
  };
  std::deque<Kept> kept_;  // the newest in front
  std::size_t bytes_ = 0;
  const std::size_t most_bytes_;
};

}  // namespace tocsin::net
