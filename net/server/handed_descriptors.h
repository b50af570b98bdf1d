// Descriptors that this process was started with: the protocol of sd_listen_fds(3), by which
// systemd passes the sockets of a socket unit, and what a service gave it to keep (ServiceNotify).
#pragma once

#include <string>
#include <vector>

namespace tocsin::net {

struct HandedDescriptor {
  int fd = -1;       // close-on-exec by now; of whoever took it
  std::string name;  // by FDNAME= or FileDescriptorName=; several may have one; empty: it has none
};

// Reads LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES and removes them from the environment, so that no
// child takes the descriptors for its own. Nothing where they are not for this process, or are
// nonsense. Numbers that are not open are left out; what the rest is, is not looked at. To be
// called before anything is opened, which a LISTEN_FDS that is too high would name, and before any
// thread is started.
[[nodiscard]] std::vector<HandedDescriptor> take_handed_descriptors();

}  // namespace tocsin::net
