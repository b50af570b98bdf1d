// What a value of the configuration file means for an option of the table.
#pragma once

#include <expected>
#include <string>

#include <toml++/toml.h>

#include "tools/serve/option_table.h"

namespace tocsin::tools {

// The error continues "KEY ". REQUIRES: the option is no TopicsMember.
[[nodiscard]] std::expected<void, std::string> set_from_node(ServerOptions& options,
                                                             const Option& option,
                                                             const toml::node& node);

}  // namespace tocsin::tools
