#include "tools/auth/remote_settings.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "proto/http/request.h"
#include "proto/text/ascii.h"

namespace tocsin::tools {
namespace {

using proto::Header;

constexpr std::uint32_t kMaxTimeoutS = 30;
constexpr std::uint32_t kMaxCacheS = 3600;
constexpr std::uint32_t kMaxAtOnce = 256;

// What the hub keeps of a request, and could be of use there. Host is the webhook's own.
constexpr std::array<net::PassedField, 5> kPassable{{
    {Header::authorization, "Authorization"},
    {Header::cookie, "Cookie"},
    {Header::origin, "Origin"},
    {Header::referer, "Referer"},
    {Header::user_agent, "User-Agent"},
}};

std::vector<net::PassedField> read_fields(TableReader& table) {
  std::vector<net::PassedField> fields;
  for (const std::string& name : table.texts_or("pass_headers", {"authorization", "cookie"})) {
    const auto found = std::ranges::find_if(kPassable, [&](const net::PassedField& field) {
      return proto::equals_ignoring_case(field.name, name);
    });
    if (found == kPassable.end()) {
      table.fault("pass_headers",
                  fmt::format("'{}': can be authorization, cookie, origin, referer, user-agent",
                              net::shown(name)));
    } else if (std::ranges::find(fields, *found) == fields.end()) {
      fields.push_back(*found);
    }
  }
  const auto is_credential = [](const net::PassedField& field) {
    return field.header == Header::authorization || field.header == Header::cookie;
  };
  if (!std::ranges::any_of(fields, is_credential)) {
    table.fault("pass_headers", "must have authorization or cookie: else nobody could be known");
  }
  return fields;
}

// A URL as it may be shown, whatever it is: "..." stands for user and password, query and fragment.
std::string without_secrets(std::string_view url) {
  constexpr std::string_view kHidden = "...";
  std::string shown(url.substr(0, url.find_first_of("?#")));
  if (shown.size() < url.size()) shown.append(url.substr(shown.size(), 1)).append(kHidden);
  const std::size_t scheme = shown.find("://");
  const std::size_t begin = scheme == shown.npos ? 0 : scheme + 3;
  // Up to the last one: what stands in front may be anything, where it is no URL.
  const std::size_t at = shown.rfind('@');
  if (at != shown.npos && at >= begin) shown.replace(begin, at - begin, kHidden);
  return shown;
}

}  // namespace

std::optional<net::RemoteServer> read_server(TableReader& table, std::string_view key,
                                             const std::string& url,
                                             const std::filesystem::path& folder) {
  const std::string ca_file = table.text("ca_file").value_or("");
  const bool allow_http = table.flag_or("allow_http", false);
  auto server = net::parse_remote_server(url, allow_http,
                                         ca_file.empty() ? "" : (folder / ca_file).string());
  const std::string shown = without_secrets(url);
  if (!server) table.fault(key, fmt::format("'{}': {}", net::shown(shown, 200), server.error()));
  if (shown != url) table.show(key, shown);
  if (!server) return std::nullopt;
  return *std::move(server);
}

std::optional<Webhook> read_webhook(TableReader& table, const std::filesystem::path& folder) {
  const auto url = table.text("url");
  if (!url) table.fault("url", "is missing: where the back end is asked");
  net::BackEndSettings settings;
  settings.timeout_ms =
      1000 * table.seconds_or("timeout", settings.timeout_ms / 1000, kMaxTimeoutS);
  if (settings.timeout_ms == 0) table.fault("timeout", "must be at least 1s");
  settings.at_once = table.number_or("at_once", settings.at_once, 1, kMaxAtOnce);
  settings.cache_s = table.seconds_or("cache", settings.cache_s, kMaxCacheS);
  auto fields = read_fields(table);
  auto server = url ? read_server(table, "url", *url, folder) : std::nullopt;
  table.finish();
  if (!server || settings.timeout_ms == 0) return std::nullopt;
  settings.server = *std::move(server);
  return Webhook{.back_end = std::move(settings), .fields = std::move(fields)};
}

}  // namespace tocsin::tools
