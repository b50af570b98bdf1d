// Passwords among the arguments of a command, which everybody on the machine can read.
#pragma once

#include <algorithm>
#include <cstring>
#include <string_view>

namespace tocsin::tools {

// Of a URL `scheme://USER:PASSWORD@...` in `text`: puts a * in the place of each character of the
// password.
inline void conceal_password(char* text) {
  constexpr std::string_view kBefore = "://";
  char* const end = text + std::strlen(text);
  char* const scheme = std::search(text, end, kBefore.begin(), kBefore.end());
  if (scheme == end) return;
  char* const user = scheme + kBefore.size();
  char* const colon = std::find(user, end, ':');
  char* const options = std::find(user, end, '?');
  char* at = options;  // the last @ before them
  while (at != user && *(at - 1) != '@') --at;
  if (colon == end || at == user || colon >= at - 1) return;
  std::fill(colon + 1, at - 1, '*');
}

}  // namespace tocsin::tools
