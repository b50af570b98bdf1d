#include "net/client/event_request.h"

#include <algorithm>
#include <array>
#include <utility>

#include "proto/assert.h"
#include "proto/text/ascii.h"

namespace tocsin::net {
namespace {

using proto::equals_ignoring_case;
using proto::to_lower;

bool is_own_header(std::string_view name) {
  static constexpr std::array<std::string_view, 5> kOwn{"host", "connection", "content-length",
                                                        "transfer-encoding", "last-event-id"};
  return std::ranges::find(kOwn, to_lower(name)) != kOwn.end();
}

// What browsers write in capitals, whatever a page says (Fetch standard, "normalize a method");
// here it would reach the server as a method that it does not know.
bool is_meant_in_capitals(std::string_view method) {
  static constexpr std::array<std::string_view, 6> kStandard{"DELETE",  "GET",  "HEAD",
                                                             "OPTIONS", "POST", "PUT"};
  return std::ranges::any_of(kStandard, [&](std::string_view standard) {
    return method != standard && equals_ignoring_case(method, standard);
  });
}

bool has_header(const HeaderList& headers, std::string_view name) {
  return std::ranges::any_of(
      headers, [&](const HeaderField& f) { return equals_ignoring_case(f.name, name); });
}

// What goes with the body when a redirect drops it (Fetch standard, "request-body-header name").
bool describes_body(std::string_view name) {
  return to_lower(name).starts_with("content-");
}

std::optional<std::string> find_fault(const EventSourceOptions& options) {
  if (options.last_event_id.find_first_of(std::string_view("\0\r\n", 3)) != std::string::npos) {
    return "the last event id contains NUL, CR or LF";
  }
  for (const HeaderField& field : options.headers) {
    if (!is_header_field(field)) return "not a header field: " + field.name;
    if (is_own_header(field.name)) return "the header field " + field.name + " cannot be set";
  }
  // A method is a token (RFC 9110, 9.1), as a field's name is.
  if (!is_header_field({options.method, ""})) return "not a method: " + options.method;
  if (is_meant_in_capitals(options.method)) {
    return "methods are written in capitals: " + options.method;
  }
  if (options.method == "HEAD" || options.method == "CONNECT" || options.method == "TRACE") {
    return "the answer to " + options.method + " is no stream";
  }
  if (options.method == "GET" && !options.body.empty()) {
    return "a body needs a method such as POST";
  }
  if (options.reconnect_policy.initial_min_ms > options.reconnect_policy.initial_max_ms) {
    return "the reconnection range is empty";
  }
  return std::nullopt;
}

}  // namespace

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::expected<Url, std::string> check_options(const EventSourceOptions& options) {
  auto url = parse_url(options.url);
  if (!url) return url;
  if (auto fault = find_fault(options)) return std::unexpected(std::move(*fault));
  for (const std::string& stream : options.streams) url->add_query("stream", stream);
  return url;
}

EventRequest::EventRequest(const EventSourceOptions& options, Url url)
    : options_(options), origin_(std::move(url)), url_(origin_) {
  TOCSIN_ASSERT(!find_fault(options));
}

void EventRequest::restart() {
  url_ = origin_;
  hops_ = 0;
  as_get_ = false;
  abroad_ = false;
}

std::expected<void, std::string> EventRequest::redirect(int status, std::string_view location) {
  const std::string prefix = "a redirect that cannot be followed: ";
  if (location.empty()) return std::unexpected(prefix + "it names no location");
  auto target = resolve_url(url_, location);
  if (!target) return std::unexpected(prefix + target.error());
  if (url_.https && !target->https) {
    return std::unexpected(prefix + "it leads from https to http");
  }
  if (hops_++ == options_.max_redirects) return std::unexpected("too many redirects");
  as_get_ =
      as_get_ || status == 303 || ((status == 301 || status == 302) && options_.method == "POST");
  url_ = std::move(*target);
  abroad_ = abroad_ || !url_.same_origin(origin_);
  return {};
}

std::string EventRequest::bytes(std::string_view last_event_id) const {
  const std::string& method = options_.method;
  std::string out = (as_get_ ? "GET" : method) + " " + url_.target +
                    " HTTP/1.1\r\nHost: " + url_.authority() + "\r\n";
  const auto add = [&](std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
  };
  const auto add_default = [&](std::string_view name, std::string_view value) {
    if (abroad_ || !has_header(options_.headers, name)) add(name, value);
  };
  add_default("Accept", "text/event-stream");
  // Without it a server may choose any coding (RFC 9110, 12.5.3), and none is decoded here.
  add_default("Accept-Encoding", "identity");
  add_default("Cache-Control", "no-cache");
  add_default("User-Agent", "tocsin");
  if (!last_event_id.empty()) add("Last-Event-ID", last_event_id);
  for (const HeaderField& field : options_.headers) {
    const bool goes_along =
        describes_body(field.name)
            ? !as_get_ && (!abroad_ || equals_ignoring_case(field.name, "content-type"))
            : !abroad_;
    if (goes_along) add(field.name, field.value);
  }
  const bool has_body = !as_get_ && (method != "GET" || !options_.body.empty());
  if (has_body) add("Content-Length", std::to_string(options_.body.size()));
  out += "\r\n";
  if (has_body) out += options_.body;
  return out;
}

}  // namespace tocsin::net
