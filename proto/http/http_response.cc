#include "proto/http/http_response.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>

#include "proto/assert.h"
#include "proto/json/json_text.h"
#include "proto/text/ascii.h"

namespace tocsin::proto {

namespace {

void append_number(std::string& out, std::size_t number) {
  char digits[20];
  const auto written = std::to_chars(digits, digits + sizeof digits, number);
  out.append(digits, written.ptr);
}

void append_status_line(std::string& out, int status) {
  // A server names its own version, not the request's (RFC 9110, 2.5).
  out += "HTTP/1.1 ";
  append_number(out, static_cast<std::size_t>(status));
  out += ' ';
  out += reason_phrase(status);
  out += "\r\n";
}

void append_date(std::string& out, std::string_view date) {
  if (date.empty()) return;
  out += "Date: ";
  out += date;
  out += "\r\n";
}

std::string problem(int status, std::string_view detail) {
  TOCSIN_ASSERT(status >= 400 && status <= 599);
  std::string json = R"({"type":"about:blank","title":)";
  append_json_string(json, reason_phrase(status));
  json += R"(,"status":)";
  append_number(json, static_cast<std::size_t>(status));
  json += R"(,"detail":)";
  append_json_string(json, detail);
  return json;
}

}  // namespace

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "Unknown";
  }
}

void append_reply(std::string& out, const Reply& reply) {
  TOCSIN_ASSERT(reply.status >= 200 && reply.status <= 999);
  TOCSIN_ASSERT(reply.extra_headers.empty() || reply.extra_headers.ends_with("\r\n"));
  TOCSIN_ASSERT(reply.cors.empty() || reply.cors.ends_with("\r\n"));
  append_status_line(out, reply.status);
  const bool bodiless = reply.status == 204 || reply.status == 304;
  if (!bodiless) {
    if (!reply.content_type.empty()) {
      out += "Content-Type: ";
      out += reply.content_type;
      out += "\r\n";
    }
    out += "Content-Length: ";
    append_number(out, reply.content_type.empty() ? 0 : reply.body.size());
    out += "\r\n";
  }
  append_date(out, reply.date);
  out += reply.cors;
  out += reply.extra_headers;
  if (!reply.keep_alive) {
    out += "Connection: close\r\n";
  } else if (!reply.http_1_1) {
    out += "Connection: keep-alive\r\n";
  }
  out += "\r\n";
  if (!bodiless && !reply.head_only && !reply.content_type.empty()) out += reply.body;
}

void append_stream_head(std::string& out, Framing framing, std::string_view date,
                        std::initializer_list<std::string_view> extra_headers) {
  // No charset parameter: the type is UTF-8 by definition, and EventSource in old browsers compares
  // the whole field. `no-transform` and X-Accel-Buffering keep proxies from holding bytes back.
  out +=
      "HTTP/1.1 200 OK\r\n"
      "Content-Type: text/event-stream\r\n"
      "Cache-Control: no-cache, no-transform\r\n"
      "X-Accel-Buffering: no\r\n"
      "Connection: close\r\n";
  if (framing == Framing::chunked) out += "Transfer-Encoding: chunked\r\n";
  append_date(out, date);
  for (const std::string_view lines : extra_headers) {
    TOCSIN_ASSERT(lines.empty() || lines.ends_with("\r\n"));
    out += lines;
  }
  out += "\r\n";
}

bool are_extra_headers(std::string_view lines) {
  static constexpr std::array<std::string_view, 5> kOwn{
      "Connection", "Content-Length", "Content-Type", "Date", "Transfer-Encoding"};
  while (!lines.empty()) {
    const std::size_t end = lines.find("\r\n");
    if (end == std::string_view::npos) return false;
    const std::string_view line = lines.substr(0, end);
    const std::string_view name = line.substr(0, line.find(':'));
    const bool own = std::ranges::any_of(
        kOwn, [&](std::string_view known) { return equals_ignoring_case(name, known); });
    const bool good = !name.empty() && name.size() < line.size() && !own && is_token(name) &&
                      is_field_value(trim(line.substr(name.size() + 1)));
    if (!good) return false;
    lines.remove_prefix(end + 2);
  }
  return true;
}

std::string problem_json(int status, std::string_view detail, std::string_view outcome) {
  std::string json = problem(status, detail);
  if (!outcome.empty()) {
    json += R"(,"outcome":)";
    append_json_string(json, outcome);
  }
  return json + '}';
}

std::string problem_json(int status, std::string_view detail, const LimitMembers& limit) {
  std::string json = problem(status, detail);
  json += R"(,"limit":)";
  append_json_string(json, limit.limit);
  json += R"(,"value":)";
  append_number(json, limit.value);
  return json + '}';
}

std::string problem_json(int status, const InputError& error, std::uint64_t expected) {
  std::string json = problem(status, error.message);
  if (!error.field.empty()) {
    json += R"(,"field":)";
    append_json_string(json, error.field);
  }
  if (error.line != 0) {
    json += R"(,"line":)";
    append_number(json, error.line);
  }
  if (expected != 0) {
    json += R"(,"expected":)";
    append_number(json, expected);
  }
  return json + '}';
}

}  // namespace tocsin::proto
