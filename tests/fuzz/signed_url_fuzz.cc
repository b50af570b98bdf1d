// Signed URLs: any query is refused that nobody has signed; one that is signed and says what it
// must is good, and no longer once a byte is changed. Input: a byte for what is changed, one for
// where, then the query.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "net/auth/signed_url.h"
#include "net/jose/base64url.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using namespace tocsin::net;
using tocsin::fuzz::require;

constexpr std::string_view kSecret = "a secret of the tests, 32 bytes.";
constexpr std::int64_t kNow = 1'700'000'000;

const UrlKeys& keys() {
  static const UrlKeys kKeys = [] {
    UrlKeys made;
    require(made.add("", kSecret).has_value(), "a key");
    return made;
  }();
  return kKeys;
}

std::expected<PrincipalPtr, Denial> verify(std::string_view query) {
  return keys().verify("GET", "/events", query, kNow);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tocsin::fuzz::Input input(data, size);
  const std::uint8_t flip = input.take_byte();
  const std::size_t where = input.take_byte();
  const std::string query(input.rest());
  require(!verify(query), "nobody has signed it");

  std::array<unsigned char, 64> value{};
  const std::string message = "GET\n/events\n" + query;
  const std::string signature =
      "&sig=" + base64url_encode(Hmac(Hash::sha256, kSecret).sign(message, value));
  const auto good = verify(query + signature);
  if (!good) {
    require(good.error().cause != DenialCause::signature || UrlKeys::is_signed(query),
            "what is signed is not refused for its signature");
    return 0;
  }
  require(!(*good)->is_expired(kNow) && !(*good)->subscribe.empty(), "it says what it must");
  std::string changed = query;
  if (flip == 0 || changed.empty()) return 0;
  changed[where % changed.size()] = static_cast<char>(changed[where % changed.size()] ^ flip);
  require(!verify(changed + signature), "a byte is changed");
  return 0;
}
