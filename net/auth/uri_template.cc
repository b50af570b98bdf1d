#include <algorithm>
#include <optional>
#include <utility>

#include "net/auth/topic_pattern.h"
#include "proto/text/ascii.h"

namespace tocsin::net {
namespace {

using proto::is_hex;

bool begins_with_triplet(std::string_view text) {
  return text.size() >= 3 && text[0] == '%' && is_hex(text[1]) && is_hex(text[2]);
}

// RFC 6570, 2.1, with the apostrophe (erratum 6937). What is beyond ASCII is taken as it is.
bool is_literal(char c) {
  return !proto::is_ascii(c) ||
         (c > ' ' && c < '\x7f' && !std::string_view("\"%<>\\^`{|}").contains(c));
}

// 2.3
bool is_variable_name(std::string_view name) {
  bool dot = true;  // one before the next character would be one too many
  while (!name.empty()) {
    if (begins_with_triplet(name)) {
      name.remove_prefix(2);
    } else if (name[0] == '.'
                   ? dot
                   : !proto::is_alpha(name[0]) && !proto::is_digit(name[0]) && name[0] != '_') {
      return false;
    }
    dot = name[0] == '.';
    name.remove_prefix(1);
  }
  return !dot;
}

// 2.4.1: 1 to 9999.
bool is_max_length(std::string_view text) {
  return !text.empty() && text.size() <= 4 && text[0] != '0' &&
         std::ranges::all_of(text, proto::is_digit);
}

}  // namespace

class TemplateParser {
 public:
  using Parsed = std::expected<TopicPattern, std::string>;

  static Parsed parse(std::string_view text) {
    TemplateParser parser;
    while (!text.empty()) {
      const std::size_t open = text.find('{');
      if (auto fault = parser.literal(text.substr(0, open)); !fault.empty()) {
        return std::unexpected(std::move(fault));
      }
      if (open == text.npos) break;
      text.remove_prefix(open + 1);
      const std::size_t close = text.find('}');
      if (close == text.npos) return std::unexpected("has a '{' without a '}'");
      if (auto fault = parser.expression(text.substr(0, close)); !fault.empty()) {
        return std::unexpected(std::move(fault));
      }
      text.remove_prefix(close + 1);
    }
    return std::move(parser.pattern_);
  }

 private:
  using Class = TopicPattern::Class;

  // Each says in words what is wrong; empty: nothing.
  std::string literal(std::string_view text) {
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (!is_literal(text[at]) && !begins_with_triplet(text.substr(at))) {
        return "has a character that must be percent-encoded in a URI Template";
      }
    }
    pattern_.add_literal(text);
    return {};
  }

  std::string expression(std::string_view text) {
    if (++expressions_ > TopicPattern::kMaxExpressions) return "has too many expressions";
    TopicPattern::Element element{.chars = Class::unreserved, .separator = ','};
    bool named = false;
    if (!text.empty() && std::string_view("+#./;?&").contains(text[0])) {
      const char op = text[0];
      text.remove_prefix(1);
      if (op == '+' || op == '#') element.chars = Class::reserved;
      if (op != '+') element.first = op;
      if (op == '.' || op == '/' || op == ';' || op == '&') element.separator = op;
      if (op == '?') element.separator = '&';
      named = op == ';' || op == '?' || op == '&';
    }
    element.may_be_missing = true;
    element.later_chars = element.chars;
    const bool may_have_equals = element.chars == Class::unreserved;
    if (may_have_equals && named) element.chars = element.later_chars = Class::unreserved_equals;
    bool first = true;
    while (true) {
      const std::size_t comma = text.find(',');
      const auto exploded = variable(text.substr(0, comma));
      if (!exploded) return "has an expression that is none of RFC 6570";
      if (*exploded) {
        if (may_have_equals && first) element.chars = Class::unreserved_equals;
        if (may_have_equals) element.later_chars = Class::unreserved_equals;
        element.max_separators = TopicPattern::kUnlimited;
      }
      first = false;
      if (comma == text.npos) break;
      text.remove_prefix(comma + 1);
      if (element.max_separators == TopicPattern::kUnlimited) continue;
      if (++element.max_separators == TopicPattern::kMaxVariables) return "has too many variables";
    }
    pattern_.elements_.push_back(std::move(element));
    return {};
  }

  // Whether it is exploded (`*`); nothing if it is no variable.
  static std::optional<bool> variable(std::string_view text) {
    const bool exploded = text.ends_with('*');
    if (exploded) text.remove_suffix(1);
    const std::size_t colon = text.find(':');
    if (colon != text.npos) {
      if (exploded || !is_max_length(text.substr(colon + 1))) return std::nullopt;
      text = text.substr(0, colon);
    }
    if (!is_variable_name(text)) return std::nullopt;
    return exploded;
  }

  TopicPattern pattern_;
  std::size_t expressions_ = 0;
};

std::expected<TopicPattern, std::string> TopicPattern::uri_template(std::string_view text) {
  return TemplateParser::parse(text);
}

}  // namespace tocsin::net
