#include "proto/http_request.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <llhttp.h>

#include "proto/assert.h"
#include "proto/head_bytes.h"
#include "proto/header_name.h"
#include "proto/limits.h"

namespace tocsin::proto {

namespace {

constexpr std::size_t kPadding = 64;  // simdjson's, behind the body
constexpr std::size_t kKeptBody = 64 * limits::kKiB;
constexpr std::size_t kKeptString = 1 * limits::kKiB;
// Bytes of chunk framing allowed per byte of data: "1\r\nx\r\n" has 5.
constexpr std::uint64_t kFramingPerByte = 16;

// What to do with a header field: kept ones by their Header; two are compared and not kept.
enum class Field : std::uint8_t { kept, expect, transfer_encoding, dropped };

Method method_of(const llhttp_t& parser) {
  switch (parser.method) {
    case HTTP_GET:
      return Method::get;
    case HTTP_HEAD:
      return Method::head;
    case HTTP_POST:
      return Method::post;
    case HTTP_OPTIONS:
      return Method::options;
    default:
      return Method::other;
  }
}

}  // namespace

struct RequestParser::Machine {
  // bad_method: in a request line of which llhttp does not know the method; request.target has it.
  enum class Phase : std::uint8_t { between, head, bad_method, head_done, body, complete, failed };

  Machine(Request& r, std::size_t head, std::size_t body)
      : request(r), max_head(head), max_body(body) {}

  static Machine& of(llhttp_t* parser) { return *static_cast<Machine*>(parser->data); }
  static const llhttp_settings_t& settings();

  void begin();
  llhttp_errno_t execute(std::string_view bytes, std::size_t& consumed);
  std::size_t read_bad_method(std::string_view bytes);
  int fail(Error e);
  [[nodiscard]] Error error_of(llhttp_errno_t result) const;

  // Called by llhttp, in this order.
  int on_message_begin();
  int on_target(std::string_view piece);
  int on_version_complete();
  int on_field_name(std::string_view piece);
  int on_field_name_complete();
  int on_field_value(std::string_view piece);
  int on_field_value_complete();
  int on_headers_complete();
  int on_chunk_header();
  int on_body(std::string_view piece);
  int on_message_complete();

  llhttp_t parser{};
  Request& request;
  std::size_t max_head;
  std::size_t max_body;
  // Bytes that may still come without being body data. A head's bytes each cost one; so do those of
  // a chunked body's framing, while each byte of its data earns kFramingPerByte. Counted by byte
  // and not by feed, so that the outcome does not depend on how the stream was cut.
  std::uint64_t budget = 0;
  Phase phase = Phase::between;
  Error error = Error::none;
  bool chunked = false;
  HeadScan scan;

  Field field = Field::dropped;
  Header header = Header::kCount;
  std::uint8_t name_size = 0;  // kMaxKnownName + 1: longer than any known name
  std::array<char, kMaxKnownName> name{};
  std::uint32_t seen = 0;  // bit per Header
  bool host_repeated = false;
  bool encoding_seen = false;
  bool encoding_repeated = false;
  WordMatcher expect{"100-continue"};
  WordMatcher encoding{"chunked"};
};

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
  phase = Phase::between;
  error = Error::none;
  chunked = false;
  scan.start();
  field = Field::dropped;
  name_size = 0;
  seen = 0;
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
  clear_keeping(request.target, kKeptString);
  for (auto& value : request.headers) clear_keeping(value, kKeptString);
  clear_keeping(request.body, kKeptBody);
}

int RequestParser::Machine::fail(Error e) {
  error = e;
  return -1;
}

RequestParser::Error RequestParser::Machine::error_of(llhttp_errno_t result) const {
  if (result == HPE_PAUSED_H2_UPGRADE) return Error::version;
  // llhttp says this also of garbage behind a version that we do speak.
  const bool ours = parser.http_major == 1 && parser.http_minor <= 1;
  return result == HPE_INVALID_VERSION && !ours ? Error::version : Error::malformed;
}

int RequestParser::Machine::on_message_begin() {
  phase = Phase::head;
  return HPE_OK;
}

int RequestParser::Machine::on_target(std::string_view piece) {
  request.method = method_of(parser);
  request.target += piece;
  return HPE_OK;
}

int RequestParser::Machine::on_version_complete() {
  const bool known = parser.http_major == 1 && parser.http_minor <= 1;
  return known ? HPE_OK : fail(Error::version);
}

