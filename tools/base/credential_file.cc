#include "tools/base/credential_file.h"

#include <algorithm>
#include <fstream>

#include <fmt/format.h>

#include "net/jose/key_file.h"

namespace tocsin::tools {
namespace {

std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

bool is_one_credential(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

}  // namespace

std::expected<net::HeaderField, std::string> bearer_field(std::string_view credential) {
  credential = without_blanks(credential);
  if (credential.empty()) return std::unexpected("has no credential");
  if (!is_one_credential(credential)) {
    return std::unexpected("has more than one credential, or none of ASCII");
  }
  return net::HeaderField{"Authorization", "Bearer " + std::string(credential)};
}

std::expected<net::HeaderField, std::string> bearer_of_file(const std::string& path) {
  const auto file = net::read_key_file(path);
  if (!file) return std::unexpected(file.error());
  auto field = bearer_field(file->bytes.view());
  if (!field) return std::unexpected(path + " " + field.error());
  return field;
}

std::expected<std::vector<std::string>, std::string> credentials_of_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::unexpected(path + " cannot be read");
  std::vector<std::string> credentials;
  std::size_t number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    const std::string_view credential = without_blanks(line);
    if (credential.empty()) continue;
    if (!is_one_credential(credential)) {
      return std::unexpected(fmt::format("{}:{} is not one credential", path, number));
    }
    if (credentials.size() == kMaxCredentials) {
      return std::unexpected(fmt::format("{} has more than {} lines", path, kMaxCredentials));
    }
    credentials.emplace_back(credential);
  }
  if (credentials.empty()) return std::unexpected(path + " has no credential");
  return credentials;
}

}  // namespace tocsin::tools
