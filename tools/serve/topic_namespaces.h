// Namespaces in the configuration file: the tables of `topics`.
//
//     [[topics]]               # or: topics = ["news", { match = "chat/*", history_count = 100 }]
//     match = "chat/*"
//     history_count = 100
//
// Keys that the hub has, too, take the same values here and are checked in the same way.
#pragma once

#include <span>
#include <string>

#include <toml++/toml.h>

#include "net/server_options.h"
#include "tools/base/file_problems.h"
#include "tools/serve/option_table.h"

namespace tocsin::tools {

// Sets what the file says of `topics`, which is `option`: the names, and the namespaces. A table
// with `create = true` adds its name to those that exist from the start.
void read_topics(ServerOptions& options, const Option& option, const toml::node& node,
                 FileProblems& problems);

// An array that read_topics() reads back to the same value.
[[nodiscard]] std::string toml_topics(std::span<const std::string> names,
                                      std::span<const net::TopicNamespace> namespaces);

}  // namespace tocsin::tools
