#include "proto/json/json_value.h"

#include <algorithm>
#include <string>
#include <utility>

#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::proto {

namespace {

using simdjson::ondemand::json_type;
using simdjson::ondemand::value;

constexpr std::string_view kSpace = " \t\r\n";  // RFC 8259, 2

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

}  // namespace

bool is_integer(std::string_view text) {
  return skip_integer(text) && text.empty();
}

std::string_view token_of(value& v) {
  std::string_view token = v.raw_json_token();
  while (!token.empty() && kSpace.contains(token.back())) {
    token.remove_suffix(1);
  }
  return token;
}

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

MaybeError validate(value v, std::size_t depth) {
  TOCSIN_ASSERT(depth > 0);
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

bool append_collection(std::string& out, std::string_view text) {
  const std::size_t start = text.find_first_not_of(kSpace);
  if (start == std::string_view::npos || (text[start] != '{' && text[start] != '[')) return false;
  const simdjson::padded_string padded(text);
  simdjson::ondemand::parser parser;
  simdjson::ondemand::document document;
  value root;
  if (parser.iterate(padded).get(document) || document.get_value().get(root)) return false;
  // Nothing may follow (simdjson does not look there by itself).
  if (validate(root, 1)) return false;
  if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) return false;
  const std::size_t before = out.size();
  out.resize(before + text.size() + simdjson::SIMDJSON_PADDING);  // it writes in whole vectors
  std::size_t size = 0;
  const auto code = simdjson::minify(padded.data(), padded.size(), out.data() + before, size);
  TOCSIN_ASSERT(code == simdjson::SUCCESS);
  out.resize(before + size);
  return true;
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

}  // namespace tocsin::proto
