#include "net/client/response_reader.h"

#include <llhttp.h>

#include <algorithm>
#include <utility>

#include "proto/assert.h"
#include "proto/text/ascii.h"

namespace tocsin::net {
namespace {

// HTTP/1.1 200 and what stands behind it.
constexpr std::size_t kStatusSize = 13;

// llhttp also takes another version's, and a status of four digits.
bool is_status_of_http_1(std::string_view line) {
  constexpr std::string_view kVersion = "HTTP/1.";
  return line.size() == kStatusSize && line.starts_with(kVersion) &&
         proto::is_digit(line[kVersion.size()]) && line[8] == ' ' && line[9] != '0' &&
         std::ranges::all_of(line.substr(9, 3), proto::is_digit) &&
         std::string_view(" \r\n").contains(line[12]);
}

}  // namespace

struct ResponseReader::Machine {
  Handlers handlers;
  std::size_t max_head;
  llhttp_settings_t settings{};
  llhttp_t parser{};
  ResponseHead head;
  std::string status;  // how the status line begins, at most kStatusSize of it
  std::size_t head_bytes = 0;
  bool in_name = false;    // a field's name goes on; it has a character
  bool head_done = false;  // fields after it are a chunked body's trailer, which nobody reads
  bool started = false;    // a byte of the response was seen
  bool to_head = false;
  bool keep_alive = false;
  bool stopped = false;  // by one of the callbacks; `error` is theirs
  State state = State::need_more;
  std::string error;

  Machine(Handlers h, std::size_t max) : handlers(std::move(h)), max_head(max) {
    llhttp_settings_init(&settings);
    settings.on_message_begin = on_message_begin;
    settings.on_status = on_status;
    settings.on_header_field = on_header_field;
    settings.on_header_field_complete = on_header_field_complete;
    settings.on_header_value = on_header_value;
    settings.on_headers_complete = on_headers_complete;
    settings.on_body = on_body;
    settings.on_message_complete = on_message_complete;
  }

  // A fresh parser rather than llhttp_reset: after `Connection: close` it would stay shut.
  void restart() {
    llhttp_init(&parser, HTTP_RESPONSE, &settings);
    parser.data = this;
    head = {};
    status.clear();
    head_bytes = 0;
    in_name = false;
    head_done = false;
  }

  void note_status(std::string_view bytes) {
    // llhttp skips empty lines in front.
    if (status.empty()) {
      bytes.remove_prefix(std::min(bytes.find_first_not_of("\r\n"), bytes.size()));
    }
    status.append(bytes.substr(0, kStatusSize - status.size()));
  }

  [[nodiscard]] bool interim() const { return head.status >= 100 && head.status < 200; }

  // What a callback returns to end the reading; `why` is empty where a handler asked for it.
  int stop(std::string why) {
    stopped = true;
    error = std::move(why);
    return HPE_USER;
  }

  int count_head(std::size_t size) {
    head_bytes += size;
    return head_bytes > max_head ? stop("the response's head is too long") : 0;
  }

  static Machine& of(llhttp_t* p) { return *static_cast<Machine*>(p->data); }

  static int on_message_begin(llhttp_t* p) {
    of(p).started = true;
    return 0;
  }
  static int on_status(llhttp_t* p, const char*, std::size_t size) {
    return of(p).count_head(size);
  }

  static int on_header_field(llhttp_t* p, const char* at, std::size_t size) {
    Machine& m = of(p);
    // llhttp takes blanks, also in front of the colon, where others may read another name.
    if (!proto::is_token({at, size})) return m.stop("a field's name is not a token");
    if (size == 0) return 0;
    const bool begins = !std::exchange(m.in_name, true);
    if (m.head_done) return 0;
    if (begins) {  // names and values come in pieces, cut where the bytes were cut
      m.head.headers.emplace_back();
      if (m.count_head(4) != 0) return HPE_USER;  // ": " and CRLF
    }
    m.head.headers.back().name.append(at, size);
    return m.count_head(size);
  }

