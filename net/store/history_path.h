// Where a history's file is. A file has one place, whatever name it is opened by: its lock, its
// reserve and SQLite's log stand beside it there. Two hubs that open one history by two names would
// else have two locks.
#pragma once

#include <expected>
#include <string>

namespace tocsin::net {

// The place of the file that `path` names, through all links; it need not be there, its folder
// must. Refused, in words that follow the path: what is no regular file, and a file that has other
// names as well (hard links), by which it would have another log.
[[nodiscard]] std::expected<std::string, std::string> place_of_history(const std::string& path);

// A sentence about who may read or change the file who should not; empty: nobody, or there is none.
// A group may read it.
[[nodiscard]] std::string exposure_of_history(const std::string& path);

}  // namespace tocsin::net
