// What proto/http_request.cc (and nothing else) does with a request's bytes by itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tocsin::proto {

// Blanks and tabs at the end.
void trim_end(std::string& text);

// Empties it; gives memory back beyond `max_capacity` bytes.
void clear_keeping(std::string& text, std::size_t max_capacity);

// Appends bytes to `line` up to its end, at most `budget` of them, which it takes off; returns how
// many.
[[nodiscard]] std::size_t take_line(std::string_view bytes, std::uint64_t& budget,
                                    std::string& line);

// The target of a request line of HTTP/1.0 or 1.1 that is well-formed but for its method's name.
// `line` begins within that name, or at the blank behind it, and ends with its line end. Nothing:
// it is no such line.
[[nodiscard]] std::optional<std::string_view> target_of_line(std::string_view line);

// Looks over a head that comes in pieces.
class HeadScan {
 public:
  void start() { last_ = '\0'; }
  // The next bytes of the head. True: among them is the blank that makes a line go on on the next
  // (RFC 9112, 5.2: obs-fold).
  [[nodiscard]] bool finds_fold(std::string_view bytes);
  // Whether `rest`, behind what was scanned, may go on with a method's name or stands right behind
  // one.
  [[nodiscard]] bool at_method_name(std::string_view rest) const;

 private:
  char last_ = '\0';  // byte so far
};

}  // namespace tocsin::proto
