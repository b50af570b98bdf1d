// Files that hold keys.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "net/jose/secret.h"

namespace tocsin::net {

struct KeyFile {
  Secret bytes;
  // In words, if others than its owner and group can read or change it: "/etc/tocsin/key can be
  // read by everybody (mode 0644)"; for a file with a secret.
  std::string exposure;
  // The same, if they can change it, or put another one in its place. A public key may be read by
  // all, but whoever changes it says who is let in.
  std::string changeable;
};

// What everybody can change of an open file and the folders that it is in, in words: "/etc/tocsin
// can be changed by everybody (mode 0777)"; empty: nothing. A folder with the sticky bit, such as
// /tmp, is none that others can change what is in.
[[nodiscard]] std::string changeable_by_all(int fd, const std::string& path);

// Reads a regular file of at most kMaxKeyDocument bytes, in one go. The error says in words what
// is wrong, with the path and nothing of the content.
[[nodiscard]] std::expected<KeyFile, std::string> read_key_file(const std::string& path);

}  // namespace tocsin::net
