#include "tools/base/credential_file.h"

#include <algorithm>

#include "net/jose/key_file.h"

namespace tocsin::tools {

std::expected<net::HeaderField, std::string> bearer_field(std::string_view credential) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t begin = std::min(credential.find_first_not_of(kBlanks), credential.size());
  credential.remove_prefix(begin);
  credential = credential.substr(0, credential.find_last_not_of(kBlanks) + 1);
  if (credential.empty()) return std::unexpected("has no credential");
  const bool is_one = std::ranges::all_of(credential, [](char c) { return c > ' ' && c <= '~'; });
  if (!is_one) return std::unexpected("has more than one credential, or none of ASCII");
  return net::HeaderField{"Authorization", "Bearer " + std::string(credential)};
}

std::expected<net::HeaderField, std::string> bearer_of_file(const std::string& path) {
  const auto file = net::read_key_file(path);
  if (!file) return std::unexpected(file.error());
  auto field = bearer_field(file->bytes.view());
  if (!field) return std::unexpected(path + " " + field.error());
  return field;
}

}  // namespace tocsin::tools
