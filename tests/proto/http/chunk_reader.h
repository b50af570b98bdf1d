// A chunked body as the hub writes it, cut anywhere: nothing is accepted that it would not write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "proto/text/ascii.h"

namespace tocsin::proto {

class ChunkReader {
 public:
  // Reads on; what of the body that brings, as far as it is not at fault.
  std::string feed(std::string_view bytes) {
    std::string body;
    for (const char c : bytes) {
      if (!error_.empty()) break;
      take(c, body);
    }
    return body;
  }

  // What is wrong; empty: nothing.
  [[nodiscard]] const std::string& error() const { return error_; }
  // The last chunk has come.
  [[nodiscard]] bool ended() const { return place_ == Place::end; }
  // Nothing but whole chunks has come.
  [[nodiscard]] bool between() const { return place_ == Place::size && size_text_.empty(); }
  [[nodiscard]] std::uint64_t chunks() const { return chunks_; }

 private:
  enum class Place : std::uint8_t { size, size_end, piece, piece_cr, piece_end, end };

  void take(char c, std::string& body) {
    switch (place_) {
      case Place::size:
        if (c == '\r') return on_size();
        size_text_ += c;
        if (!is_hex(c)) fail("a chunk begins with " + size_text_);
        return;
      case Place::size_end:
        if (c != '\n') return fail("a chunk's size ends without LF");
        place_ = size_ == 0 ? Place::piece_cr : Place::piece;
        return;
      case Place::piece:
        body += c;
        piece_ += c;
        if (piece_.size() == size_) place_ = Place::piece_cr;
        return;
      case Place::piece_cr:
        if (c != '\r') return fail("a chunk is longer than it says");
        place_ = Place::piece_end;
        return;
      case Place::piece_end:
        if (c != '\n') return fail("a chunk ends without LF");
        on_chunk();
        return;
      case Place::end:
        fail("something comes behind the end of the body");
        return;
    }
  }

  static bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); }

  void on_size() {
    const bool good = !size_text_.empty() && size_text_.size() < 9 &&
                      (size_text_ == "0" || size_text_.front() != '0');
    if (!good) return fail("a chunk's size is " + size_text_);
    size_ = std::stoull(std::exchange(size_text_, {}), nullptr, 16);
    place_ = Place::size_end;
  }

  // An event and no more, or lines that are none.
  void on_chunk() {
    place_ = size_ == 0 ? Place::end : Place::size;
    if (size_ == 0) return;
    ++chunks_;
    const std::size_t end = piece_.find("\n\n");
    if (!piece_.ends_with('\n')) fail("a chunk with a part of a line: " + piece_);
    if (end != std::string::npos && end + 2 != piece_.size()) {
      fail("a chunk with more than one event: " + piece_);
    }
    piece_.clear();
  }

  void fail(std::string what) {
    if (error_.empty()) error_ = std::move(what);
  }

  Place place_ = Place::size;
  std::string size_text_;
  std::size_t size_ = 0;
  std::string piece_;
  std::uint64_t chunks_ = 0;
  std::string error_;
};

}  // namespace tocsin::proto
