// Other servers that [auth] names: where issuers have their keys, and the webhook.
//
//     keys = [{ jwks_url = "https://id.example.com/jwks.json" }]   # of an issuer
//     [auth.webhook]
//     url = "http://127.0.0.1:3000/may-they"
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/auth/access.h"
#include "net/outbound/access_plan.h"
#include "tools/auth/table_reader.h"

namespace tocsin::tools {

// The server whose URL is under `key`, with what stands beside it: ca_file, allow_http. Nothing:
// something is wrong with it, and was added to the problems. `folder`: of the configuration file.
[[nodiscard]] std::optional<net::RemoteServer> read_server(TableReader& table, std::string_view key,
                                                           const std::string& url,
                                                           const std::filesystem::path& folder);

struct Webhook {
  net::BackEndSettings back_end;
  std::vector<net::PassedField> fields;
};
// [auth.webhook]. The same.
[[nodiscard]] std::optional<Webhook> read_webhook(TableReader& table,
                                                  const std::filesystem::path& folder);

}  // namespace tocsin::tools
