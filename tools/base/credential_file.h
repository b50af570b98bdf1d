// The credential of a client, from a file: on the command line others on the machine would see it.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "net/client/response_reader.h"

namespace tocsin::tools {

// The field "Authorization: Bearer …" of a credential. The error continues "NAME: ", and has
// nothing of the credential.
[[nodiscard]] std::expected<net::HeaderField, std::string> bearer_field(
    std::string_view credential);

// The same of a file, white space around its text left out.
[[nodiscard]] std::expected<net::HeaderField, std::string> bearer_of_file(const std::string& path);

// Of a file that has a credential in each line, at most kMaxCredentials; empty lines count for
// nothing. A pipe will do. The error names the file, and has nothing of a credential.
inline constexpr std::size_t kMaxCredentials = 4'000'000;
[[nodiscard]] std::expected<std::vector<std::string>, std::string> credentials_of_file(
    const std::string& path);

}  // namespace tocsin::tools
