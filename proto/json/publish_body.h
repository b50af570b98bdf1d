// The body of a publish request in its forms: text, a JSON object, a JSON array, NDJSON.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/sse/event.h"

namespace tocsin::proto {

enum class BodyForm : std::uint8_t { text, json, ndjson };

// application/json and application/*+json are JSON; application/x-ndjson, application/ndjson and
// application/jsonl are NDJSON; everything else is text, as it came (also form-urlencoded, which is
// what `curl -d` says of any text).
[[nodiscard]] BodyForm body_form(std::string_view content_type);

// Reads JSON bodies; keeps its buffers between requests, so one of them serves a whole shard: at
// most about eight times the largest body. Not thread-safe.
class PublishBodyReader {
 public:
  PublishBodyReader();
  ~PublishBodyReader();
  PublishBodyReader(const PublishBodyReader&) = delete;
  PublishBodyReader& operator=(const PublishBodyReader&) = delete;

  // All events of the body or the first error; never some of them (a batch is all or nothing).
  //
  // Text: one event of `defaults` with the body as its data, without ASCII white space at its ends.
  //
  // JSON: one object or an array of objects; NDJSON: an object a line, empty lines are skipped.
  // An empty text is an error: who means an event without data says so in JSON.
  //
  // Object: {"stream"|"topic", "type"|"event", "id", "retry", "data"}. `data` is a string, which
  // may be empty, or any other JSON value, which is sent compact (white space removed, its tokens
  // as written). An absent topic, type, id or retry takes the value of `defaults`; absent data is
  // an error; `id` may be an integer (sent as written) and `retry` a string of digits. Unknown
  // keys, a key twice (also in its two spellings) and wrong types are errors with the key as the
  // field; an empty batch is an error. Syntax errors have the field "body". A leading byte order
  // mark is skipped. Every event passed check().
  //
  // `names`: what errors call the members that are not a key of an object.
  //
  // `body` must have 64 readable bytes behind it (Request::body has). The result and its views are
  // valid until the next call, and as long as `body` and `defaults` live.
  [[nodiscard]] std::expected<const std::vector<EventView>*, InputError> read(
      std::string_view body, BodyForm form, const EventView& defaults,
      const MemberNames& names = {});

 private:
  class Reader;
  std::unique_ptr<Reader> reader_;
};

}  // namespace tocsin::proto
