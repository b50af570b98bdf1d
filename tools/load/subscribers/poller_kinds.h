// The two kinds of poller, for make_poller() and their tests.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "tools/load/subscribers/poller.h"

namespace tocsin::load {

[[nodiscard]] std::expected<std::unique_ptr<Poller>, std::string> make_epoll_poller(int wake_fd);
[[nodiscard]] std::expected<std::unique_ptr<Poller>, std::string> make_uring_poller(int wake_fd);

}  // namespace tocsin::load
