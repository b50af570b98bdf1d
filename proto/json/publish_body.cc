#include "proto/json/publish_body.h"

#include <algorithm>
#include <bit>
#include <string>
#include <utility>

#include <simdjson.h>

#include "proto/assert.h"
#include "proto/json/json_event.h"
#include "proto/json/json_value.h"
#include "proto/limits.h"
#include "proto/text/ascii.h"

namespace tocsin::proto {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kJsonSpace = " \t\r\n";
constexpr std::string_view kAsciiSpace = " \t\r\n\f\v";

std::string_view trim(std::string_view text, std::string_view space) {
  const std::size_t start = text.find_first_not_of(space);
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(space) - start + 1);
}

InputError body_error(std::string message) {
  return {.field = "body", .message = std::move(message)};
}

InputError at_line(InputError error, std::size_t line) {
  error.line = line;
  return error;
}

InputError too_many() {
  return body_error("has more than " + std::to_string(limits::kMaxBatchEvents) + " events");
}

// What stands in an array in place of an object.
InputError no_object(simdjson::ondemand::value& value) {
  const std::string_view token = value.raw_json_token();
  const char first = token.empty() ? '\0' : token.front();
  if (first == ']') return body_error("not valid JSON: nothing follows the last comma");
  const bool another_value = std::string_view("\"-0123456789tfn[").contains(first);
  return another_value ? body_error("must be an array of objects")
                       : json_error(simdjson::TAPE_ERROR);
}

// simdjson does not look behind the first value by itself.
bool at_end(simdjson::ondemand::document& document) {
  return document.current_location().error() == simdjson::OUT_OF_BOUNDS;
}

}  // namespace

BodyForm body_form(std::string_view content_type) {
  constexpr std::string_view kApplication = "application/";
  const std::string_view type = trim(content_type.substr(0, content_type.find(';')), kAsciiSpace);
  // Its name before it was registered.
  if (equals_ignoring_case(type, "text/json")) return BodyForm::json;
  if (!equals_ignoring_case(type.substr(0, kApplication.size()), kApplication)) {
    return BodyForm::text;
  }
  const std::string subtype = to_lower(type.substr(kApplication.size()));
  if (subtype == "json" || subtype.ends_with("+json")) return BodyForm::json;
  if (subtype == "x-ndjson" || subtype == "ndjson" || subtype == "jsonl") return BodyForm::ndjson;
  return BodyForm::text;
}

// The buffers and the steps; events are collected in `events`.
class PublishBodyReader::Reader {
 public:
  std::optional<InputError> read_text(std::string_view body, const EventView& defaults);
  std::optional<InputError> read_json(std::string_view body, const EventView& defaults);
  std::optional<InputError> read_ndjson(std::string_view body, const EventView& defaults);

  void set_names(const MemberNames& names) { names_ = names; }
  [[nodiscard]] const std::vector<EventView>& events() const { return events_; }

 private:
  // Starts on one JSON text; `behind` bytes of the body follow it.
  simdjson::error_code start(std::string_view text, std::size_t behind,
                             simdjson::ondemand::document& document);
  std::optional<InputError> read_one(simdjson::ondemand::object& object, const EventView& defaults);
  std::optional<InputError> read_line(std::string_view text, std::size_t behind,
                                      const EventView& defaults);
  std::optional<InputError> read_array(simdjson::ondemand::document& document,
                                       const EventView& defaults);

  simdjson::ondemand::parser parser_;
  ValueArena arena_;
  MemberNames names_;  // of what no key names
  std::vector<EventView> events_;
};

std::optional<InputError> PublishBodyReader::Reader::read_text(std::string_view body,
                                                               const EventView& defaults) {
  events_.assign(1, defaults);
  events_.front().data = trim(body, kAsciiSpace);
  if (events_.front().data.empty()) {
    return InputError{.field = std::string(names_.data), .message = "msg required"};
  }
  return check(events_.front(), names_);
}

simdjson::error_code PublishBodyReader::Reader::start(std::string_view text, std::size_t behind,
                                                      simdjson::ondemand::document& document) {
  TOCSIN_ASSERT(!text.empty());
  constexpr std::size_t kMinCapacity = 4096;
  if (text.size() > parser_.capacity()) {
    // In powers of two, so that lines of growing length do not allocate each time.
    const std::size_t capacity = std::bit_ceil(std::max(text.size(), kMinCapacity));
    if (const auto code = parser_.allocate(capacity)) return code;
  }
  const simdjson::padded_string_view padded(text.data(), text.size(),
                                            text.size() + behind + simdjson::SIMDJSON_PADDING);
  return parser_.iterate(padded).get(document);
}

