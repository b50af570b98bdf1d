// `tocsin url`: a URL that carries its permission (net/auth/signed_url.h).
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace tocsin::tools {

struct UrlOptions {
  std::string config{};       // a configuration with url_keys, or
  std::string secret_file{};  // a secret
  std::string key_id{};
  std::string base{};  // put in front: http://HOST:PORT
  std::vector<std::string> topics{};
  std::string subject{};
  std::string expires_in = "1h";
  bool publish = false;  // to publish, with POST
};

// At `now_s`, seconds since 1970. The error is in words.
[[nodiscard]] std::expected<std::string, std::string> sign_url(const UrlOptions& options,
                                                               std::int64_t now_s);

CLI::App* add_url_command(CLI::App& app, int& exit_code);

}  // namespace tocsin::tools