  static int on_header_field_complete(llhttp_t* p) {
    Machine& m = of(p);
    return std::exchange(m.in_name, false) ? 0 : m.stop("a field has no name");
  }

  static int on_header_value(llhttp_t* p, const char* at, std::size_t size) {
    Machine& m = of(p);
    if (m.head_done) return 0;
    TOCSIN_ASSERT(!m.head.headers.empty());  // llhttp names a field before it gives its value
    m.head.headers.back().value.append(at, size);
    return m.count_head(size);
  }

  static int on_headers_complete(llhttp_t* p) {
    Machine& m = of(p);
    m.head.status = llhttp_get_status_code(p);
    m.head_done = true;
    if (!is_status_of_http_1(m.status)) return m.stop("the status line is not one of HTTP/1.1");
    if (m.head.status == 101) return m.stop("an unasked-for change of protocol");
    if (m.interim()) return 0;
    for (HeaderField& field : m.head.headers) field.value = proto::trim(field.value);
    if (!m.handlers.on_head(m.head)) return m.stop("");
    // 1: no body follows. llhttp would read one from a Content-Length that these must not have, or
    // may have without a body (RFC 9112, 6.3).
    const bool without_body = m.to_head || m.head.status == 204 || m.head.status == 304;
    return without_body ? 1 : 0;
  }

  static int on_body(llhttp_t* p, const char* at, std::size_t size) {
    TOCSIN_ASSERT(of(p).head_done && !of(p).interim());
    return of(p).handlers.on_body({at, size}) ? 0 : of(p).stop("");
  }

  static int on_message_complete(llhttp_t* p) {
    Machine& m = of(p);
    m.keep_alive = llhttp_should_keep_alive(p) != 0;
    if (!m.interim()) m.state = State::message_complete;
    return HPE_PAUSED;  // what follows belongs to the next response
  }
};

ResponseReader::ResponseReader(Handlers handlers, std::size_t max_head)
    : machine_(std::make_unique<Machine>(std::move(handlers), max_head)) {
  begin();
}

ResponseReader::~ResponseReader() = default;

void ResponseReader::begin(bool to_head) {
  Machine& m = *machine_;
  m.restart();
  m.to_head = to_head;
  m.started = false;
  m.keep_alive = false;
  m.stopped = false;
  m.state = State::need_more;
  m.error.clear();
}

ResponseReader::Step ResponseReader::feed(std::string_view bytes) {
  Machine& m = *machine_;
  TOCSIN_ASSERT(m.state == State::need_more);
  std::size_t consumed = 0;
  while (consumed < bytes.size()) {
    const char* at = bytes.data() + consumed;
    m.note_status(bytes.substr(consumed));
    const llhttp_errno_t code = llhttp_execute(&m.parser, at, bytes.size() - consumed);
    if (code == HPE_OK) {
      consumed = bytes.size();
    } else if (code == HPE_PAUSED) {
      consumed += static_cast<std::size_t>(llhttp_get_error_pos(&m.parser) - at);
      if (m.state == State::message_complete) break;
      m.restart();  // an interim response ended; the real one follows
    } else {
      if (!m.stopped) m.error = llhttp_get_error_reason(&m.parser);
      m.state = State::failed;
      break;
    }
  }
  return {m.state, consumed};
}

ResponseReader::State ResponseReader::finish() {
  Machine& m = *machine_;
  TOCSIN_ASSERT(m.state == State::need_more);
  // llhttp_finish reports the end through on_message_complete, which pauses.
  const bool ends_here = m.head_done && !m.interim() && llhttp_message_needs_eof(&m.parser) != 0;
  if (ends_here && (llhttp_finish(&m.parser), m.state == State::message_complete)) {
    m.keep_alive = false;
    return m.state;
  }
  m.error = "the connection ended in the middle of the response";
  m.state = State::failed;
  return m.state;
}

bool ResponseReader::mid_message() const {
  return machine_->started && machine_->state == State::need_more;
}

bool ResponseReader::keep_alive() const {
  return machine_->keep_alive;
}

const std::string& ResponseReader::error() const {
  return machine_->error;
}

}  // namespace tocsin::net
