// Which store a hub's options ask for.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/store.h"
#include "net/server_options.h"
#include "net/store/history_file.h"

namespace tocsin::net {

// What is wrong with ServerOptions::history, as the rest of a sentence; empty: nothing.
[[nodiscard]] std::string history_fault(std::string_view history);
// It for people and logs: without a password.
[[nodiscard]] std::string history_text(std::string_view history);

// Of a history in a file: where it is, and how much of it is kept and comes back into memory.
// REQUIRES: it is in one.
[[nodiscard]] HistoryFileOptions history_file_options(const ServerOptions& options);

// What speaks against keeping the history where the options say, each a sentence: a folder that is
// not there, a disk that is too small or in the network, a file that is none. Changes nothing.
[[nodiscard]] std::vector<std::string> history_warnings(const ServerOptions& options);

// Opened. The error is a sentence for the operator.
[[nodiscard]] std::expected<std::unique_ptr<core::Store>, std::string> open_history(
    const ServerOptions& options);

}  // namespace tocsin::net
