#include "proto/json/json_text.h"

#include "proto/assert.h"
#include "proto/text/ascii.h"
#include "proto/text/utf8.h"

namespace tocsin::proto {

void append_json_string(std::string& out, std::string_view text) {
  const bool valid = is_utf8(text);
  out += '"';
  for (const char c : text) {
    if (is_ascii(c)) {
      append_json_char(out, c);
    } else if (valid) {
      out += c;
    } else {
      out += kReplacement;
    }
  }
  out += '"';
}

void append_json_char(std::string& out, char c) {
  TOCSIN_DEBUG_ASSERT(is_ascii(c));
  const auto byte = static_cast<unsigned char>(c);
  if (c == '"' || c == '\\') {
    out += '\\';
    out += c;
  } else if (c == '\n') {
    out += "\\n";
  } else if (c == '\r') {
    out += "\\r";
  } else if (c == '\t') {
    out += "\\t";
  } else if (byte < 0x20 || byte == 0x7F) {
    append_json_escape(out, byte);
  } else {
    out += c;
  }
}

void append_json_escape(std::string& out, unsigned char code_point) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += "\\u00";
  out += kHex[code_point >> 4];
  out += kHex[code_point & 0xF];
}

}  // namespace tocsin::proto
