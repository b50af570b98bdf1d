// Whatever a publish body is, reading it neither depends on the bytes behind it nor lets an event
// through that check() refuses; and JSON is accepted exactly if simdjson's full parser accepts it
// (but for numbers beyond 64 bits, which are passed on as written). Input: a byte for the form, the
// body.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

#include "proto/json/envelope.h"
#include "proto/json/publish_body.h"
#include "proto/limits.h"
#include "proto/sse/event.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using tocsin::fuzz::require;
using tocsin::proto::BodyForm;
using tocsin::proto::EventView;
using tocsin::proto::PublishBodyReader;

constexpr std::size_t kPadding = 64;
constexpr EventView kDefaults{.topic = "t", .type = "y"};

// An integer that does not fit: a code of its own in newer versions, in 3.0.1 a number error.
template <typename Code>
bool is_number_error(Code code) {
  if constexpr (requires { Code::BIGINT_ERROR; }) {
    if (code == Code::BIGINT_ERROR) return true;
  }
  return code == Code::NUMBER_ERROR;
}

bool is_json(std::string_view text) {
  simdjson::dom::parser parser;
  const auto code = parser.parse(text.data(), text.size()).error();
  // The rest behind such a number is not looked at: the text may be either.
  return code == simdjson::SUCCESS || is_number_error(code);
}

// The envelope of whatever may be published is JSON on one line; what was written as JSON is it.
void check_envelope(const EventView& event) {
  std::string envelope;
  tocsin::proto::append_envelope(envelope, event.topic, event.data, event.json);
  require(is_json(envelope), "an envelope is JSON");
  require(envelope.find_first_of("\r\n") == std::string::npos, "an envelope is one line");
}

// What a body was read as, in text.
std::string read(PublishBodyReader& reader, std::string_view body, BodyForm form, char behind) {
  std::vector<char> padded(body.begin(), body.end());
  padded.resize(body.size() + kPadding, behind);
  const auto result = reader.read({padded.data(), body.size()}, form, kDefaults);
  if (!result) {
    const auto& error = result.error();
    require(!error.field.empty() && !error.message.empty(), "an error says what and where");
    return "error " + error.field + ": " + error.message + " @" + std::to_string(error.line);
  }
  require(!(*result)->empty(), "no empty batches");
  std::string text = "events\n";  // a topic may be called "error "
  for (const EventView& event : **result) {
    require(!check(event), "every event passed check()");
    check_envelope(event);
    for (const auto part : {event.topic, event.type, event.id, event.data}) {
      text.append(part).append("\x1F");
    }
    text += event.retry_ms ? std::to_string(*event.retry_ms) : "-";
    text += '\n';
  }
  return text;
}

bool is_error(std::string_view outcome) {
  return outcome.starts_with("error ");
}

void check_json(const std::string& outcome, std::string_view body) {
  if (body.starts_with("\xEF\xBB\xBF")) body.remove_prefix(3);
  if (!is_error(outcome)) {
    require(is_json(body), "what is accepted is JSON");
  } else if (outcome.starts_with("error body: not valid JSON")) {
    simdjson::dom::parser parser;
    require(parser.parse(body.data(), body.size()).error() != simdjson::SUCCESS,
            "what is refused as JSON is none");
  }
}

void check_ndjson(const std::string& outcome, std::string_view body) {
  if (is_error(outcome)) return;
  if (body.starts_with("\xEF\xBB\xBF")) body.remove_prefix(3);
  while (!body.empty()) {
    const std::string_view line = body.substr(0, body.find('\n'));
    body.remove_prefix(std::min(line.size() + 1, body.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    require(is_json(line), "every accepted line is JSON");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tocsin::fuzz::Input input(data, size);
  const std::uint8_t choice = input.take_byte();
  const std::string_view body = input.rest();
  const BodyForm form = choice % 8 == 0   ? BodyForm::text
                        : choice % 2 == 0 ? BodyForm::ndjson
                                          : BodyForm::json;
  PublishBodyReader reader;
  const std::string outcome = read(reader, body, form, '\0');
  for (const char behind : {'"', '}', ']', '1', '\\'}) {
    const std::string other = read(reader, body, form, behind);
    // Of several errors simdjson may find another one first: it looks for unbalanced brackets if a
    // closing one stands behind the text.
    const bool same = other == outcome || (is_error(other) && is_error(outcome));
    require(same, "the bytes behind the body do not matter");
  }
  if (form == BodyForm::json) check_json(outcome, body);
  if (form == BodyForm::ndjson) check_ndjson(outcome, body);
  return 0;
}
