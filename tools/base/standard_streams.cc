#include "tools/base/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace tocsin::tools {

bool open_standard_streams() {
  constexpr std::array<int, 3> kModes{O_WRONLY, O_RDONLY, O_WRONLY};  // input, output, errors
  for (int fd = 0; fd < 3; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest free number, and those below are open by now.
    if (::open("/dev/null", kModes[static_cast<std::size_t>(fd)]) != fd) return false;
  }
  return true;
}

}  // namespace tocsin::tools
