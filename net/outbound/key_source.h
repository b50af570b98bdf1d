// The keys of an issuer that are had from a URL (RFC 7517, 5): which are known, and when to ask
// again. Fetches nothing itself.
//
// Asked for: at the start; when they have become old, which their server says (max-age of
// Cache-Control), within bounds; when a token comes that fits none of them, but not twice within
// kDemandInterval for that reason, however many such tokens come; and after a failure sooner, each
// time twice as late as before. A failure leaves what is known, up to kKept behind the last time
// that it was had.
//
// Threads: one at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/client/http_client.h"
#include "net/jose/verification_key.h"
#include "net/outbound/remote_server.h"
#include "net/transport/url.h"
#include "net/transport/waiter.h"

namespace tocsin::net {

struct KeySettings {
  RemoteServer server{};
  // Of keys that say none; nothing: the one that follows from their type.
  std::optional<Algorithm> algorithm{};

  // What Issuer::key_source has: the same for two that are the same.
  [[nodiscard]] std::string name() const;
};

// Where it says that it wants a JWKS.
[[nodiscard]] HttpRequest request_for_keys(const Url& url);

struct FetchedKeys {
  std::vector<VerificationKey> keys;
  std::chrono::seconds max_age;
  std::vector<std::string> weak{};  // a sentence for each that was left out: keys_of_jwks()
};
// What an answer means. The error is a sentence for the operator.
[[nodiscard]] std::expected<FetchedKeys, std::string> read_keys(const HttpResult& result,
                                                                std::optional<Algorithm> algorithm);

class KeySource {
 public:
  static constexpr std::chrono::seconds kDemandInterval{30};
  static constexpr std::chrono::seconds kMinAge{60};
  static constexpr std::chrono::seconds kUsualAge{600};  // where their server says nothing
  static constexpr std::chrono::seconds kMaxAge{3600};   // so long a key that was taken away counts
  static constexpr std::chrono::seconds kFirstPause{1};  // after a failure
  static constexpr std::chrono::seconds kLastPause{60};
  static constexpr std::chrono::hours kKept{24};

  explicit KeySource(KeySettings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] const KeySettings& settings() const { return settings_; }
  [[nodiscard]] const std::vector<VerificationKey>& keys() const { return keys_; }
  [[nodiscard]] bool is_fetching() const { return fetching_; }

  // When to ask for them; kNever while that is done.
  [[nodiscard]] TimePoint due() const { return fetching_ ? kNever : due_; }
  // A token fits none of them. True: they are asked for, at once (see due()) or already.
  [[nodiscard]] bool demand(TimePoint now);

  // They are being asked for. REQUIRES: that is not done yet.
  void begin();
  // What came of it. True: the keys are others than before. REQUIRES: begin() was called.
  [[nodiscard]] bool end(std::expected<FetchedKeys, std::string>&& fetched, TimePoint now);

 private:
  KeySettings settings_;
  std::vector<VerificationKey> keys_;  // empty: they were never had, or too long ago
  bool fetching_ = false;
  TimePoint due_ = TimePoint{};
  TimePoint had_at_{};                     // if there are keys
  std::optional<TimePoint> demanded_at_;  // the last time that a token made them be asked for
  std::chrono::seconds pause_ = kFirstPause;
};

}  // namespace tocsin::net
