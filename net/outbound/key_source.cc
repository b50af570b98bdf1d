#include "net/outbound/key_source.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "net/auth/denial.h"
#include "net/jose/key_documents.h"
#include "proto/assert.h"
#include "proto/text/ascii.h"
#include "proto/version.h"

namespace tocsin::net {
namespace {

using std::chrono::seconds;

// RFC 9111, 5.2.2. Of what cannot be read, and what must not be kept, the shortest time.
seconds max_age_of(std::string_view cache_control) {
  if (cache_control.empty()) return KeySource::kUsualAge;
  std::optional<seconds> age;
  while (!cache_control.empty()) {
    const std::string_view part = cache_control.substr(0, cache_control.find(','));
    cache_control.remove_prefix(std::min(part.size() + 1, cache_control.size()));
    const std::string directive = proto::to_lower(proto::trim(part));
    constexpr std::string_view kMaxAgeIs = "max-age=";
    if (directive == "no-store" || directive == "no-cache") return KeySource::kMinAge;
    if (!directive.starts_with(kMaxAgeIs)) continue;
    std::int64_t number = 0;
    const char* begin = directive.data() + kMaxAgeIs.size();
    const auto [end, error] = std::from_chars(begin, directive.data() + directive.size(), number);
    // One that is too large for a number is none the less one.
    if (error == std::errc::result_out_of_range) return KeySource::kMaxAge;
    if (error != std::errc() || end != directive.data() + directive.size()) number = 0;
    age = seconds(std::clamp<std::int64_t>(number, KeySource::kMinAge.count(),
                                           KeySource::kMaxAge.count()));
  }
  return age.value_or(KeySource::kUsualAge);
}

bool are_same(const std::vector<VerificationKey>& a, const std::vector<VerificationKey>& b) {
  return std::ranges::equal(a, b, [](const VerificationKey& one, const VerificationKey& other) {
    return one.fingerprint() == other.fingerprint() && one.id() == other.id() &&
           one.algorithm() == other.algorithm();
  });
}

}  // namespace

std::string KeySettings::name() const {
  const std::string_view trust(reinterpret_cast<const char*>(server.trust.data()),
                               server.trust.size());
  return fmt::format("{} {} {:x}", server.url.to_string(),
                     algorithm ? name_of(*algorithm) : std::string_view(), first_bits(trust));
}

HttpRequest request_for_keys(const Url& url) {
  return {.method = "GET",
          .target = url.target,
          .headers = {{"Accept", "application/jwk-set+json, application/json"},
                      {"User-Agent", "tocsin/" + std::string(version())}},
          .body = {}};
}

std::expected<FetchedKeys, std::string> read_keys(const HttpResult& result,
                                                  std::optional<Algorithm> algorithm) {
  if (!result) return std::unexpected(result.error().message);
  const int status = result->head.status;
  if (status >= 300 && status < 400) {
    return std::unexpected(
        fmt::format("it redirects ({}) to {}, which is not followed: name that URL", status,
                    shown(result->head.header("Location"), 200)));
  }
  if (status != 200) return std::unexpected(fmt::format("its answer is {}, not 200", status));
  std::vector<std::string> weak;
  auto keys = keys_of_jwks(result->body, JwksOrigin::fetched, algorithm, &weak);
  if (!keys) return std::unexpected(std::move(keys.error()));
  return FetchedKeys{.keys = *std::move(keys),
                     .max_age = max_age_of(result->head.header("Cache-Control")),
                     .weak = std::move(weak)};
}

bool KeySource::demand(TimePoint now) {
  if (fetching_ || due_ <= now) return true;
  if (demanded_at_ && now - *demanded_at_ < kDemandInterval) return false;
  demanded_at_ = now;
  due_ = now;
  return true;
}

void KeySource::begin() {
  TOCSIN_ASSERT(!fetching_);
  fetching_ = true;
}

bool KeySource::end(std::expected<FetchedKeys, std::string>&& fetched, TimePoint now) {
  TOCSIN_ASSERT(fetching_);
  fetching_ = false;
  if (fetched) {
    TOCSIN_ASSERT(!fetched->keys.empty());
    const bool changed = !are_same(keys_, fetched->keys);
    keys_ = std::move(fetched->keys);
    had_at_ = now;
    due_ = now + std::clamp<seconds>(fetched->max_age, kMinAge, kMaxAge);
    pause_ = kFirstPause;
    return changed;
  }
  due_ = now + pause_;
  pause_ = std::min(pause_ * 2, kLastPause);
  if (keys_.empty() || now - had_at_ < kKept) return false;
  keys_.clear();
  return true;
}

}  // namespace tocsin::net
