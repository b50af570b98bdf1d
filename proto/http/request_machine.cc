#include "proto/http/request_machine.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>
#include <string>
#include <utility>

#include "proto/assert.h"
#include "proto/limits.h"
#include "proto/text/ascii.h"
#include "proto/text/wipe.h"

namespace tocsin::proto {

namespace {

constexpr std::size_t kPadding = 64;  // simdjson's, behind the body
// Of a body's memory, where nothing of it has come or nothing of the next one: it is no part of any
// bound on bodies, so with thousands of connections it must not matter.
constexpr std::size_t kKeptBody = 4 * limits::kKiB;
constexpr std::size_t kKeptString = 1 * limits::kKiB;
// Bytes of chunk framing allowed per byte of data: "1\r\nx\r\n" has 5.
constexpr std::uint64_t kFramingPerByte = 16;

Method method_of(const llhttp_t& parser) {
  switch (parser.method) {
    case HTTP_GET:
      return Method::get;
    case HTTP_HEAD:
      return Method::head;
    case HTTP_POST:
      return Method::post;
    case HTTP_DELETE:
      return Method::del;
    case HTTP_OPTIONS:
      return Method::options;
    default:
      return Method::other;
  }
}

// Whether what comes next in a target is no longer its host.
bool has_path(std::string_view target) {
  if (target.starts_with('/') || target.starts_with('*')) return true;
  const std::size_t host = target.find("://");
  return host != std::string_view::npos &&
         target.find_first_of("/?", host + 3) != std::string_view::npos;
}

// RFC 9112, 3.2, and RFC 3986, 3.2.2: a name or address and perhaps a port, of which only the
// characters are looked at; empty where the target has no host.
bool is_host(std::string_view text) {
  static constexpr CharTable kHostChars = char_table([](char c) {
    return is_alpha(c) || is_digit(c) || std::string_view("-._~%!$&'()*+,;=:[]").contains(c);
  });
  return consists_of(text, kHostChars);
}

// To just this capacity; reserve() of a string that has some takes twice as much as it had.
void grow(std::string& text, std::size_t capacity) {
  std::string larger;
  larger.reserve(capacity);
  larger += text;
  text.swap(larger);
}

}  // namespace

const llhttp_settings_t& RequestParser::Machine::settings() {
  static const llhttp_settings_t settings = [] {
    llhttp_settings_t s;
    llhttp_settings_init(&s);
    s.on_message_begin = [](llhttp_t* p) { return of(p).on_message_begin(); };
    s.on_url = [](llhttp_t* p, const char* at, std::size_t n) { return of(p).on_target({at, n}); };
    s.on_version_complete = [](llhttp_t* p) { return of(p).on_version_complete(); };
    s.on_header_field = [](llhttp_t* p, const char* at, std::size_t n) {
      return of(p).on_field_name({at, n});
    };
    s.on_header_field_complete = [](llhttp_t* p) { return of(p).on_field_name_complete(); };
    s.on_header_value = [](llhttp_t* p, const char* at, std::size_t n) {
      return of(p).on_field_value({at, n});
    };
    s.on_header_value_complete = [](llhttp_t* p) { return of(p).on_field_value_complete(); };
    s.on_headers_complete = [](llhttp_t* p) { return of(p).on_headers_complete(); };
    s.on_chunk_header = [](llhttp_t* p) { return of(p).on_chunk_header(); };
    s.on_body = [](llhttp_t* p, const char* at, std::size_t n) { return of(p).on_body({at, n}); };
    s.on_message_complete = [](llhttp_t* p) { return of(p).on_message_complete(); };
    return s;
  }();
  return settings;
}

void RequestParser::Machine::begin() {
  llhttp_init(&parser, HTTP_REQUEST, &settings());
  parser.data = this;
  budget = max_head;
  body_limit = max_body;
  stage = Stage::between;
  error = Error::none;
  reason = {};
  chunked = false;
  chunk_left = 0;
  scan.start();
  field = FieldUse::dropped;
  name_size = 0;
  host_repeated = false;
  encoding_seen = false;
  encoding_repeated = false;
  expect.start();
  encoding.start();

  request.method = Method::other;
  request.http_1_1 = true;
  request.keep_alive = true;
  request.expects_continue = false;
  request.has_body = false;
  request.content_length = 0;
  wipe_credentials();
  clear_keeping(request.target, kKeptString);
  // Some fifteen strings, of which a request has two or three.
  for (; request.fields != 0; request.fields &= request.fields - 1) {
    const auto first = static_cast<std::size_t>(std::countr_zero(request.fields));
    clear_keeping(request.headers[first], kKeptString);
  }
  clear_keeping(request.body, kKeptBody);
}

void RequestParser::Machine::wipe_credentials() {
  wipe(std::span<char>(request.target));
  constexpr auto kBits = 1U << static_cast<unsigned>(Header::authorization) |
                         1U << static_cast<unsigned>(Header::cookie);
  if ((request.fields & kBits) == 0) return;
  wipe(request.headers[static_cast<std::size_t>(Header::authorization)]);
  wipe(request.headers[static_cast<std::size_t>(Header::cookie)]);
}

int RequestParser::Machine::fail(Error e, std::string_view why) {
  error = e;
  reason = why;
  return -1;
}

// What stands between `unscanned` and `end` is no body data. False: it is refused.
bool RequestParser::Machine::scan_to(const char* end) {
  TOCSIN_ASSERT(unscanned != nullptr && unscanned <= end);
  if (!scan.takes({unscanned, static_cast<std::size_t>(end - unscanned)})) {
    (void)fail(Error::malformed,
               "a line that is not ended by CR LF, folded, or has a blank too many");
  }
  return error != Error::malformed;
}

void RequestParser::Machine::refuse(llhttp_errno_t result, std::string_view bytes) {
  // A handshake record (RFC 8446, 5.1).
  const bool tls = request.target.empty() && bytes.starts_with("\x16\x03");
  (void)fail(error_of(result), tls ? "this is TLS, and the port speaks plain HTTP"
                                   : llhttp_get_error_reason(&parser));
}

RequestParser::Error RequestParser::Machine::error_of(llhttp_errno_t result) const {
  if (result == HPE_PAUSED_H2_UPGRADE) return Error::version;
  // llhttp says this also of garbage behind a version that we do speak.
  const bool ours = parser.http_major == 1 && parser.http_minor <= 1;
  return result == HPE_INVALID_VERSION && !ours ? Error::version : Error::malformed;
}

int RequestParser::Machine::on_message_begin() {
  TOCSIN_DEBUG_ASSERT(stage == Stage::between);
  stage = Stage::head;
  return HPE_OK;
}

int RequestParser::Machine::on_target(std::string_view piece) {
  request.method = method_of(parser);
  append_wiping(request.target, piece);
  return HPE_OK;
}

int RequestParser::Machine::on_version_complete() {
  const bool known = parser.http_major == 1 && parser.http_minor <= 1;
  return known ? HPE_OK : fail(Error::version);
}

int RequestParser::Machine::on_field_name(std::string_view piece) {
  // llhttp takes blanks, also in front of the colon, where others may read another name.
  if (!is_token(piece)) return fail(Error::malformed, "a field's name is not a token");
  if (name_size + piece.size() > name.size()) {
    name_size = static_cast<std::uint8_t>(name.size() + 1);
    return HPE_OK;
  }
  std::memcpy(name.data() + name_size, piece.data(), piece.size());
  name_size = static_cast<std::uint8_t>(name_size + piece.size());
  return HPE_OK;
}

int RequestParser::Machine::on_field_name_complete() {
  const std::size_t size = std::exchange(name_size, std::uint8_t{0});
  field = FieldUse::dropped;
  if (size == 0) return fail(Error::malformed, "a field without a name");
  // Behind a chunked body stand trailer fields; they may not change what the head said.
  if (size > name.size() || stage != Stage::head) return HPE_OK;
  const std::string_view text(name.data(), size);
  if (equals_ignoring_case(text, "expect")) {
    field = FieldUse::expect;
    expect.start();
    return HPE_OK;
  }
  if (equals_ignoring_case(text, "transfer-encoding")) {
    field = FieldUse::transfer_encoding;
    encoding_repeated = std::exchange(encoding_seen, true);
    encoding.start();
    return HPE_OK;
  }
  const auto known = known_header(text);
  if (!known) return HPE_OK;
  header = *known;
  const bool repeated = request.has(header);
  request.fields |= 1U << static_cast<unsigned>(header);
  if (repeated && header == Header::host) host_repeated = true;
  if (repeated && first_wins(header)) return HPE_OK;
  field = FieldUse::kept;
  auto& value = request.headers[static_cast<std::size_t>(header)];
  if (repeated && !value.empty()) append_wiping(value, joint_of(header));
  return HPE_OK;
}

int RequestParser::Machine::on_field_value(std::string_view piece) {
  if (field == FieldUse::kept) {
    TOCSIN_DEBUG_ASSERT(header != Header::kCount && stage == Stage::head);
    append_wiping(request.headers[static_cast<std::size_t>(header)], piece);
  } else if (field == FieldUse::expect) {
    expect.add(piece);
  } else if (field == FieldUse::transfer_encoding) {
    encoding.add(piece);
  }
  return HPE_OK;
}

int RequestParser::Machine::on_field_value_complete() {
  if (field == FieldUse::kept) trim_end(request.headers[static_cast<std::size_t>(header)]);
  field = FieldUse::dropped;
  return HPE_OK;
}

int RequestParser::Machine::on_headers_complete() {
  TOCSIN_DEBUG_ASSERT(stage == Stage::head);
  request.method = method_of(parser);
  request.http_1_1 = parser.http_major == 1 && parser.http_minor == 1;
  // HTTP/0.9's `GET /path` comes here without a version.
  if (parser.http_major != 1) return fail(Error::version);

  chunked = (parser.flags & F_CHUNKED) != 0;
  if (request.http_1_1 && !request.has(Header::host))
    return fail(Error::malformed, "Host is missing");
  if (host_repeated) return fail(Error::malformed, "Host is given twice");
  if (!is_host(request.header(Header::host))) return fail(Error::malformed, "Host is not a host");
  if (encoding_seen) {
    // Only plain "chunked" is read. llhttp takes more for it ("gzip, chunked", an empty field next
    // to a Content-Length), and whoever reads such a request differently sees another end of it.
    // In HTTP/1.0 somebody in between may not know the field at all (RFC 9112, 6.1).
    const bool plain = chunked && encoding.matches() && !encoding_repeated;
    const bool has_length = (parser.flags & F_CONTENT_LENGTH) != 0;
    if (!plain || has_length || !request.http_1_1) {
      return fail(Error::malformed,
                  "Transfer-Encoding must be chunked, in HTTP/1.1, without Content-Length");
    }
  }

  const bool connect = parser.method == HTTP_CONNECT;
  request.content_length = chunked ? 0 : parser.content_length;
  request.has_body = !connect && (chunked || request.content_length > 0);
  // llhttp takes what follows a CONNECT for the tunnel's bytes, so nothing behind it can be read.
  request.keep_alive = !connect && llhttp_should_keep_alive(&parser) != 0;
  request.expects_continue = expect.matches() && request.http_1_1 && request.has_body;
  if (request.content_length > body_limit) return fail(Error::body_too_large);

  if (request.has_body) {
    // Not all that is announced: a thousand clients could announce 4 MiB each and send nothing.
    request.body.reserve(std::min<std::size_t>(request.content_length, kKeptBody) + kPadding);
  }
  budget = max_head;
  stage = Stage::head_done;
  return HPE_PAUSED;
}

int RequestParser::Machine::on_chunk_header() {
  TOCSIN_ASSERT(chunked && request.body.size() <= max_body);
  // llhttp leaves the chunk's size in content_length.
  chunk_left = parser.content_length;
  const bool fits = chunk_left <= body_limit - request.body.size();
  return fits ? HPE_OK : fail(Error::body_too_large);
}

int RequestParser::Machine::on_body(std::string_view piece) {
  TOCSIN_DEBUG_ASSERT(stage == Stage::body && request.has_body);
  if (chunked) {
    TOCSIN_ASSERT(piece.size() <= chunk_left);
    if (!scan_to(piece.data())) return -1;
    unscanned = piece.data() + piece.size();
    chunk_left -= piece.size();
    if (chunk_left == 0) scan.expect_line_end();
  }
  const std::size_t needed = request.body.size() + piece.size() + kPadding;
  if (needed > request.body.capacity()) {
    const std::size_t most = (chunked ? body_limit : request.content_length) + kPadding;
    grow(request.body, std::min(std::max(needed, 2 * request.body.capacity()),
                                std::max(needed, most)));
  }
  request.body += piece;
  TOCSIN_ASSERT(request.body.size() <= body_limit);
  return HPE_OK;
}

int RequestParser::Machine::on_message_complete() {
  stage = Stage::complete;
  return HPE_PAUSED;
}

std::size_t RequestParser::Machine::read_wide(std::string_view bytes) {
  if (!scan.in_target() || bytes.empty() || is_ascii(bytes.front()) || !has_path(request.target)) {
    return 0;
  }
  const auto end = std::ranges::find_if(bytes.substr(0, budget), is_ascii);
  const auto size = static_cast<std::size_t>(end - bytes.begin());
  append_wiping(request.target, bytes.substr(0, size));
  budget -= size;
  (void)scan.takes(bytes.substr(0, size));
  return size;
}

std::size_t RequestParser::Machine::before_wide(std::string_view bytes) const {
  if (!scan.before_protocol()) return bytes.size();
  const std::size_t start = std::min(bytes.find_first_not_of("\r\n"), bytes.size());
  const std::string_view line = bytes.substr(0, bytes.find('\n', start));
  const std::size_t narrow = ascii_size(line);
  if (narrow == line.size()) return bytes.size();
  // A first one is none that read_wide() takes: llhttp refuses it.
  return std::max<std::size_t>(1, narrow);
}

// One call of llhttp on at most `budget` bytes; accounts for what it consumed.
llhttp_errno_t RequestParser::Machine::execute(std::string_view bytes, std::size_t& consumed) {
  bytes = bytes.substr(0, before_wide(bytes));
  const bool counted = stage != Stage::body || chunked;
  if (counted && bytes.size() > budget) bytes = bytes.substr(0, budget);
  const std::size_t body_before = request.body.size();
  const bool was_in_body = stage == Stage::body;
  unscanned = bytes.data();
  const llhttp_errno_t result = llhttp_execute(&parser, bytes.data(), bytes.size());
  consumed = bytes.size();
  if (result != HPE_OK) {
    const char* stopped_at = llhttp_get_error_pos(&parser);
    consumed = stopped_at == nullptr ? 0 : static_cast<std::size_t>(stopped_at - bytes.data());
  }
  // At the end of a head the budget has been set anew.
  if (counted && (was_in_body || stage == Stage::between || stage == Stage::head)) {
    const std::uint64_t data = request.body.size() - body_before;
    budget += kFramingPerByte * data;
    TOCSIN_ASSERT(data <= consumed && consumed - data <= budget);
    budget -= consumed - data;
  }
  // An error there comes before the one that llhttp may have met behind it.
  if (counted) (void)scan_to(bytes.data() + consumed);
  return result;
}

// Reads on to the end of the request line, to tell a method that nobody knows from what is no HTTP.
std::size_t RequestParser::Machine::read_bad_method(std::string_view bytes) {
  const std::size_t size = take_line(bytes, budget, request.target);
  if (request.target.ends_with('\n')) {
    const auto target = target_of_line(request.target);
    (void)fail(target ? Error::method : Error::malformed, "the request line is none of HTTP");
    std::string line = std::exchange(request.target, std::string(target.value_or("")));
    wipe(line);
  } else if (budget == 0) {
    error = Error::head_too_large;
  }
  return size;
}

}  // namespace tocsin::proto
