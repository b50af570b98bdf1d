// `tocsin history`: a history's file, for people.
#pragma once

namespace CLI {
class App;
}

namespace tocsin::tools {

CLI::App* add_history_command(CLI::App& app, int& exit_code);

}  // namespace tocsin::tools
