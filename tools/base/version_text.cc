#include "tools/base/version_text.h"

#include <openssl/crypto.h>
#include <sodium.h>
#include <sqlite3.h>

#include <cerrno>
#include <system_error>

#include <fmt/format.h>
#include <llhttp.h>

#include "net/io/uring.h"
#include "proto/version.h"

namespace tocsin::tools {

std::string version_text() {
  const std::string commit = tocsin::commit().empty() ? "" : fmt::format(" ({})", tocsin::commit());
  std::string io = "io_uring, epoll";
  if (net::Ring::make({.completions = 2}) == nullptr) {
    io = fmt::format("epoll (io_uring: {})", std::generic_category().message(errno));
  }
  return fmt::format(
      "tocsin {}{}\nI/O: {}\nLibraries: {}, llhttp {}.{}.{}, OpenSSL {}, libsodium {}, "
      "SQLite {}",
      tocsin::version(), commit, io, TOCSIN_LIBRARIES, LLHTTP_VERSION_MAJOR, LLHTTP_VERSION_MINOR,
      LLHTTP_VERSION_PATCH, OpenSSL_version(OPENSSL_VERSION_STRING), sodium_version_string(),
      sqlite3_libversion());
}

}  // namespace tocsin::tools
