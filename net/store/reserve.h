// Room on the disk that a history gives up when the disk is full: PATH.reserve. SQLite needs room
// to make room, for its log and to move it into the file.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace tocsin::net {

class Reserve {
 public:
  // Of so many bytes; 0: there is none.
  Reserve(std::string path, std::uint64_t bytes) : path_(std::move(path)), bytes_(bytes) {}

  // False: errno says why (EEXIST: what is there is no file); nothing is taken then.
  [[nodiscard]] bool take();
  void give_up();
  // Of the disk, besides: bytes that whoever asks may take; UINT64_MAX: unknown.
  [[nodiscard]] std::uint64_t free_bytes() const;
  // It was taken, and not given up since.
  [[nodiscard]] bool is_whole() const { return whole_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  const std::string path_;
  const std::uint64_t bytes_;
  bool whole_ = false;
};

}  // namespace tocsin::net