int RequestParser::Machine::on_field_name(std::string_view piece) {
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
  field = Field::dropped;
  // Behind a chunked body stand trailer fields; they may not change what the head said.
  if (size > name.size() || phase != Phase::head) return HPE_OK;
  const std::string_view text(name.data(), size);
  if (equals_ignoring_case(text, "expect")) {
    field = Field::expect;
    expect.start();
    return HPE_OK;
  }
  if (equals_ignoring_case(text, "transfer-encoding")) {
    field = Field::transfer_encoding;
    encoding_repeated = std::exchange(encoding_seen, true);
    encoding.start();
    return HPE_OK;
  }
  const auto known = known_header(text);
  if (!known) return HPE_OK;
  header = *known;
  const std::uint32_t bit = 1U << static_cast<unsigned>(header);
  const bool repeated = (seen & bit) != 0;
  seen |= bit;
  if (repeated && header == Header::host) host_repeated = true;
  if (repeated && first_wins(header)) return HPE_OK;
  field = Field::kept;
  auto& value = request.headers[static_cast<std::size_t>(header)];
  if (repeated && !value.empty()) value += ", ";
  return HPE_OK;
}

int RequestParser::Machine::on_field_value(std::string_view piece) {
  if (field == Field::kept) {
    request.headers[static_cast<std::size_t>(header)] += piece;
  } else if (field == Field::expect) {
    expect.add(piece);
  } else if (field == Field::transfer_encoding) {
    encoding.add(piece);
  }
  return HPE_OK;
}

int RequestParser::Machine::on_field_value_complete() {
  if (field == Field::kept) trim_end(request.headers[static_cast<std::size_t>(header)]);
  field = Field::dropped;
  return HPE_OK;
}

int RequestParser::Machine::on_headers_complete() {
  request.method = method_of(parser);
  request.http_1_1 = parser.http_major == 1 && parser.http_minor == 1;
  // HTTP/0.9's `GET /path` comes here without a version.
  if (parser.http_major != 1) return fail(Error::version);

  chunked = (parser.flags & F_CHUNKED) != 0;
  const bool has_host = (seen >> static_cast<unsigned>(Header::host) & 1) != 0;
  if (host_repeated || (request.http_1_1 && !has_host)) return fail(Error::malformed);
  if (encoding_seen) {
    // Only plain "chunked" is read. llhttp takes more for it ("gzip, chunked", an empty field next
    // to a Content-Length), and whoever reads such a request differently sees another end of it.
    // In HTTP/1.0 somebody in between may not know the field at all (RFC 9112, 6.1).
    const bool plain = chunked && encoding.matches() && !encoding_repeated;
    const bool has_length = (parser.flags & F_CONTENT_LENGTH) != 0;
    if (!plain || has_length || !request.http_1_1) return fail(Error::malformed);
  }

  const bool connect = parser.method == HTTP_CONNECT;
  request.content_length = chunked ? 0 : parser.content_length;
  request.has_body = !connect && (chunked || request.content_length > 0);
  // llhttp takes what follows a CONNECT for the tunnel's bytes, so nothing behind it can be read.
  request.keep_alive = !connect && llhttp_should_keep_alive(&parser) != 0;
  request.expects_continue = expect.matches() && request.http_1_1 && request.has_body;
  if (request.content_length > max_body) return fail(Error::body_too_large);

  if (request.has_body) {
    // Not all that is announced: a thousand clients could announce 4 MiB each and send nothing.
    request.body.reserve(std::min<std::size_t>(request.content_length, kKeptBody) + kPadding);
  }
  budget = max_head;
  phase = Phase::head_done;
  return HPE_PAUSED;
}

int RequestParser::Machine::on_chunk_header() {
  // llhttp leaves the chunk's size in content_length.
  const bool fits = parser.content_length <= max_body - request.body.size();
  return fits ? HPE_OK : fail(Error::body_too_large);
}

int RequestParser::Machine::on_body(std::string_view piece) {
  const std::size_t needed = request.body.size() + piece.size() + kPadding;
  if (needed > request.body.capacity()) {
    request.body.reserve(std::min(std::max(needed, 2 * request.body.capacity()),
                                  std::max(needed, max_body + kPadding)));
  }
  request.body += piece;
  TOCSIN_ASSERT(request.body.size() <= max_body);
  return HPE_OK;
}

