// What `tocsin --version` says: for a report of a fault, and for whoever reads one.
#pragma once

#include <string>

namespace tocsin::tools {

// Lines without the last line end: name, version and commit; the I/O backends that this machine
// allows, and why not io_uring if it does not; the libraries. OpenSSL's and libsodium's versions
// are those that are loaded, the others' those that were compiled against.
[[nodiscard]] std::string version_text();

}  // namespace tocsin::tools
