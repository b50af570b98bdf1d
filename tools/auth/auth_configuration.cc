#include "tools/auth/auth_configuration.h"

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <functional>
#include <set>
#include <sstream>
#include <utility>

#include <fmt/format.h>

#include "net/jose/key_documents.h"
#include "net/jose/key_file.h"
#include "proto/limits.h"
#include "proto/text/ascii.h"
#include "tools/auth/remote_settings.h"
#include "tools/auth/table_reader.h"

namespace tocsin::tools {
namespace {

// As WWW-Authenticate has it between quotes.
bool is_realm(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return c >= 0x20 && c <= 0x7E && c != '"' && c != '\\'; });
}

class AuthReader {
 public:
  AuthReader(std::string_view file, FileProblems& problems)
      : folder_(std::filesystem::path(file).parent_path()), problems_(problems) {}

  AuthConfigurationPtr read(toml::table& table) {
    const std::size_t problems_before = problems_.size();
    TableReader auth(table, "auth", problems_);
    read_switches(auth, plan_.access);
    read_selectors(auth, "anonymous", settings_.anonymous);
    for (toml::table* key : auth.tables("keys")) read_key(*key);
    for (toml::table* issuer : auth.tables("issuers")) read_issuer(*issuer);
    for (toml::table* key : auth.tables("url_keys")) read_url_key(*key);
    if (toml::table* webhook = auth.table("webhook")) read_webhook_table(*webhook);
    auth.finish();
    if (problems_.size() > problems_before) return nullptr;
    for (const net::Issuer& issuer : settings_.issuers) result_.issuers.push_back(issuer.name);
    result_.url_keys = settings_.url_keys;
    auto access = std::make_shared<net::Access>(plan_.access);
    access->authority = std::make_shared<const net::Authority>(settings_);
    result_.access = std::move(access);
    result_.plan = std::make_shared<const net::AccessPlan>(std::move(plan_));
    std::ostringstream text;
    text << toml::toml_formatter(toml::table{{"auth", table}});
    result_.toml = std::move(text).str() + "\n";
    result_.fingerprint = net::sha256(result_.toml + files_);
    return std::make_shared<const AuthConfiguration>(std::move(result_));
  }

 private:
  void read_switches(TableReader& auth, net::Access& access) {
    access.realm = auth.text_or("realm", access.realm);
    if (!is_realm(access.realm)) auth.fault("realm", "may have printable ASCII, no \" and no \\");
    access.cookie = auth.text_or("cookie", access.cookie);
    // RFC 6265, 4.1.1
    if (!proto::is_token(access.cookie)) auth.fault("cookie", "is no name of a cookie");
    access.query_token = auth.flag_or("query_token", access.query_token);
    access.query_token_publishes =
        auth.flag_or("query_token_publishes", access.query_token_publishes);
    access.public_metrics = auth.flag_or("public_metrics", access.public_metrics);
  }

  static void read_selectors(TableReader& table, std::string_view key, net::Selectors& selectors) {
    for (const std::string& text : table.texts(key)) {
      const auto added = selectors.add(net::SelectorForm::tocsin, text);
      if (!added) table.fault(key, fmt::format("'{}': {}", net::shown(text), added.error()));
    }
  }

  // What stands in a file that the table names; a problem: nothing.
  std::optional<net::KeyFile> read_file(TableReader& table, std::string_view key,
                                        const std::string& name) {
    auto file = net::read_key_file(path_of(name));
    if (!file) {
      table.fault(key, file.error());
      return std::nullopt;
    }
    const net::Digest digest = net::sha256(file->bytes.view());
    files_.append(reinterpret_cast<const char*>(digest.data()), digest.size());
    return std::move(*file);
  }
  std::optional<net::KeyFile> read_secret(TableReader& table, const std::string& name) {
    auto file = read_file(table, "file", name);
    if (file) warn(file->exposure);
    return file;
  }
  [[nodiscard]] std::string path_of(const std::string& name) const {
    return (folder_ / name).string();  // an absolute one stays as it is
  }
  void warn(const std::string& text) {
    const auto& known = result_.warnings;
    if (text.empty() || std::ranges::find(known, text) != known.end()) return;
    result_.warnings.push_back(text);
  }

