#include "tools/clients/client_common.h"

#include <cstdlib>
#include <utility>

#include <CLI/CLI.hpp>

#include "proto/text/ascii.h"
#include "tools/base/credential_file.h"

namespace tocsin::tools {

std::expected<net::Url, std::string> endpoint_url(std::string_view url, std::string_view path) {
  auto parsed = net::parse_url(url);
  if (!parsed) return std::unexpected("--url " + std::string(url) + ": " + parsed.error());
  if (!parsed->path_was_given) parsed->target = path;
  return parsed;
}

void add_tls_flags(CLI::App& command, TlsFlags& flags) {
  command
      .add_option("--ca-file", flags.ca_file,
                  "https: trust the certificates in this file (PEM), not the system's")
      ->type_name("FILE");
  command.add_flag("--insecure", flags.insecure,
                   "https: take any certificate (encrypted, but nobody knows for whom)");
}

std::expected<std::shared_ptr<const net::TlsContext>, std::string> tls_context(
    const TlsFlags& flags) {
  if (flags.ca_file.empty() && !flags.insecure) return nullptr;
  auto context = net::TlsContext::create({.ca_file = flags.ca_file, .verify = !flags.insecure});
  if (!context) return std::unexpected("--ca-file: " + context.error());
  return std::move(*context);
}

void add_token_flag(CLI::App& command, std::string& token_file) {
  command
      .add_option("--token-file", token_file,
                  "The key or token to send is in this file (default: the variable TOCSIN_TOKEN)")
      ->type_name("FILE");
}

std::expected<net::HeaderList, std::string> request_headers(const std::vector<std::string>& headers,
                                                            const std::string& token_file) {
  net::HeaderList fields;
  bool has_credential = false;
  for (const std::string& text : headers) {
    auto field = parse_header(text);
    if (!field) return std::unexpected(std::move(field.error()));
    has_credential |= proto::equals_ignoring_case(field->name, "Authorization");
    fields.push_back(std::move(*field));
  }
  const char* variable = std::getenv("TOCSIN_TOKEN");
  const bool is_set = variable != nullptr && *variable != '\0';
  if (has_credential || (token_file.empty() && !is_set)) return fields;
  auto field = token_file.empty() ? bearer_field(variable) : bearer_of_file(token_file);
  if (!field) {
    return std::unexpected((token_file.empty() ? "TOCSIN_TOKEN " : "--token-file: ") +
                           field.error());
  }
  fields.push_back(std::move(*field));
  return fields;
}

std::string topic_fault(const std::string& text) {
  return text.empty() ? "is empty; leave it out for the hub's default" : "";
}

std::expected<net::HeaderField, std::string> parse_header(std::string_view text) {
  const auto colon = text.find(':');
  net::HeaderField field;
  if (colon != std::string_view::npos) {
    field.name = text.substr(0, colon);
    std::string_view value = text.substr(colon + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t'))
      value.remove_prefix(1);
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
    field.value = value;
  }
  if (!net::is_header_field(field)) {
    return std::unexpected("--header takes 'Name: value', not '" + std::string(text) + "'");
  }
  return field;
}

}  // namespace tocsin::tools
