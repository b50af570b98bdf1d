#include "net/outbound/access_plan.h"

#include <utility>

#include "net/client/http_client.h"
#include "net/jose/key_documents.h"
#include "net/outbound/back_end_words.h"

namespace tocsin::net {

std::shared_ptr<const Authority> make_authority(
    const AccessPlan& plan,
    const std::function<std::span<const VerificationKey>(std::string_view source)>& keys_of) {
  AuthoritySettings settings = plan.authority;
  for (Issuer& issuer : settings.issuers) {
    if (issuer.key_source.empty()) continue;
    const auto keys = keys_of(issuer.key_source);
    issuer.keys.insert(issuer.keys.end(), keys.begin(), keys.end());
  }
  return std::make_shared<const Authority>(std::move(settings));
}

std::expected<FetchedKeys, std::string> fetch_keys(const KeySettings& settings) {
  HttpClient client(settings.server.url, {.max_body_bytes = kMaxKeyDocument,
                                          .response_timeout_ms = 10'000,
                                          .tls = settings.server.tls});
  return read_keys(client.request(request_for_keys(settings.server.url)), settings.algorithm);
}

std::optional<std::string> probe_back_end(const BackEndSettings& settings) {
  HttpClient client(settings.server.url, {.max_body_bytes = kMaxBackEndAnswer,
                                          .response_timeout_ms = settings.timeout_ms,
                                          .tls = settings.server.tls});
  const SecretRequest request = words_for(
      {.action = "subscribe", .method = "GET", .path = "/events"}, settings.server.url.target);
  const BackEndAnswer answer = read_answer(client.request(request.view()), {}, 0, 0);
  if (answer.fault.empty()) return std::nullopt;
  return answer.fault;
}

}  // namespace tocsin::net