int RequestParser::Machine::on_message_complete() {
  phase = Phase::complete;
  return HPE_PAUSED;
}

// One call of llhttp on at most `budget` bytes; accounts for what it consumed.
llhttp_errno_t RequestParser::Machine::execute(std::string_view bytes, std::size_t& consumed) {
  const bool counted = phase != Phase::body || chunked;
  if (counted && bytes.size() > budget) bytes = bytes.substr(0, budget);
  const std::size_t body_before = request.body.size();
  const bool was_in_body = phase == Phase::body;
  const bool was_in_head = phase == Phase::between || phase == Phase::head;
  const llhttp_errno_t result = llhttp_execute(&parser, bytes.data(), bytes.size());
  consumed = bytes.size();
  if (result != HPE_OK) {
    const char* stopped_at = llhttp_get_error_pos(&parser);
    consumed = stopped_at == nullptr ? 0 : static_cast<std::size_t>(stopped_at - bytes.data());
  }
  // At the end of a head the budget has been set anew.
  if (counted && (was_in_body || phase == Phase::between || phase == Phase::head)) {
    const std::uint64_t data = request.body.size() - body_before;
    budget += kFramingPerByte * data;
    budget -= consumed - data;
  }
  // llhttp joins such lines where others stop at them, or begin another field.
  if (was_in_head && scan.finds_fold(bytes.substr(0, consumed))) error = Error::malformed;
  return result;
}

// Reads on to the end of the request line, to tell a method that nobody knows from what is no HTTP.
std::size_t RequestParser::Machine::read_bad_method(std::string_view bytes) {
  const std::size_t size = take_line(bytes, budget, request.target);
  if (request.target.ends_with('\n')) {
    const auto target = target_of_line(request.target);
    error = target ? Error::method : Error::malformed;
    request.target = std::string(target.value_or(""));
  } else if (budget == 0) {
    error = Error::head_too_large;
  }
  return size;
}

RequestParser::RequestParser(std::size_t max_head, std::size_t max_body)
    : machine_(std::make_unique<Machine>(request_, max_head, max_body)) {
  machine_->begin();
}

RequestParser::~RequestParser() = default;

void RequestParser::begin() {
  machine_->begin();
  error_ = Error::none;
}

bool RequestParser::mid_message() const {
  using Phase = Machine::Phase;
  return machine_->phase == Phase::head || machine_->phase == Phase::head_done ||
         machine_->phase == Phase::bad_method || machine_->phase == Phase::body;
}

RequestParser::Step RequestParser::fail(std::size_t consumed) {
  machine_->phase = Machine::Phase::failed;
  error_ = machine_->error;
  return {State::failed, consumed};
}

RequestParser::Step RequestParser::feed(std::string_view bytes) {
  using Phase = Machine::Phase;
  Machine& machine = *machine_;
  TOCSIN_ASSERT(machine.phase != Phase::complete);
  if (machine.phase == Phase::failed || bytes.empty()) {
    return {machine.phase == Phase::failed ? State::failed : State::need_more, 0};
  }

  std::size_t total = 0;
  if (machine.phase == Phase::head_done) {
    total = 1;  // the head's last byte, which llhttp has seen already
    machine.phase = Phase::body;
    llhttp_resume(&machine.parser);
  }
  do {
    if (machine.phase == Phase::bad_method) {
      total += machine.read_bad_method(bytes.substr(total));
      if (machine.error != Error::none) return fail(total);
      continue;
    }
    std::size_t consumed = 0;
    const llhttp_errno_t result = machine.execute(bytes.substr(total), consumed);
    total += consumed;
    if (machine.error != Error::none) return fail(total);
    if (result == HPE_PAUSED) {
      const bool at_head = machine.phase == Phase::head_done;
      TOCSIN_ASSERT(!at_head || total > 0);
      return {at_head ? State::head_complete : State::message_complete,
              at_head ? total - 1 : total};
    }
    if (result == HPE_INVALID_METHOD && machine.scan.at_method_name(bytes.substr(total))) {
      machine.phase = Phase::bad_method;
    } else if (result != HPE_OK) {
      machine.error = machine.error_of(result);
    } else if (machine.budget == 0) {
      machine.error = Error::head_too_large;
    }
    if (machine.error != Error::none) return fail(total);
  } while (total < bytes.size());
  return {State::need_more, total};
}

}  // namespace tocsin::proto
