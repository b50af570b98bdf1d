#include <algorithm>
#include <initializer_list>
#include <optional>

#include <fmt/format.h>

#include "net/auth/selectors.h"
#include "net/http/option_value.h"
#include "net/jose/key_file.h"
#include "tools/credentials/token_command.h"
#include "tools/credentials/token_signer.h"
#include "tools/serve/options.h"

namespace tocsin::tools {
namespace {

// The file's secret that signs for the issuer that the options name, or for the first.
std::expected<IssuerSecret, std::string> configured_secret(const MintOptions& options) {
  const auto configuration = read_configuration(options.config);
  if (!configuration) return std::unexpected(configuration.error());
  if (configuration->auth != nullptr) {
    for (const IssuerSecret& secret : configuration->auth->secrets) {
      const bool is_issuer = options.issuer.empty() || secret.issuer == options.issuer;
      if (is_issuer && (options.key_id.empty() || secret.key_id == options.key_id)) return secret;
    }
  }
  return std::unexpected(fmt::format(
      "{} has no issuer{}{} with a secret_file; for a public key give the private one: --pem-file",
      options.config, options.issuer.empty() ? "" : " " + options.issuer,
      options.key_id.empty() ? "" : " and kid " + options.key_id));
}

// What a hub would refuse; nothing: nothing.
std::optional<std::string> fault_of(std::string_view flag, const std::vector<std::string>& texts) {
  net::Selectors selectors;
  for (const std::string& text : texts) {
    if (auto added = selectors.add(net::SelectorForm::tocsin, text); !added) {
      return fmt::format("{}: {}", flag, added.error());
    }
  }
  return std::nullopt;
}

std::expected<TokenSigner, std::string> signer_of(const MintOptions& options) {
  std::optional<net::Algorithm> algorithm;
  if (!options.algorithm.empty()) {
    algorithm = net::algorithm_of(options.algorithm);
    if (!algorithm) return std::unexpected("--algorithm takes HS256, ES256, RS256 and their like");
  }
  const bool is_pem = !options.pem_file.empty();
  const std::string& path = is_pem ? options.pem_file : options.secret_file;
  const auto file = net::read_key_file(path);
  if (!file) return std::unexpected(file.error());
  auto signer = is_pem ? TokenSigner::from_pem(file->bytes.view(), algorithm)
                       : TokenSigner::from_secret(file->bytes.view(),
                                                  algorithm.value_or(net::Algorithm::hs256));
  if (!signer) return std::unexpected(fmt::format("{}: {}", path, signer.error()));
  return signer;
}

}  // namespace

std::expected<std::vector<std::string>, std::string> mint_tokens(const MintOptions& options,
                                                                 std::int64_t now_s) {
  MintOptions used = options;
  const auto sources = {!used.config.empty(), !used.secret_file.empty(), !used.pem_file.empty()};
  if (std::ranges::count(sources, true) != 1) {
    return std::unexpected("one of --config, --secret-file and --pem-file is needed, and only one");
  }
  for (const auto& fault :
       {fault_of("--publish", used.publish), fault_of("--subscribe", used.subscribe)}) {
    if (fault) return std::unexpected(*fault);
  }
  if (!used.config.empty()) {
    const auto secret = configured_secret(options);
    if (!secret) return std::unexpected(secret.error());
    used.secret_file = secret->path;
    used.issuer = secret->issuer;
    used.key_id = secret->key_id;
    if (used.audience.empty()) used.audience = secret->audience;
    if (used.algorithm.empty()) used.algorithm = net::name_of(secret->algorithm);
  }
  const auto lives_ms = net::parse_duration_ms(used.expires_in);
  if (!lives_ms || *lives_ms < 1000) {
    return std::unexpected("--expires-in takes a time, such as 1h");
  }
  const auto signer = signer_of(used);
  if (!signer) return std::unexpected(signer.error());
  TokenTerms terms{.issuer = used.issuer,
                   .audience = used.audience,
                   .subject = used.subject,
                   .publish = used.publish,
                   .subscribe = used.subscribe,
                   .issued_at_s = now_s,
                   .expires_at_s = now_s + static_cast<std::int64_t>(*lives_ms / 1000)};
  if (used.count == 1) return std::vector{signer->token(used.key_id, payload_of(terms))};
  std::vector<std::string> tokens;
  tokens.reserve(used.count);
  for (std::uint32_t number = 1; number <= used.count; ++number) {
    terms.subject = fmt::format("{}-{}", used.subject, number);
    tokens.push_back(signer->token(used.key_id, payload_of(terms)));
  }
  return tokens;
}

}  // namespace tocsin::tools
