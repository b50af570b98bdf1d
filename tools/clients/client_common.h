// What the programs that talk to a hub have in common.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/client/response_reader.h"
#include "net/transport/tls.h"
#include "net/transport/url.h"

namespace CLI {
class App;
}

namespace tocsin::tools {

inline constexpr std::string_view kDefaultHubUrl = "http://127.0.0.1:8080";

// The URL that `--url` means: one without a path (or with "/") is a hub's, and `path` is what is
// asked of it; one with a path or a query is taken as it is (a hub behind a proxy, another server).
[[nodiscard]] std::expected<net::Url, std::string> endpoint_url(std::string_view url,
                                                                std::string_view path);

// https: --ca-file and --insecure.
struct TlsFlags {
  std::string ca_file;
  bool insecure = false;
};
void add_tls_flags(CLI::App& command, TlsFlags& flags);

// The certificates to trust as `flags` say; null (the client's default) if they say nothing.
[[nodiscard]] std::expected<std::shared_ptr<const net::TlsContext>, std::string> tls_context(
    const TlsFlags& flags);

// Where the credential is, beside -H: --token-file, else the variable TOCSIN_TOKEN.
void add_token_flag(CLI::App& command, std::string& token_file);

// All header fields of a request: those of --header ("Name: value"), and the credential's, unless
// they have an Authorization of their own.
[[nodiscard]] std::expected<net::HeaderList, std::string> request_headers(
    const std::vector<std::string>& headers, const std::string& token_file);

// For CLI11, of a flag that names a topic: why `text` does not, or empty. What an unset variable of
// a shell leaves behind is not to mean the default.
[[nodiscard]] std::string topic_fault(const std::string& text);

// `Name: value` as on the command line.
[[nodiscard]] std::expected<net::HeaderField, std::string> parse_header(std::string_view text);

}  // namespace tocsin::tools
