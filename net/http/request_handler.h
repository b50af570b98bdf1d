// What a request means: routes it, and publishes, answers, or says which stream it opens. No
// sockets.
//
//   GET|HEAD /events, /sse        subscribe          net/http/subscribe_handler.cc
//   POST|GET /publish             publish            net/http/publish_handler.cc
//   GET|HEAD /healthz /readyz /metrics               net/http/request_handler.cc
//   OPTIONS  any of them          CORS preflight
//   GET|HEAD|POST  routes of the application         net/http/route_handler.cc
//
// A route of the application comes before the hub's own resource of the same path.
//
// Threads: one object per shard, used by its thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "core/hub.h"
#include "net/application.h"
#include "net/http/cors.h"
#include "net/http/http_date.h"
#include "net/state/event_publisher.h"
#include "net/state/server_state.h"
#include "proto/http_request.h"
#include "proto/http_response.h"
#include "proto/publish_body.h"
#include "proto/query.h"

namespace tocsin::net {

// Of streams whose clients do not choose: see ARCHITECTURE.md, "Two framings".
inline constexpr proto::Framing kDefaultFraming = proto::Framing::chunked;

struct Outcome {
  enum class Kind : std::uint8_t {
    replied,  // the answer was appended; the connection goes on as the request allows
    refused,  // the same, and the connection must end: what follows cannot be read safely
    stream,   // open the stream described below
    busy,     // the shards have to catch up first; handle the same request again later
  };
  Kind kind = Kind::replied;
  // kind stream
  std::vector<std::string> topics{};  // at least one, but for a route's stream
  core::Resume::Kind resume = core::Resume::Kind::live;
  std::vector<std::string> last_event_ids{};  // resume after_id
  bool hello = false;                         // it opens with an event that says where it begins
  std::uint8_t heartbeat_s = 0;               // see Connection
  bool second_write = false;                  // see Attachment
  proto::Framing framing = kDefaultFraming;
  std::unique_ptr<StreamResponse> route{};    // of a route: its topics and `resume` are those above
};

class RequestHandler {
 public:
  RequestHandler(ServerState& state, ShardMetrics& metrics, std::uint64_t seed)
      : state_(state),
        metrics_(metrics),
        cors_(state.options()->cors_origins),
        random_(static_cast<std::minstd_rand::result_type>(seed | 1)) {}

  // What the answers themselves depend on; the calls below are told the rest.
  void adopt(const ServerOptions& options) { cors_ = Cors(options.cors_origins); }

  // When the head is there and a body may follow: refuses what cannot succeed before the body is
  // sent (appends the answer to `out`), else appends `100 Continue` where it is waited for.
  [[nodiscard]] Outcome on_head(const proto::Request& request, const ServerOptions& options,
                                std::string& out);

  // A whole request, read at `received_us` of the monotonic clock (and handled again later if it is
  // busy). Appends the answer to `out` unless it is a stream or busy.
  [[nodiscard]] Outcome on_request(const proto::Request& request, const ServerOptions& options,
                                   std::uint64_t received_us, std::string& out);

  // The parser gave up; the answer ends the connection.
  void on_bad_request(const proto::RequestParser& parser, std::string& out);
  // The answer ends the connection. `detail` is for people.
  void refuse(const proto::Request& request, int status, Rejection why, std::string_view detail,
              std::string& out);
  // 503, the same for every reason that may pass: with a Retry-After that is spread, so that those
  // who are told together do not come back together. The connection goes on as `request` allows.
  void unavailable(const proto::Request& request, Rejection why, std::string& out);
  // The same for a connection of which no request was read; it ends. Not counted.
  void append_turned_away(Rejection why, std::string& out);
  // The head that begins a stream, as the answer to `request`.
  void append_stream_head(const proto::Request& request, const Outcome& stream, std::string& out);

 private:
  Outcome subscribe(const proto::Request& request, const ServerOptions& options, std::string& out);
  Outcome open(const proto::Request& request, Outcome&& outcome, std::string& out);
  // What the application answers; nothing: the route declined.
  [[nodiscard]] std::optional<Outcome> run_route(const Route& route, const proto::Request& request,
                                                 const ServerOptions& options, std::string& out);
  Outcome stream_of(StreamResponse&& wanted, const proto::Request& request,
                    const proto::Query& query, std::vector<std::string>&& positions,
                    std::string& out);
  // 500; `why` is for the log.
  Outcome failed(const Route& route, const proto::Request& request, std::string_view why,
                 std::string& out);
  // The methods that a path has, as in Allow; empty: there is no such path.
  [[nodiscard]] std::string allowed_at(std::string_view path) const;
  [[nodiscard]] const Route* find_route(const proto::Request& request) const;
  Outcome publish(const proto::Request& request, const ServerOptions& options,
                  std::uint64_t received_us, std::string& out);
  Outcome publish_events(const proto::Request& request, const std::vector<proto::EventView>& events,
                         proto::BodyForm form, std::uint64_t received_us, std::string& out);
  void reply_published(const proto::Request& request, const std::vector<proto::EventView>& events,
                       proto::BodyForm form, const core::Published& published, std::string& out);
  // Nothing: it cannot be read, and the answer that says so was appended.
  [[nodiscard]] std::optional<proto::Query> parse_query(const proto::Request& request,
                                                        std::string& out);
  // The same for a resource of the hub's own, which refuses parameters that it does not know.
  [[nodiscard]] std::optional<proto::Query> own_query(const proto::Request& request,
                                                      const ServerOptions& options,
                                                      std::string& out);
  // 415 for a body that is encoded or in parts, as the answer to `answered`; false: it can be read.
  [[nodiscard]] bool refuse_unreadable(const proto::Request& request,
                                       const proto::Request& answered, std::string& out);
  void preflight(const proto::Request& request, std::string_view allowed, std::string& out);

  void append_unavailable(const proto::Request& request, Rejection why, std::string& out);
  void reply(const proto::Request& request, int status, std::string_view content_type,
             std::string_view body, std::string& out, std::string_view extra_headers = {});
  // An answer of application/problem+json; the connection goes on if `request` allows.
  Outcome problem(const proto::Request& request, int status, Rejection why, std::string_view detail,
                  std::string& out, std::string_view extra_headers = {});
  Outcome problem(const proto::Request& request, const proto::InputError& error, std::string& out);

  [[nodiscard]] const std::string& metrics_page();

  ServerState& state_;
  ShardMetrics& metrics_;
  std::string page_;              // the last metrics page
  std::uint64_t page_turn_ = 0;  // made in this turn of the loop; 0: none was
  proto::PublishBodyReader reader_;
  EventPublisher publisher_;
  HttpDate date_;
  Cors cors_;
  std::minstd_rand random_;
};

// The resume positions that a request names: the header's, which is what the browser knows last,
// else those of the query, at most limits::kMaxPositions, the last ones; empty: none. A page may
// name one and its polyfill append another: which of them is the newest, the hub knows.
//
// A header without a value says that its client has been here and knows no position: it is one
// that nobody knows, which the hub answers with a gap. A query's without a value says nothing: a
// page's template has it at the first visit, too.
[[nodiscard]] std::vector<std::string> positions_of(const proto::Request& request,
                                                    const proto::Query& query);

// What the query of any stream, a route's too, may ask of it: into `wanted`. Nothing: it is right.
[[nodiscard]] std::optional<proto::InputError> read_wishes(const proto::Query& query,
                                                           Outcome& wanted);

}  // namespace tocsin::net
