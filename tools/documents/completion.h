// What a shell needs to complete a program's commands, flags and their values.
#pragma once

#include <string>

#include "tools/documents/command_model.h"

namespace tocsin::documents {

// To be sourced by bash; needs nothing of the package bash-completion.
[[nodiscard]] std::string bash_completion(const ProgramModel& model);
// A function file for zsh's $fpath, called _PROGRAM.
[[nodiscard]] std::string zsh_completion(const ProgramModel& model);
[[nodiscard]] std::string fish_completion(const ProgramModel& model);

}  // namespace tocsin::documents
