// An HTTP request as the hub understands it. What reads it from bytes: proto/http/http_request.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tocsin::proto {

enum class Method : std::uint8_t { get, head, post, del, options, other };  // del: DELETE

// The header fields that the hub and the routes of its applications read; all others are checked by
// the parser and dropped.
enum class Header : std::uint8_t {
  accept,
  access_control_request_headers,
  access_control_request_method,
  authorization,
  content_encoding,
  content_type,
  cookie,
  host,
  idempotency_key,
  if_none_match,
  last_event_id,
  origin,
  publish_id,
  referer,
  sec_fetch_site,
  user_agent,
  x_forwarded_for,
  x_varnish,
  kCount,
};

// One request. Owns its bytes; valid until the parser's next begin().
struct Request {
  Method method = Method::other;
  bool http_1_1 = true;
  bool keep_alive = true;            // what the client asked for and the version allows
  bool expects_continue = false;     // `Expect: 100-continue`, HTTP/1.1 only
  bool has_body = false;             // a Content-Length above 0, or chunked
  std::uint64_t content_length = 0;  // 0 where unknown (chunked) or absent
  std::string target;                // as sent: path and query
  std::array<std::string, static_cast<std::size_t>(Header::kCount)> headers;
  std::uint32_t fields = 0;  // which of them are there, if only empty: a bit for each
  std::string body;          // has 64 spare bytes of capacity behind it (simdjson's padding)

  // The target up to '?'; of the absolute form (`http://host/path`, RFC 9112, 3.2.2) the path only.
  [[nodiscard]] std::string_view path() const;
  [[nodiscard]] std::string_view query() const;  // behind '?', without '#...'; empty if none
  [[nodiscard]] std::string_view header(Header h) const {
    return headers[static_cast<std::size_t>(h)];
  }
  // The field is there; its value may be empty.
  [[nodiscard]] bool has(Header h) const { return (fields >> static_cast<unsigned>(h) & 1) != 0; }
};

}  // namespace tocsin::proto
