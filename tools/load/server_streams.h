// How many streams the server counts, which must be as many as are held here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "net/transport/url.h"

namespace tocsin::load {

// Asks for the page of counters `target` (Tocsin's /metrics) at the host of `url`, on a connection
// of its own. Waits up to ten seconds. Nothing without a target, without an answer, or if the page
// counts no streams.
[[nodiscard]] std::optional<std::uint64_t> server_streams(const net::Url& url,
                                                          const std::string& target);

}  // namespace tocsin::load
