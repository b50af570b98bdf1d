// What answers requests: the interface of every endpoint's handler, and what comes of a request.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/hub.h"
#include "net/application.h"
#include "net/auth/access.h"
#include "net/auth/principal.h"
#include "net/http/answer_queue.h"
#include "net/server_options.h"
#include "net/state/admission.h"
#include "net/state/mailbox.h"
#include "proto/assert.h"
#include "proto/http/framing.h"
#include "proto/http/request.h"

namespace tocsin::net {

struct Endpoint;

// Of streams whose clients do not choose: see DECISIONS.md, "Two framings".
inline constexpr proto::Framing kDefaultFraming = proto::Framing::chunked;

struct Outcome {
  enum class Kind : std::uint8_t {
    replied,  // the answer was appended; the connection goes on as the request allows
    refused,  // the same, and the connection must end: what follows cannot be read safely
    stream,   // open the stream described below
    pending,  // the answer comes later: a letter for the call's ticket is posted, and `finish` is
              // given it
    held,     // who asks becomes known later: a letter that says it is posted for the ticket
  };
  Kind kind = Kind::replied;
  AnswerQueue::Finish finish{};  // kind pending
  // kind stream
  std::vector<std::string> topics{};  // at least one, but for a route's stream
  core::Resume::Kind resume = core::Resume::Kind::live;
  std::vector<std::string> last_event_ids{};  // resume after_id
  bool hello = false;                         // it opens with an event that says where it begins
  std::uint8_t heartbeat_s = 0;               // see Stream
  bool second_write = false;                  // see Attachment
  proto::Framing framing = kDefaultFraming;
  std::unique_ptr<StreamResponse> route{};  // of a route: its topics and `resume` are those above
  PrincipalPtr principal{};  // whose right the stream is; null: everybody's, in an open hub
  std::uint64_t place = 0;   // where its credential stood (mark_of())
  ClientKeys client{};       // who is to be counted for it
};

// What the hub knows of a request beside its bytes.
struct Asked {
  const Endpoint* endpoint = nullptr;  // whose it is; null: there is no head yet
  PrincipalPtr principal{};            // who asks; null: nobody needed to know yet
  std::uint64_t place = 0;             // where the credential stands (mark_of())
  // Where limits on clients are set: whom it is from (IpAddress::client_key()).
  std::uint64_t address = 0;
};

// Who has an access key of the configuration: no limit on one client holds for it.
[[nodiscard]] inline bool is_no_stranger(const Principal* principal) {
  return principal != nullptr && principal->kind == CredentialKind::key;
}

// A whole request, and where its answer goes. Everything outlives the call.
struct RequestContext {
  const Endpoint& endpoint;  // the row of the table that brought it here
  const proto::Request& request;
  const ServerOptions& options;
  const Access* access;            // null: the hub is open
  const PrincipalPtr& principal;  // who asks; null: the endpoint needs to know nothing
  std::uint64_t place = 0;        // where the credential stands (mark_of())
  std::uint64_t received_us;  // of the monotonic clock, when the request was whole
  RequestTicket ticket{};     // of this request, should its answer come later
  ClientKeys client{};        // whom limits hold for
  std::string& out;           // the answer is appended, unless it is a stream or pending
};

// Why who asks has no such right at the topic; nothing: it has. `steps`: what this request's topics
// have taken so far, at first 0; past Selectors::kMaxSteps the next one is denied. REQUIRES: the
// endpoint needs to know who asks.
[[nodiscard]] inline std::optional<Denial> deny(const RequestContext& context, Right right,
                                                std::string_view topic, std::size_t& steps) {
  TOCSIN_ASSERT(context.principal != nullptr);
  const bool all = context.options.namespaces.empty() &&
                   context.principal->kind == CredentialKind::open;
  if (all) return std::nullopt;
  if (steps > Selectors::kMaxSteps) {
    return Denial{.cause = DenialCause::insufficient_scope,
                  .reason = "the credential has too many patterns for so many topics in one "
                            "request; send several"};
  }
  return deny(context.options, right, *context.principal, topic, &steps);
}

// Threads: one object per shard, used by its thread.
class Handler {
 public:
  Handler() = default;
  virtual ~Handler() = default;
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;

  // Nothing, with nothing appended: it declines, and the next endpoint of the path is asked.
  [[nodiscard]] virtual std::optional<Outcome> handle(const RequestContext& context) = 0;
};

}  // namespace tocsin::net
