// What other servers know of who makes a request: an issuer that has new keys, the operator's back
// end. Whoever asks here never waits; net/outbound has the thread that asks them.
//
// Threads: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/application.h"
#include "net/auth/authentication.h"
#include "net/auth/authority.h"
#include "net/auth/denial.h"
#include "net/state/metrics.h"

namespace tocsin::net {

// What the back end is asked. Refers to the request.
struct BackEndQuestion {
  std::string_view action{};  // "subscribe", "publish", or of a route "request"
  std::string_view method{};  // of the request
  std::string_view path{};
  std::string address{};              // of the client; empty: not known
  std::vector<std::string> topics{};  // those that are known from the head; none: not known yet
  // Header fields, names and values, as they may stand in a request.
  std::vector<std::pair<std::string_view, std::string_view>> fields{};
};

// A token was denied so that it might be good with a key that is not known here.
[[nodiscard]] inline bool may_want_another_key(DenialCause cause) {
  return cause == DenialCause::unknown_key || cause == DenialCause::algorithm ||
         cause == DenialCause::signature;
}

// A token that fits none of its issuer's keys, as they were known.
struct KeyQuestion {
  std::string_view source{};             // TokenOrigin::key_source
  std::string_view token{};
  const Authority* authority = nullptr;  // that has denied it
  Denial denial{};
};

class RemoteAuthority {
 public:
  virtual ~RemoteAuthority() = default;

  // What is known at once. Nothing: it becomes known later, and is given to the request as a
  // LaterAuthentication is, within seconds. `now_s`: seconds since 1970.
  [[nodiscard]] virtual std::optional<Authenticated> ask_back_end(
      const BackEndQuestion& question, const AuthenticationRequest& request,
      std::int64_t now_s) = 0;
  // The same of a token: it waits if new keys are on their way, or may be asked for now.
  [[nodiscard]] virtual std::optional<Authenticated> ask_for_keys(
      const KeyQuestion& question, const AuthenticationRequest& request, std::int64_t now_s) = 0;

  // What a hub that has just started still lacks, in words; empty: nothing.
  [[nodiscard]] virtual std::string missing() const = 0;
  [[nodiscard]] virtual const OutboundMetrics& metrics() const = 0;
};

}  // namespace tocsin::net
