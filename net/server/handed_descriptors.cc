#include "net/server/handed_descriptors.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "net/base/environment_number.h"

namespace tocsin::net {
namespace {

constexpr int kFirst = 3;  // SD_LISTEN_FDS_START
// More than anybody passes: what is behind it is not looked for.
constexpr std::uint64_t kMost = 65'536;

// The next of the names, which are separated by colons.
std::string take_name(std::string_view& names) {
  const std::size_t end = std::min(names.find(':'), names.size());
  std::string name(names.substr(0, end));
  names.remove_prefix(std::min(end + 1, names.size()));
  return name;
}

}  // namespace

std::vector<HandedDescriptor> take_handed_descriptors() {
  const auto pid = environment_number("LISTEN_PID");
  const auto count = environment_number("LISTEN_FDS");
  const char* said = std::getenv("LISTEN_FDNAMES");
  const std::string all_names = said == nullptr ? "" : said;
  for (const char* name : {"LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"}) {
    ::unsetenv(name);
  }
  std::vector<HandedDescriptor> handed;
  if (pid != static_cast<std::uint64_t>(::getpid()) || !count) return handed;
  std::string_view names = all_names;
  const auto most = static_cast<int>(std::min(*count, kMost));
  for (int fd = kFirst; fd < kFirst + most; ++fd) {
    std::string name = take_name(names);
    const int flags = ::fcntl(fd, F_GETFD);
    if (flags < 0) continue;
    ::fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
    handed.push_back({.fd = fd, .name = std::move(name)});
  }
  return handed;
}

}  // namespace tocsin::net
