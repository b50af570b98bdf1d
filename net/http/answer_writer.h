// Answers as every handler gives them: with a date, with the CORS fields that the request's page
// may have, and counted where they are refusals.
//
// An answer says that the connection ends where `request` has no keep_alive.
//
// Threads: one object per shard, used by its thread.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "net/auth/access.h"
#include "net/auth/denial.h"
#include "net/http/cors.h"
#include "net/http/date_field.h"
#include "net/http/handler.h"
#include "net/server_options.h"
#include "net/state/admission.h"
#include "net/state/metrics.h"
#include "proto/http/request.h"
#include "proto/sse/event.h"

namespace tocsin::net {

class AnswerWriter {
 public:
  // `stream_headers`: whole lines for the head of every stream. It and `metrics` outlive this.
  // adopt() comes before the first answer.
  AnswerWriter(std::string_view stream_headers, ShardMetrics& metrics, std::uint64_t seed);

  // What the answers depend on. `access`: null if the hub is open.
  void adopt(const ServerOptions& options, const Access* access);

  // `content_type` empty: no body. `extra_headers`: whole lines.
  void reply(const proto::Request& request, int status, std::string_view content_type,
             std::string_view body, std::string& out, std::string_view extra_headers = {});

  // An error, as application/problem+json; `detail` is for people.
  Outcome problem(const proto::Request& request, int status, Rejection why, std::string_view detail,
                  std::string& out, std::string_view extra_headers = {});
  Outcome problem(const proto::Request& request, const proto::InputError& error, std::string& out);
  // The same where who asks has no right to: 400, 401 or 403, with a challenge (RFC 6750, 3); or
  // where that cannot be said now: 503, with a Retry-After that is spread.
  Outcome deny(const proto::Request& request, const Denial& denial, std::string& out);
  // The same where nothing behind the request can be read: clears keep_alive.
  void refuse(proto::Request& request, int status, Rejection why, std::string_view detail,
              std::string& out, std::string_view extra_headers = {});

  // 503, and where it is a limit on one client 429, which says it and its value; the same for every
  // reason that may pass: with a Retry-After that is spread, so that those who are told together do
  // not come back together.
  void unavailable(const proto::Request& request, const AdmissionRefusal& refusal,
                   std::string& out);
  void unavailable(const proto::Request& request, Rejection why, std::string& out) {
    unavailable(request, AdmissionRefusal{.why = why}, out);
  }
  // 400: a stream of more topics than max_topics_per_stream, `most`.
  Outcome too_many_topics(const proto::Request& request, std::uint32_t most, std::string& out);
  // 409 or 422: the key of a publish (net/http/publish/publish_key.h). `expected`: the number that
  // comes next, in the member "expected"; 0: there is none.
  void conflict(const proto::Request& request, int status, const proto::InputError& error,
                std::uint64_t expected, std::string& out);
  // 503 where what was asked for may have happened all the same, which a person reads in `detail`
  // and a program in the member "outcome". Without a Retry-After: that would ask for it twice.
  void unknown(const proto::Request& request, std::string_view detail, std::string& out);
  // As unavailable(), for a connection of which no request was read; it ends. Not counted.
  void turn_away(const AdmissionRefusal& refusal, std::string& out);

  // To OPTIONS, and so to CORS preflights. `allowed`: as in Allow.
  void preflight(const proto::Request& request, std::string_view allowed, std::string& out);

  // The head that begins a stream.
  void stream_head(const proto::Request& request, const Outcome& stream, std::string& out);
  // Instead of unavailable(), for a stream whose client is told to come back in about `retry_ms`.
  void come_back(const proto::Request& request, const Outcome& stream, Rejection why,
                 std::uint32_t retry_ms, std::string& out);

 private:
  [[nodiscard]] std::string retry_after(const AdmissionRefusal& refusal);

  const std::string_view stream_headers_;
  ShardMetrics& metrics_;
  DateField date_;
  Cors cors_{{}};
  std::string realm_;
  std::minstd_rand random_;
};

}  // namespace tocsin::net