  void read_key(toml::table& node) {
    TableReader table(node, "auth.keys", problems_);
    net::Principal principal{.kind = net::CredentialKind::key};
    principal.subject = table.text("name").value_or("");
    read_selectors(table, "publish", principal.publish);
    read_selectors(table, "subscribe", principal.subscribe);
    principal.admin = table.flag_or("admin", false);
    principal.expires_at_s = table.time("expires");
    const auto hash = table.text("hash");
    const auto file = table.text("file");
    table.finish();
    const std::string& name = principal.subject;
    constexpr std::size_t kMost = net::Principal::kMaxSubject;
    if (name.empty() || name.size() > kMost || net::shown(name, kMost) != name) {
      table.fault("name", "must be a name of 1 to 256 printable characters");
    } else if (!names_.insert(name).second) {
      table.fault("name", fmt::format("'{}' is there twice", name));
    }
    if (principal.is_expired(std::time(nullptr))) warn(fmt::format("key {} has expired", name));
    if (hash.has_value() == file.has_value()) {
      table.fault(file ? "file" : "hash", "or file must be there, one of them");
    } else if (hash && net::is_access_key(*hash)) {
      table.fault("hash", "is a key itself; put its hash here, which `tocsin key` prints with it");
    } else if (hash) {
      add_key(table, "hash", *hash, std::move(principal));
    } else if (const auto secret = read_secret(table, *file)) {
      add_key(table, "file", net::secret_of(secret->bytes.view()), std::move(principal));
    }
  }
  void add_key(TableReader& table, std::string_view source, std::string_view key,
               net::Principal&& principal) {
    const auto added =
        settings_.keys.add(key, std::make_shared<const net::Principal>(std::move(principal)));
    if (!added) table.fault(source, fmt::format("will not do: {}", added.error()));
  }

  void read_issuer(toml::table& node) {
    TableReader table(node, "auth.issuers", problems_);
    net::Issuer issuer;
    issuer.name = table.text("iss").value_or("");
    issuer.audiences = table.texts("audience");
    issuer.leeway_s =
        table.seconds_or("leeway", issuer.leeway_s, net::TokenVerifier::kMaxLeewayS);
    issuer.require_expiry = table.flag_or("require_expiry", issuer.require_expiry);
    const auto keys = table.tables("keys");
    table.finish();
    const auto& others = settings_.issuers;
    if (std::ranges::find(others, issuer.name, &net::Issuer::name) != others.end()) {
      table.fault("iss", issuer.name.empty() ? "is missing from two issuers"
                                             : fmt::format("'{}' is there twice", issuer.name));
      return;
    }
    if (keys.empty()) table.fault("keys", "must name at least one key");
    for (toml::table* key : keys) read_issuer_key(*key, issuer);
    settings_.issuers.push_back(std::move(issuer));
  }

  // The issuer's keys are fetched from a URL.
  void read_key_source(TableReader& table, const std::string& url,
                       std::optional<net::Algorithm> algorithm, net::Issuer& issuer) {
    auto server = read_server(table, "jwks_url", url, folder_);
    table.finish();
    if (!server) return;
    if (!issuer.key_source.empty()) {
      table.fault("jwks_url", "is there twice: an issuer has one URL of keys");
      return;
    }
    add_server(*server);
    net::KeySettings settings{.server = *std::move(server), .algorithm = algorithm};
    issuer.key_source = settings.name();
    const auto& known = plan_.key_sources;
    if (std::ranges::find(known, issuer.key_source, &net::KeySettings::name) != known.end()) return;
    if (known.size() == limits::kMaxKeySources) {
      table.fault("jwks_url", fmt::format("is one too many, at most {}", limits::kMaxKeySources));
    } else {
      plan_.key_sources.push_back(std::move(settings));
    }
  }
  // What the text of the tables does not say.
  void add_server(const net::RemoteServer& server) {
    files_.append(server.url.to_string());
    files_.append(reinterpret_cast<const char*>(server.trust.data()), server.trust.size());
  }

