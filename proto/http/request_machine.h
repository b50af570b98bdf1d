// Private to proto/http/http_request.cc: llhttp, what it calls, and what it would let through.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <llhttp.h>

#include "proto/http/head_bytes.h"
#include "proto/http/header_name.h"
#include "proto/http/http_request.h"
#include "proto/http/line_scan.h"

namespace tocsin::proto {

// What to do with a header field: kept ones by their Header; two are compared and not kept.
enum class FieldUse : std::uint8_t { kept, expect, transfer_encoding, dropped };

struct RequestParser::Machine {
  // bad_method: in a request line of which llhttp does not know the method; request.target has it.
  enum class Stage : std::uint8_t { between, head, bad_method, head_done, body, complete, failed };

  Machine(Request& r, std::size_t head, std::size_t body)
      : request(r), max_head(head), max_body(body) {}

  static Machine& of(llhttp_t* parser) { return *static_cast<Machine*>(parser->data); }
  static const llhttp_settings_t& settings();

  void begin();
  // What may be a credential: the target, Authorization, Cookie.
  void wipe_credentials();
  llhttp_errno_t execute(std::string_view bytes, std::size_t& consumed);
  std::size_t read_bad_method(std::string_view bytes);
  // Bytes beyond ASCII in a target's path or query are no URI (RFC 3986, 2), but what clients send
  // of what was typed. llhttp takes them until version 8 only, so it is not shown them. Reads those
  // that `bytes` begins with; returns how many, 0: none that are taken.
  std::size_t read_wide(std::string_view bytes);
  // How much of `bytes` there is before llhttp must not be shown more; at least 1.
  [[nodiscard]] std::size_t before_wide(std::string_view bytes) const;
  int fail(Error e, std::string_view why = {});
  bool scan_to(const char* end);
  // llhttp stopped with `result`; `bytes`: what the feed began with.
  void refuse(llhttp_errno_t result, std::string_view bytes);
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
  std::size_t body_limit = max_body;  // of this request
  // Bytes that may still come without being body data. A head's bytes each cost one; so do those of
  // a chunked body's framing, while each byte of its data earns kFramingPerByte. Counted by byte
  // and not by feed, so that the outcome does not depend on how the stream was cut.
  std::uint64_t budget = 0;
  Stage stage = Stage::between;
  Error error = Error::none;
  std::string_view reason;  // of Error::malformed, static
  bool chunked = false;
  std::uint64_t chunk_left = 0;  // data bytes of the chunk being read
  LineScan scan;
  const char* unscanned = nullptr;  // of the bytes that llhttp is working on

  FieldUse field = FieldUse::dropped;
  Header header = Header::kCount;
  std::uint8_t name_size = 0;  // kMaxKnownName + 1: longer than any known name
  std::array<char, kMaxKnownName> name{};
  bool host_repeated = false;
  bool encoding_seen = false;
  bool encoding_repeated = false;
  WordMatcher expect{"100-continue"};
  WordMatcher encoding{"chunked"};
};

}  // namespace tocsin::proto
