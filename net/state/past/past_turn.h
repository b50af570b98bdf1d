// A stream's turn to read a page of the past (net/state/past/past_reader.h). It ends when this is
// destroyed, wherever that is: in a letter that nobody takes, too.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

namespace tocsin::net {

class PastPage;
class PastReader;

class PastTurn {
 public:
  // `reader` outlives it.
  PastTurn(PastReader& reader, std::uint64_t number, std::shared_ptr<const PastPage> page)
      : reader_(&reader), number_(number), page_(std::move(page)) {}
  PastTurn(PastTurn&& other) noexcept
      : reader_(std::exchange(other.reader_, nullptr)),
        number_(other.number_),
        page_(std::move(other.page_)) {}
  PastTurn& operator=(PastTurn&& other) noexcept {
    std::swap(reader_, other.reader_);
    std::swap(number_, other.number_);
    std::swap(page_, other.page_);
    return *this;
  }
  ~PastTurn();

  // Of the ask that it answers.
  [[nodiscard]] std::uint64_t number() const { return number_; }
  [[nodiscard]] const PastPage& page() const { return *page_; }

 private:
  PastReader* reader_;  // null: it was moved from
  std::uint64_t number_;
  std::shared_ptr<const PastPage> page_;
};

}  // namespace tocsin::net
