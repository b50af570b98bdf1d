#!/bin/bash
# Guess: std::string::reserve(n) makes room for n characters, or a little more. Who knows the size of
#   what is to come, such as a body with a Content-Length, takes that much memory and no more.
# Package: libstdc++-12-dev 12.2.0-14+deb12u1 (Debian 12)
# Seen 2026-11-30: where n is between once and twice the present capacity, twice the present capacity is
#   taken: a string of a mebibyte that is told to make room for one character more takes two. An empty
#   string takes n exactly, and so does std::vector::reserve in both cases.
. "$(dirname "$(realpath "$0")")/lib"
need g++
cat >program.cc <<'CC'
#include <cstdio>
#include <string>
#include <vector>

int main() {
  constexpr std::size_t kMiB = 1 << 20;
  std::string empty;
  empty.reserve(kMiB);
  std::string grown;
  grown.reserve(kMiB);
  grown.reserve(kMiB + 1);
  std::vector<char> vector;
  vector.reserve(kMiB);
  vector.reserve(kMiB + 1);
  std::printf("empty string, room for 1 MiB: %zu bytes\n", empty.capacity());
  std::printf("string of 1 MiB, room for a byte more: %zu bytes\n", grown.capacity());
  std::printf("vector of 1 MiB, room for a byte more: %zu bytes\n", vector.capacity());
  const bool so = empty.capacity() == kMiB && grown.capacity() == 2 * kMiB &&
                  vector.capacity() == kMiB + 1;
  std::puts(so ? "still so" : "changed");
}
CC
g++ -std=c++20 -Wall -Werror program.cc -o program
judge ./program