  void read_webhook_table(toml::table& node) {
    TableReader table(node, "auth.webhook", problems_);
    auto webhook = read_webhook(table, folder_);
    if (!webhook) return;
    add_server(webhook->back_end.server);
    plan_.access.passed_fields = std::move(webhook->fields);
    plan_.back_end = std::move(webhook->back_end);
    std::string& terms = plan_.back_end->terms;
    for (const auto& [header, name] : plan_.access.passed_fields) terms.append(name).append(1, ' ');
    terms += plan_.access.cookie;
  }

  // Adds what one of the tables of keys says to the issuer.
  void read_issuer_key(toml::table& node, net::Issuer& issuer) {
    TableReader table(node, "auth.issuers.keys", problems_);
    const std::pair<std::string_view, std::optional<std::string>> files[] = {
        {"secret_file", table.text("secret_file")},
        {"pem_file", table.text("pem_file")},
        {"jwks_file", table.text("jwks_file")}};
    const std::string id = table.text("kid").value_or("");
    const auto word = table.text("algorithm");
    const auto url = table.text("jwks_url");
    if (!url) table.finish();
    const auto algorithm = word ? net::algorithm_of(*word) : std::nullopt;
    if (word && !algorithm) {
      table.fault("algorithm", "must be one of HS256, RS256, PS256, ES256 (or 384, 512), EdDSA");
      return;
    }
    const auto has_file = [](const auto& one) { return one.second.has_value(); };
    const auto count = std::ranges::count_if(files, has_file) + (url ? 1 : 0);
    if (count != 1) {
      table.fault("secret_file", "or pem_file, jwks_file or jwks_url must be there, one of them");
      return;
    }
    if (url) {
      if (!id.empty()) table.fault("kid", "stands in the JWKS itself");
      read_key_source(table, *url, algorithm, issuer);
      return;
    }
    const auto& [key, name] = *std::ranges::find_if(files, has_file);
    if (key == "jwks_file" && !id.empty()) table.fault("kid", "stands in the JWKS itself");
    const auto read = read_file(table, key, *name);
    if (!read) return;
    const std::string_view bytes = read->bytes.view();
    std::vector<std::string> weak;
    auto loaded = key == "secret_file" ? net::keys_of_secret(bytes, algorithm, id)
                  : key == "pem_file"
                      ? net::keys_of_pem(bytes, algorithm, id)
                      : net::keys_of_jwks(bytes, net::JwksOrigin::file, algorithm, &weak);
    for (const std::string& text : weak) warn(fmt::format("{}: {}", path_of(*name), text));
    if (!loaded) {
      table.fault(key, fmt::format("{}: {}", path_of(*name), loaded.error()));
      return;
    }
    if (key == "secret_file") {
      result_.secrets.push_back({issuer.name,
                                 issuer.audiences.empty() ? "" : issuer.audiences.front(),
                                 path_of(*name), id, loaded->front().algorithm()});
    }
    const bool is_secret = std::ranges::any_of(*loaded, [](const net::VerificationKey& one) {
      return net::is_symmetric(one.algorithm());
    });
    warn(is_secret ? read->exposure : read->changeable);
    for (net::VerificationKey& one : *loaded) issuer.keys.push_back(std::move(one));
  }

  void read_url_key(toml::table& node) {
    TableReader table(node, "auth.url_keys", problems_);
    const std::string id = table.text("id").value_or("");
    const auto file = table.text("file");
    table.finish();
    if (!file) {
      table.fault("file", "is missing: where the secret is");
    } else if (const auto secret = read_secret(table, *file)) {
      const auto added = settings_.url_keys.add(id, net::secret_of(secret->bytes.view()));
      if (!added) table.fault("file", fmt::format("{}: {}", path_of(*file), added.error()));
    }
  }

  const std::filesystem::path folder_;
  FileProblems& problems_;
  net::AccessPlan plan_;
  net::AuthoritySettings& settings_ = plan_.authority;
  AuthConfiguration result_;
  std::set<std::string, std::less<>> names_;  // of keys
  std::string files_;  // a digest of each that was read, and URLs
};

}  // namespace

AuthConfigurationPtr read_auth(toml::node& node, std::string_view file, FileProblems& problems) {
  auto* table = node.as_table();
  if (table == nullptr) {
    problems.add(node, "auth must be a table: [auth]");
    return nullptr;
  }
  return AuthReader(file, problems).read(*table);
}

}  // namespace tocsin::tools
