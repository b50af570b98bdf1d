// Manual pages (man(7), as groff and mandoc read it) of a program's commands.
#pragma once

#include <string>
#include <string_view>

#include "tools/documents/command_model.h"

namespace tocsin::documents {

// The program's own page: PROGRAM.1, which names the commands.
[[nodiscard]] std::string program_page(const ProgramModel& model, std::string_view version);

// A command's page: PROGRAM-COMMAND.1.
[[nodiscard]] std::string command_page(const ProgramModel& model, const CommandModel& command,
                                       std::string_view version);

}  // namespace tocsin::documents
