// HTTP responses as bytes. What never changes is a constant; the rest is appended to a buffer.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "proto/http/framing.h"
#include "proto/sse/event.h"

namespace tocsin::proto {

// The reason phrase for the statuses that the hub sends; "Unknown" otherwise.
[[nodiscard]] std::string_view reason_phrase(int status);

struct Reply {
  int status = 200;
  std::string_view content_type{};  // empty: no body
  std::string_view body{};
  std::string_view date{};           // of the Date field; empty: without one
  std::string_view cors{};           // whole lines, each ended by CRLF
  std::string_view extra_headers{};  // the same
  bool http_1_1 = true;              // the request's version
  bool keep_alive = true;            // false: `Connection: close`
  bool head_only = false;            // HEAD: all but the body
};

// Appends the whole response. 204 and 304 carry neither body nor Content-Length; every other status
// carries a Content-Length.
void append_reply(std::string& out, const Reply& reply);

// Appends the head of an event stream: 200, text/event-stream, and that the connection ends with
// it. HTTP/1.0 knows no chunks. `extra_headers`: whole lines.
void append_stream_head(std::string& out, Framing framing, std::string_view date,
                        std::initializer_list<std::string_view> extra_headers = {});

// Whether `lines` can be the extra ones of the two above: whole lines `Name: value`, each ended by
// CRLF, none of them Connection, Content-Length, Content-Type, Date or Transfer-Encoding.
[[nodiscard]] bool are_extra_headers(std::string_view lines);

inline constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// A problem document (RFC 9457, application/problem+json): {"type","title","status","detail"} and,
// where known, "field" and "line". `outcome`: a member of that name, for whoever has to know what
// came of the request besides; empty: none. `expected`: the same of a number that should have been
// given; 0: none.
[[nodiscard]] std::string problem_json(int status, std::string_view detail,
                                       std::string_view outcome = {});
[[nodiscard]] std::string problem_json(int status, const InputError& error,
                                       std::uint64_t expected = 0);
// The members "limit", an option's key, and "value".
struct LimitMembers {
  std::string_view limit;
  std::uint64_t value;
};
[[nodiscard]] std::string problem_json(int status, std::string_view detail,
                                       const LimitMembers& limit);

}  // namespace tocsin::proto
