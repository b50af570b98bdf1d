// The streams' last event ids, each text kept once: the subscribers of a broadcast all have the
// same one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace tocsin::load {

// Not thread-safe.
class IdTable {
 public:
  using Entry = std::pair<const std::string, std::uint32_t>;  // the text, how often it is held
  using Handle = const Entry*;                                // null: no id

  IdTable() = default;
  IdTable(const IdTable&) = delete;
  IdTable& operator=(const IdTable&) = delete;

  // The entry with that text, held once more. Null for an empty text. Comparing one text where it
  // is that of the call before.
  [[nodiscard]] Handle hold(std::string_view text);
  // Gives back what hold() gave. The entry goes with its last holder. Null is nothing.
  void release(Handle handle);

  [[nodiscard]] static std::string_view text(Handle handle) {
    return handle != nullptr ? std::string_view(handle->first) : std::string_view();
  }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  // Its entries never move.
  std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> entries_;
  Entry* last_ = nullptr;  // of the last hold()
};

}  // namespace tocsin::load
