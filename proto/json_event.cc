#include "proto/json_event.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::proto {

namespace {

using simdjson::ondemand::json_type;
using simdjson::ondemand::value;

using MaybeError = std::optional<InputError>;

InputError refuse(std::string_view field, std::string message) {
  return {.field = std::string(field), .message = std::move(message)};
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Removes leading digits; returns how many.
std::size_t skip_digits(std::string_view& text) {
  const auto end = std::ranges::find_if_not(text, is_digit);
  const auto count = static_cast<std::size_t>(end - text.begin());
  text.remove_prefix(count);
  return count;
}

bool skip(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// RFC 8259, 6: an optional minus, then 0 or digits that do not begin with 0.
bool skip_integer(std::string_view& text) {
  skip(text, "-");
  if (skip(text, "0")) return true;
  return skip_digits(text) > 0;
}

// simdjson converts numbers and refuses those that do not fit; ours keep their spelling, so only
// the grammar counts.
bool is_number(std::string_view text) {
  if (!skip_integer(text)) return false;
  if (skip(text, ".") && skip_digits(text) == 0) return false;
  if (skip(text, "eE")) {
    skip(text, "+-");
    if (skip_digits(text) == 0) return false;
  }
  return text.empty();
}

bool is_integer(std::string_view text) {
  return skip_integer(text) && text.empty();
}

// A scalar's token without the white space behind it.
std::string_view token_of(value& v) {
  std::string_view token = v.raw_json_token();
  while (!token.empty() && std::string_view(" \t\r\n").contains(token.back())) {
    token.remove_suffix(1);
  }
  return token;
}

// Consumes a string. `out` is its text in the JSON where nothing is escaped, else simdjson's copy.
MaybeError read_raw_string(value& v, std::string_view& out) {
  const std::string_view token = token_of(v);
  if (token.size() < 2 || token.back() != '"') return json_error(simdjson::STRING_ERROR);
  if (token.find('\\') == std::string_view::npos) {
    // The first pass over the text has found its end and checked its characters.
    simdjson::ondemand::raw_json_string raw;
    if (const auto code = v.get_raw_json_string().get(raw)) return json_error(code);
    out = token.substr(1, token.size() - 2);
    return std::nullopt;
  }
  if (const auto code = v.get_string().get(out)) {
    if (code == simdjson::STRING_ERROR) {
      return refuse("body", "not valid JSON: bad escape or unpaired surrogate in a string");
    }
    return json_error(code);
  }
  return std::nullopt;
}

MaybeError validate(value v, std::size_t depth);

MaybeError validate_array(value& v, std::size_t depth) {
  simdjson::ondemand::array array;
  if (const auto code = v.get_array().get(array)) return json_error(code);
  for (auto element : array) {
    value child;
    if (const auto code = element.get(child)) return json_error(code);
    if (auto error = validate(child, depth + 1)) return error;
  }
  return std::nullopt;
}

MaybeError validate_object(value& v, std::size_t depth) {
  simdjson::ondemand::object object;
  if (const auto code = v.get_object().get(object)) return json_error(code);
  for (auto member : object) {
    std::string_view key;
    if (const auto code = member.unescaped_key().get(key)) return json_error(code);
    value child;
    if (const auto code = member.value().get(child)) return json_error(code);
    if (auto error = validate(child, depth + 1)) return error;
  }
  return std::nullopt;
}

// Walks a value of any type to its end.
MaybeError validate(value v, std::size_t depth) {
  if (depth > limits::kMaxJsonDepth) {
    return refuse("data", "is nested deeper than " + std::to_string(limits::kMaxJsonDepth));
  }
  json_type type;
  if (const auto code = v.type().get(type)) return json_error(code);
  switch (type) {
    case json_type::array:
      return validate_array(v, depth);
    case json_type::object:
      return validate_object(v, depth);
    case json_type::string: {
      std::string_view text;
      return read_raw_string(v, text);
    }
    case json_type::number:
      if (!is_number(token_of(v))) return json_error(simdjson::NUMBER_ERROR);
      break;
    case json_type::boolean: {
      bool ignored = false;
      if (const auto code = v.get_bool().get(ignored)) return json_error(code);
      break;
    }
    case json_type::null: {
      bool null = false;
      if (const auto code = v.is_null().get(null)) return json_error(code);
      if (!null) return json_error(simdjson::N_ATOM_ERROR);
      break;
    }
  }
  return std::nullopt;
}

// The members of an event object, in the order of kFieldNames.
enum class Member : std::uint8_t { topic, type, id, retry, data };
constexpr std::string_view kFieldNames[] = {"topic", "type", "id", "retry", "data"};

struct Spelling {
  std::string_view key;
  Member member;
};

constexpr Spelling kSpellings[] = {
    {"data", Member::data},   {"type", Member::type}, {"event", Member::type},
    {"topic", Member::topic}, {"id", Member::id},     {"stream", Member::topic},
    {"retry", Member::retry},
};

class ObjectReader {
 public:
  ObjectReader(ValueArena& arena, EventView& event) : arena_(arena), event_(event) {}

  MaybeError read_member(simdjson::ondemand::field& field) {
    Member member{};
    if (auto error = read_key(field, member)) return error;
    const auto bit = static_cast<std::uint8_t>(1U << std::to_underlying(member));
    const std::string_view name = kFieldNames[std::to_underlying(member)];
    if ((seen_ & bit) != 0) return refuse(name, "is given twice");
    seen_ |= bit;
    json_type type;
    if (const auto code = field.value().type().get(type)) return json_error(code);
    switch (member) {
      case Member::topic:
        return read_topic(field.value(), type);
      case Member::type:
        return read_string(field.value(), type, name, event_.type);
      case Member::id:
        return read_id(field.value(), type);
      case Member::retry:
        return read_retry(field.value(), type);
      case Member::data:
        return read_data(field.value(), type);
    }
    return std::nullopt;
  }

 private:
  MaybeError read_key(simdjson::ondemand::field& field, Member& member) {
    for (const auto& spelling : kSpellings) {
      if (field.key().unsafe_is_equal(spelling.key)) {
        member = spelling.member;
        return std::nullopt;
      }
    }
    // Perhaps one spelled with escapes.
    std::string_view key;
    if (const auto code = field.unescaped_key().get(key)) return json_error(code);
    for (const auto& spelling : kSpellings) {
      if (key == spelling.key) {
        member = spelling.member;
        return std::nullopt;
      }
    }
    constexpr std::size_t kMaxNamed = 64;
    return refuse(key.empty() || key.size() > kMaxNamed ? "body" : key, "unknown key");
  }

  MaybeError read_text(value& v, std::string_view& out) {
    const std::string_view token = v.raw_json_token();
    if (auto error = read_raw_string(v, out)) return error;
    // simdjson's copy lives only until the next document.
    if (!out.empty() && (out.data() < token.data() || out.data() >= token.data() + token.size())) {
      out = arena_.copy(out);
    }
    return std::nullopt;
  }

  MaybeError read_string(value& v, json_type type, std::string_view name, std::string_view& out) {
    if (type != json_type::string) return refuse(name, "must be a string");
    return read_text(v, out);
  }

  MaybeError read_topic(value& v, json_type type) {
    if (auto error = read_string(v, type, "topic", event_.topic)) return error;
    // Not the default one: who names a topic means one.
    if (event_.topic.empty()) return refuse("topic", "is empty");
    return std::nullopt;
  }

  MaybeError read_id(value& v, json_type type) {
    if (type == json_type::string) return read_text(v, event_.id);
    const std::string_view token = token_of(v);
    if (type != json_type::number || !is_integer(token)) {
      return refuse("id", "must be a string or an integer");
    }
    event_.id = token;
    return std::nullopt;
  }

  MaybeError read_retry(value& v, json_type type) {
    std::string_view digits;
    if (type == json_type::string) {
      if (auto error = read_raw_string(v, digits)) return error;
    } else if (type == json_type::number && is_integer(token_of(v))) {
      digits = token_of(v);
    }
    std::uint32_t retry_ms = 0;
    const char* end = digits.data() + digits.size();
    const auto [stop, code] = std::from_chars(digits.data(), end, retry_ms);
    if (code != std::errc{} || stop != end || retry_ms > limits::kMaxRetryMs) {
      return refuse("retry", "must be an integer from 0 to " + std::to_string(limits::kMaxRetryMs));
    }
    event_.retry_ms = retry_ms;
    return std::nullopt;
  }

  MaybeError read_data(value& v, json_type type) {
    if (type == json_type::string) return read_text(v, event_.data);
    const char* start = v.raw_json_token().data();
    if (type != json_type::object && type != json_type::array) {
      event_.data = token_of(v);
      return validate(v, 1);
    }
    if (auto error = validate(v, 1)) return error;
    // The next token, up to which there is only white space: the text has more, namely the end of
    // the event object.
    const char* end = nullptr;
    if (const auto code = v.current_location().get(end)) return json_error(code);
    // simdjson takes what stands behind an unclosed text for its closing bracket, twice at most,
    // and then begins again at the front.
    if (end < start) return json_error(simdjson::TAPE_ERROR);
    event_.data = arena_.compact({start, static_cast<std::size_t>(end - start)});
    return std::nullopt;
  }

  ValueArena& arena_;
  EventView& event_;
  std::uint8_t seen_ = 0;  // bit per Member
};

}  // namespace

void ValueArena::reset(std::size_t body_size) {
  used_ = 0;
  // minify() writes in whole vectors.
  const std::size_t needed = body_size + simdjson::SIMDJSON_PADDING;
  if (needed <= capacity_) return;
  bytes_ = std::make_unique_for_overwrite<char[]>(needed);
  capacity_ = needed;
}

std::string_view ValueArena::copy(std::string_view text) {
  TOCSIN_ASSERT(used_ + text.size() <= capacity_);
  char* out = bytes_.get() + used_;
  std::memcpy(out, text.data(), text.size());
  used_ += text.size();
  return {out, text.size()};
}

std::string_view ValueArena::compact(std::string_view json) {
  TOCSIN_ASSERT(used_ + json.size() <= capacity_);
  char* out = bytes_.get() + used_;
  std::size_t size = 0;
  const auto code = simdjson::minify(json.data(), json.size(), out, size);
  TOCSIN_ASSERT(code == simdjson::SUCCESS);
  used_ += size;
  return {out, size};
}

InputError json_error(simdjson::error_code code) {
  switch (code) {
    case simdjson::UTF8_ERROR:
      return refuse("body", "is not valid UTF-8");
    case simdjson::EMPTY:
      return refuse("body", "is empty");
    case simdjson::UNCLOSED_STRING:
      return refuse("body", "not valid JSON: unclosed string");
    case simdjson::UNESCAPED_CHARS:
      return refuse("body", "not valid JSON: control character in a string");
    case simdjson::STRING_ERROR:
      return refuse("body", "not valid JSON: bad string");
    case simdjson::NUMBER_ERROR:
      return refuse("body", "not valid JSON: bad number");
    case simdjson::TRAILING_CONTENT:
      return refuse("body", "not valid JSON: something follows the value");
    default:
      return refuse("body", "not valid JSON");
  }
}

MaybeError read_json_event(simdjson::ondemand::object& object, ValueArena& arena,
                           EventView& event) {
  ObjectReader reader(arena, event);
  for (auto member : object) {
    simdjson::ondemand::field field;
    if (const auto code = std::move(member).get(field)) return json_error(code);
    if (auto error = reader.read_member(field)) return error;
  }
  return std::nullopt;
}

}  // namespace tocsin::proto
