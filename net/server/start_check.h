// What a program can get wrong when it starts a hub.
#pragma once

#include <expected>
#include <span>
#include <string>

#include "net/application.h"
#include "net/server_options.h"

namespace tocsin::net {

// Whether a server can be started so, or in words why not. Not every value that makes no sense is
// refused: what `tocsin serve` demands of its options beyond this is in tools/serve/option_table.h.
[[nodiscard]] std::expected<void, std::string> check_start(const ServerOptions& options,
                                                           const Application& application);

// What is wrong with a namespace that stands behind these others; empty: nothing.
[[nodiscard]] std::string namespace_fault(const TopicNamespace& space,
                                          std::span<const TopicNamespace> before);

}  // namespace tocsin::net
