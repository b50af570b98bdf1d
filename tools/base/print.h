// Text to a terminal, a pipe or a file that may be full or closed.
#pragma once

#include <cerrno>
#include <cstdio>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace tocsin::tools {

// Writes to `out`, where fmt::print would throw when that fails: the stream remembers it
// (ferror(3)), and a complaint that nobody can read is dropped.
inline void print_text(std::FILE* out, std::string_view text) {
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), out));
}

template <typename... Args>
void print(std::FILE* out, fmt::format_string<Args...> format, Args&&... args) {
  print_text(out, fmt::format(format, std::forward<Args>(args)...));
}

// Once everything was printed, as coreutils do: flushes standard output. The exit status of a
// program that would end with `status`: 1 instead of 0, with a line on standard error, if something
// of its output could not be written. The line has no reason if that was an earlier flush.
[[nodiscard]] inline int status_of_output(std::string_view program, int status) {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return status;
  const std::string why = errno == 0 ? "" : ": " + std::generic_category().message(errno);
  print(stderr, "{}: cannot write to standard output{}\n", program, why);
  return status == 0 ? 1 : status;
}

}  // namespace tocsin::tools