std::optional<InputError> PublishBodyReader::Reader::read_one(simdjson::ondemand::object& object,
                                                              const EventView& defaults) {
  EventView& event = events_.emplace_back(defaults);
  MemberNames names{.topic = names_.topic, .type = names_.type};
  if (auto error = read_json_event(object, arena_, event, names)) return error;
  return check(event, names);
}

std::optional<InputError> PublishBodyReader::Reader::read_array(
    simdjson::ondemand::document& document, const EventView& defaults) {
  simdjson::ondemand::array array;
  if (const auto code = document.get_array().get(array)) return json_error(code);
  for (auto element : array) {
    const std::size_t number = events_.size() + 1;
    simdjson::ondemand::value value;
    if (const auto code = element.get(value)) return at_line(json_error(code), number);
    if (events_.size() == limits::kMaxBatchEvents) return at_line(too_many(), number);
    simdjson::ondemand::object object;
    if (const auto code = value.get_object().get(object)) {
      if (code != simdjson::INCORRECT_TYPE) return at_line(json_error(code), number);
      return at_line(no_object(value), number);
    }
    if (auto error = read_one(object, defaults)) return at_line(*std::move(error), number);
  }
  if (events_.empty()) return body_error("has no events");
  return std::nullopt;
}

std::optional<InputError> PublishBodyReader::Reader::read_json(std::string_view body,
                                                               const EventView& defaults) {
  events_.clear();
  arena_.reset(body.size());
  const std::string_view text = trim(body, kJsonSpace);
  const auto behind = static_cast<std::size_t>(body.data() + body.size() - text.data()) -
                      (text.empty() ? 0 : text.size());
  if (text.empty()) return body_error("is empty");
  simdjson::ondemand::document document;
  if (const auto code = start(text, behind, document)) return json_error(code);
  std::optional<InputError> error;
  if (text.front() == '{') {
    simdjson::ondemand::object object;
    if (const auto code = document.get_object().get(object)) return json_error(code);
    error = read_one(object, defaults);
  } else if (text.front() == '[') {
    error = read_array(document, defaults);
  } else {
    return body_error("must be a JSON object or an array of objects");
  }
  if (error) return error;
  if (!at_end(document)) return json_error(simdjson::TRAILING_CONTENT);
  return std::nullopt;
}

std::optional<InputError> PublishBodyReader::Reader::read_line(std::string_view text,
                                                               std::size_t behind,
                                                               const EventView& defaults) {
  if (events_.size() == limits::kMaxBatchEvents) return too_many();
  TOCSIN_ASSERT(!text.empty());
  if (text.front() != '{') return body_error("must be a JSON object on each line");
  simdjson::ondemand::document document;
  if (const auto code = start(text, behind, document)) return json_error(code);
  simdjson::ondemand::object object;
  if (const auto code = document.get_object().get(object)) return json_error(code);
  if (auto error = read_one(object, defaults)) return error;
  if (!at_end(document)) return json_error(simdjson::TRAILING_CONTENT);
  return std::nullopt;
}

std::optional<InputError> PublishBodyReader::Reader::read_ndjson(std::string_view body,
                                                                 const EventView& defaults) {
  events_.clear();
  arena_.reset(body.size());
  std::size_t number = 0;
  while (!body.empty()) {
    ++number;
    const std::string_view line = body.substr(0, body.find('\n'));
    body.remove_prefix(std::min(line.size() + 1, body.size()));
    const std::string_view text = trim(line, kJsonSpace);
    if (text.empty()) continue;
    if (auto error = read_line(text, body.size(), defaults)) {
      return at_line(*std::move(error), number);
    }
  }
  if (events_.empty()) return body_error("has no events");
  return std::nullopt;
}

PublishBodyReader::PublishBodyReader() : reader_(std::make_unique<Reader>()) {}

PublishBodyReader::~PublishBodyReader() = default;

std::expected<const std::vector<EventView>*, InputError> PublishBodyReader::read(
    std::string_view body, BodyForm form, const EventView& defaults, const MemberNames& names) {
  std::optional<InputError> error;
  reader_->set_names(names);
  if (form == BodyForm::text) {
    error = reader_->read_text(body, defaults);
  } else {
    if (body.starts_with(kByteOrderMark)) body.remove_prefix(kByteOrderMark.size());
    error = form == BodyForm::json ? reader_->read_json(body, defaults)
                                   : reader_->read_ndjson(body, defaults);
  }
  if (error) return std::unexpected(*std::move(error));
  TOCSIN_ASSERT(!reader_->events().empty() && reader_->events().size() <= limits::kMaxBatchEvents);
  return &reader_->events();
}

}  // namespace tocsin::proto
