// What the operator's back end is sent, and what its answers mean. docs/auth.md has it for people.
//
//   POST URL, application/json, with the fields of the request that are passed on:
//   {"action":"subscribe","topics":["a"],"method":"GET","path":"/events","address":"192.0.2.1"}
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "net/auth/authentication.h"
#include "net/client/http_client.h"
#include "net/jose/digest.h"
#include "net/outbound/secret_request.h"
#include "net/state/metrics.h"
#include "net/state/remote_authority.h"

namespace tocsin::net {

// Of an answer: a principal's JSON.
inline constexpr std::size_t kMaxBackEndAnswer = 64 * 1024;  // bytes

// `target`: of the URL.
[[nodiscard]] SecretRequest words_for(const BackEndQuestion& question, const std::string& target);
// Of all that is sent, so that no two questions have the same.
[[nodiscard]] Digest digest_of(const HttpRequest& request);

// What an answer that says nothing of rights allows: what was asked for.
struct AskedRight {
  bool publish = false;  // false: to read
  std::vector<std::string> topics{};
};
[[nodiscard]] AskedRight right_of(const BackEndQuestion& question);

struct BackEndAnswer {
  Authenticated who;
  OutboundMetrics::Call outcome;
  std::string fault{};  // for the log; empty: there is none
};
// `source`: Principal::source; `now_s`: seconds since 1970.
[[nodiscard]] BackEndAnswer read_answer(const HttpResult& result, const AskedRight& asked,
                                        std::uint64_t source, std::int64_t now_s);

}  // namespace tocsin::net
