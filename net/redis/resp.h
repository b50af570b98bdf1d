// RESP2, what Redis and Valkey speak to a client that has not asked for more: commands are lists of
// byte strings, replies come in the order of the commands
// (https://redis.io/docs/latest/develop/reference/protocol-spec/).
//
// No I/O. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/assert.h"

namespace tocsin::net {

// A view into the RespReader that gave it.
class RespValue {
 public:
  enum class Kind : std::uint8_t { nil, status, error, number, text, list };

  Kind kind = Kind::nil;
  std::string_view text{};  // of a status, an error (its first word is a code) or a text
  std::int64_t number = 0;  // of a number

  [[nodiscard]] bool is(Kind one) const { return kind == one; }
  [[nodiscard]] std::span<const RespValue> items() const { return {items_, count_}; }
  // Of a list; nil where it has fewer.
  [[nodiscard]] const RespValue& at(std::size_t index) const;

 private:
  friend class RespReader;
  const RespValue* items_ = nullptr;
  std::size_t count_ = 0;
};

// Appends a command. REQUIRES: it has a word at least.
void append_command(std::string& out, std::span<const std::string_view> words);

// Replies out of bytes that come in pieces of any size. Each byte is looked at twice, however many
// pieces there are.
class RespReader {
 public:
  // A reply of more than `most` bytes is taken for a fault.
  explicit RespReader(std::size_t most) : most_(most) {}

  void feed(std::string_view bytes) { buffer_.append(bytes); }
  // The next reply, whole; null: the rest of it is not there yet, or the peer does not speak RESP
  // (is_broken(), from then on). It ends with the next call of either function.
  [[nodiscard]] const RespValue* next();
  [[nodiscard]] bool is_broken() const { return broken_; }
  // Something came behind what next() gave last.
  [[nodiscard]] bool has_more() const { return buffer_.size() > scanned_; }

 private:
  void drop_given();
  [[nodiscard]] bool scan();
  [[nodiscard]] bool scan_one();
  void build(RespValue& value, unsigned depth);
  [[nodiscard]] std::string_view take_line();
  bool fail();

  const std::size_t most_;
  std::string buffer_;
  std::size_t begin_ = 0;    // of the reply that comes next
  std::size_t scanned_ = 0;  // the end of what scan() has understood
  std::size_t todo_ = 1;     // values that the reply still lacks
  std::size_t values_seen_ = 0;
  std::size_t at_ = 0;  // of build()
  std::vector<RespValue> values_;
  bool given_ = false;  // [begin_, scanned_) was
  bool broken_ = false;
};

}  // namespace tocsin::net
