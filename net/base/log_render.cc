#include "net/base/log_render.h"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include <fmt/format.h>

#include "proto/assert.h"
#include "proto/json/json_text.h"
#include "proto/text/utf8.h"

namespace tocsin::net::log {
namespace {

// JSON's escapes, which readers of logfmt know too. C1 controls are escaped as well:
// some terminals obey them.
void append_escaped(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = proto::utf8_length(text);
    const unsigned second = length == 2 ? static_cast<unsigned char>(text[1]) : 0U;
    if (length == 0) {
      out += proto::kReplacement;
    } else if (length == 1) {
      proto::append_json_char(out, text[0]);
    } else if (text[0] == '\xC2' && second < 0xA0) {
      proto::append_json_escape(out, static_cast<unsigned char>(second));
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, text);
  out += '"';
}

[[nodiscard]] bool is_bare_word(std::string_view text) {
  if (text.empty()) {
    return false;
  }
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte >= 0x7F || c == '"' || c == '=' || c == '\\') {
      return false;
    }
  }
  return true;
}

void append_word(std::string& out, std::string_view text) {
  if (is_bare_word(text)) {
    out += text;
  } else {
    append_quoted(out, text);
  }
}

void append_value(std::string& out, const Value& value, bool json) {
  std::visit(
      [&]<typename T>(const T& v) {
        if constexpr (std::is_same_v<T, std::string_view>) {
          json ? append_quoted(out, v) : append_word(out, v);
        } else if constexpr (std::is_same_v<T, double>) {
          // JSON has no infinity and no NaN.
          if (json && !std::isfinite(v)) {
            out += "null";
          } else {
            fmt::format_to(std::back_inserter(out), "{:.6g}", v);
          }
        } else {
          fmt::format_to(std::back_inserter(out), "{}", v);
        }
      },
      value);
}

[[nodiscard]] std::string_view colour_of(LogLevel level) {
  constexpr std::array<std::string_view, 5> kColours{"\x1b[2m", "\x1b[36m", "\x1b[32m", "\x1b[33m",
                                                     "\x1b[31m"};
  return kColours.at(static_cast<std::size_t>(level));
}

}  // namespace

std::string_view name_of(LogLevel level) {
  constexpr std::array<std::string_view, 5> kNames{"trace", "debug", "info", "warning", "error"};
  return kNames.at(static_cast<std::size_t>(level));
}

std::string render(LogFormat format, LogLevel level, bool colour, std::string_view message,
                   std::span<const Field> fields) {
  TOCSIN_ASSERT(format != LogFormat::automatic);  // somebody has to have chosen by now
  const bool json = format == LogFormat::json;
  std::string out;
  if (json) {
    out += "\"msg\":";
    append_quoted(out, message);
  } else if (format == LogFormat::logfmt) {
    out += "msg=";
    append_word(out, message);
  } else {
    fmt::format_to(std::back_inserter(out), "{}{:<7}{} ", colour ? colour_of(level) : "",
                   name_of(level), colour ? "\x1b[0m" : "");
    append_escaped(out, message);
  }
  for (const Field& field : fields) {
    if (json) {
      out += ',';
      append_quoted(out, field.key);
      out += ':';
    } else {
      out += ' ';
      out += field.key;
      out += '=';
    }
    append_value(out, field.value, json);
  }
  return out;
}

}  // namespace tocsin::net::log
