// Tokens: any text is refused by its form or its signature, with a reason that may be shown. Signed
// ones, of any header and payload, are taken for what they say: nothing that is refused twice
// differs, and nothing of a refused one is repeated. Input: a byte for the form, two for the size
// of the header, then header and payload.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/auth/token_verifier.h"
#include "net/jose/base64url.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using namespace tocsin::net;
using tocsin::fuzz::require;

constexpr std::string_view kSecret = "a secret of the tests, 32 bytes.";
constexpr std::int64_t kNow = 1'700'000'000;

TokenVerifier make_verifier() {
  std::vector<Issuer> issuers;
  issuers.push_back({.name = "",
                     .keys = {VerificationKey::from_secret(Algorithm::hs256, kSecret, "").value()},
                     .require_expiry = false});
  return TokenVerifier(std::move(issuers));
}

std::string sign(std::string_view header, std::string_view payload) {
  const std::string message = base64url_encode(header) + '.' + base64url_encode(payload);
  std::array<unsigned char, 64> value{};
  return message + '.' + base64url_encode(Hmac(Hash::sha256, kSecret).sign(message, value));
}

void check(const Denial& denial) {
  require(!denial.reason.empty() && denial.reason.size() < 300, "a reason is short");
  for (const char c : denial.reason) {
    require(c >= ' ' && c <= '~' && c != '"' && c != '\\', "a reason may be shown");
  }
}

void verify(std::string_view token, bool is_signed) {
  static const TokenVerifier kVerifier = make_verifier();
  const auto first = kVerifier.verify(token, kNow);
  const auto second = kVerifier.verify(token, kNow);
  require(first.has_value() == second.has_value(), "the same token, the same answer");
  if (first) {
    require(is_signed, "only who has the key makes tokens");
    require((*first)->publish.size() <= Selectors::kMax, "selectors are bounded");
    require(!(*first)->is_expired(kNow), "what is taken is good now");
    require(!(*first)->admin, "no token makes an admin");
    return;
  }
  check(first.error());
  require(first.error().reason == second.error().reason, "the same token, the same reason");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tocsin::fuzz::Input input(data, size);
  const std::uint8_t form = input.take_byte();
  if (form % 4 == 0) {
    verify(input.rest(), false);
    return 0;
  }
  const std::size_t header_size = input.take_byte();
  const std::string_view header = input.take(header_size);
  const std::string_view payload = input.rest();
  verify(sign(form % 4 == 1 ? std::string_view(R"({"alg":"HS256"})") : header, payload), true);
  return 0;
}
