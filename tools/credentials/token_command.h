// `tocsin token mint`, which makes a token for a test, and `tocsin token explain`, which says what
// a hub would do with one, claim by claim.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "net/server_options.h"
#include "tools/auth/auth_configuration.h"

namespace CLI {
class App;
}

namespace tocsin::tools {

struct MintOptions {
  std::string config{};       // a configuration that has an issuer's secret, or
  std::string secret_file{};  // a secret, or
  std::string pem_file{};     // a private key
  std::string algorithm{};    // empty: HS256, or what fits the private key
  std::string key_id{};
  std::string issuer{};
  std::string audience{};
  std::string subject{};
  std::vector<std::string> publish{};
  std::vector<std::string> subscribe{};
  std::string expires_in = "1h";
  std::uint32_t count = 1;
};

// At `now_s`, seconds since 1970. What is empty in the options and stands in the configuration is
// taken from there. More than one are different: subjects get a number, from 1 ("u-1"). The error
// is in words.
[[nodiscard]] std::expected<std::vector<std::string>, std::string> mint_tokens(
    const MintOptions& options, std::int64_t now_s);

struct Explanation {
  std::string text{};     // a line for each claim, and last what the hub would do
  bool is_good = true;  // the hub would take it; without a configuration: its form is right
};

// What of a hub's configuration beside [auth] says who may do what with topics.
struct TopicQuestion {
  const net::ServerOptions* options = nullptr;  // its namespaces; null: it has none
  std::vector<std::string> topics{};            // that are asked for by their names
};

// Of a token or an access key. `auth`: null: no hub's. Has nothing of a signature or a key.
[[nodiscard]] Explanation explain_token(std::string_view token, const AuthConfiguration* auth,
                                        std::int64_t now_s, const TopicQuestion& question = {});

CLI::App* add_token_command(CLI::App& app, int& exit_code);

}  // namespace tocsin::tools
