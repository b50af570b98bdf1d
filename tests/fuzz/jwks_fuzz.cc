// Documents with keys: any text is a list of keys or a reason, and whatever is made of it verifies
// no signature that is none. Input: a byte for the kind of document, then the text.
#include <cstdint>
#include <string>

#include "net/jose/key_documents.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using namespace tocsin::net;
using tocsin::fuzz::require;

void check(const LoadedKeys& keys) {
  if (!keys) return require(!keys.error().empty(), "a reason says something");
  require(!keys->empty() && keys->size() <= kMaxKeysOfDocument, "keys are bounded");
  for (const VerificationKey& key : *keys) {
    require(!key.verify("message", std::string(64, '\x01')), "no key takes anything");
    require(!key.verify("message", ""), "no key takes nothing");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tocsin::fuzz::Input input(data, size);
  switch (input.take_byte() % 4) {
    case 0:
      check(keys_of_pem(input.rest(), std::nullopt, ""));
      break;
    case 1:
      check(keys_of_secret(input.rest(), std::nullopt, ""));
      break;
    case 2:
      check(keys_of_jwks(input.rest(), JwksOrigin::fetched, Algorithm::ps256));
      break;
    default:
      check(keys_of_jwks(input.rest(), JwksOrigin::file, std::nullopt));
  }
  return 0;
}
