#include "net/auth/denial.h"

#include <algorithm>
#include <array>

#include "proto/assert.h"
#include "proto/text/ascii.h"

namespace tocsin::net {
namespace {

struct CauseText {
  std::string_view name;
  int status;
  std::string_view error;
};
// In the order of DenialCause.
constexpr std::array<CauseText, kDenialCauses> kCauses = {{
    {.name = "no_credential", .status = 401, .error = ""},
    {.name = "two_credentials", .status = 400, .error = "invalid_request"},
    {.name = "malformed", .status = 401, .error = "invalid_token"},
    {.name = "algorithm", .status = 401, .error = "invalid_token"},
    {.name = "unknown_key", .status = 401, .error = "invalid_token"},
    {.name = "signature", .status = 401, .error = "invalid_token"},
    {.name = "issuer", .status = 401, .error = "invalid_token"},
    {.name = "audience", .status = 401, .error = "invalid_token"},
    {.name = "expired", .status = 401, .error = "invalid_token"},
    {.name = "not_yet_valid", .status = 401, .error = "invalid_token"},
    {.name = "revoked", .status = 401, .error = "invalid_token"},
    {.name = "foreign_page", .status = 403, .error = "invalid_request"},
    {.name = "insufficient_scope", .status = 403, .error = "insufficient_scope"},
    {.name = "refused", .status = 401, .error = "invalid_token"},
    {.name = "unavailable", .status = 503, .error = ""},
}};

const CauseText& text_of(DenialCause cause) {
  return kCauses[static_cast<std::size_t>(cause)];
}

// RFC 6750, 3: what error_description may have.
bool is_showable(char c) {
  return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

// Where a text has what begins as an access key or a JWT does ('{"' in base64url), and goes on for
// some characters as these do; npos: nowhere.
std::size_t find_credential(std::string_view text) {
  constexpr std::size_t kLeast = 16;
  const auto may_be = [](char c) {
    return proto::is_alpha(c) || proto::is_digit(c) || c == '-' || c == '_';
  };
  std::size_t first = text.npos;
  for (const std::string_view begin : {"tocsin_", "eyJ"}) {
    for (std::size_t at = text.find(begin); at < first; at = text.find(begin, at + 1)) {
      const std::string_view rest = text.substr(at + begin.size());
      if (rest.size() >= kLeast && std::ranges::all_of(rest.substr(0, kLeast), may_be)) first = at;
    }
  }
  return first;
}

}  // namespace

int status_of(DenialCause cause) {
  return text_of(cause).status;
}

std::string_view error_code_of(DenialCause cause) {
  return text_of(cause).error;
}

std::string_view name_of(DenialCause cause) {
  return text_of(cause).name;
}

std::string challenge(const Denial& denial, std::string_view realm) {
  TOCSIN_ASSERT(std::ranges::all_of(realm, is_showable));
  std::string value = "Bearer realm=\"" + std::string(realm) + '"';
  const std::string_view error = error_code_of(denial.cause);
  if (error.empty()) return value;
  value += ", error=\"" + std::string(error) + "\", error_description=\"";
  value += shown(denial.reason, denial.reason.size()) + '"';
  return value;
}

bool may_hold_credential(std::string_view text) {
  return find_credential(text) != text.npos;
}

std::string shown(std::string_view text, std::size_t max) {
  max = std::min(max, find_credential(text));
  std::string out(text.substr(0, max));
  std::ranges::replace_if(out, [](char c) { return !is_showable(c); }, '?');
  if (text.size() > max) out += "...";
  return out;
}

std::string span_words(std::int64_t seconds) {
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 120 * 60) return std::to_string(seconds / 60) + " min";
  if (seconds < 48 * 3600) return std::to_string(seconds / 3600) + " h";
  return std::to_string(seconds / 86'400) + " days";
}

}  // namespace tocsin::net
