// base64url without padding (RFC 4648, 5; RFC 7515, 2), strict: of a text that decodes, no other
// text decodes to the same bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tocsin::net {

// Nothing if there is a character outside of the alphabet ('=', '+', '/', white space), a length
// that no bytes have, or bits set behind the last byte.
[[nodiscard]] std::optional<std::string> base64url_decode(std::string_view text);

[[nodiscard]] std::string base64url_encode(std::string_view bytes);

}  // namespace tocsin::net
