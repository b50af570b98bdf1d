// `tocsin documents`: manual pages and shell completion, made from the commands that --help shows.
#pragma once

namespace CLI {
class App;
}

namespace tocsin::documents {

// Describes all commands that `app` has when it is called. `app` must outlive the parsing.
CLI::App* add_documents_command(CLI::App& app, int& exit_code);

}  // namespace tocsin::documents
