// `tocsin key`: a new access key, and what to write into the configuration for it.
#pragma once

#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace tocsin::tools {

// The table [[auth.keys]] of a key, which has its hash and not the key. `admin`: it is for the
// admin API alone; else it publishes everywhere.
[[nodiscard]] std::string key_table(std::string_view name, std::string_view key, bool admin);

CLI::App* add_key_command(CLI::App& app, int& exit_code);

}  // namespace tocsin::tools
