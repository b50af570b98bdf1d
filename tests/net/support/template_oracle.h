// What a URI Template matches, as Mercure 0.x has it: the regular expression that
// yosida95/uritemplate makes of it, written down once more and left to std::regex.
#pragma once

#include <algorithm>
#include <regex>
#include <string>
#include <string_view>

namespace tocsin::net {

class TemplateOracle {
 public:
  // `text` is a template.
  explicit TemplateOracle(std::string_view text) {
    std::string pattern;
    while (!text.empty()) {
      const std::size_t open = text.find('{');
      for (const char c : text.substr(0, open)) append_quoted(pattern, c);
      if (open == text.npos) break;
      const std::size_t close = text.find('}');
      append_expression(pattern, text.substr(open + 1, close - open - 1));
      text.remove_prefix(close + 1);
    }
    regex_.assign(pattern, std::regex::ECMAScript);
  }

  // Takes exponential time where expressions are ambiguous: for short topics.
  [[nodiscard]] bool matches(std::string_view topic) const {
    return std::regex_match(topic.begin(), topic.end(), regex_);
  }

 private:
  static void append_quoted(std::string& pattern, char c) {
    if (std::string_view("^$\\.*+?()[]{}|/").contains(c)) pattern += '\\';
    pattern += c;
  }

  static std::string part(bool reserved, bool equals) {
    std::string chars = reserved ? R"(!#$&'()*+,\/:;=?@\[\])" : ",";
    if (!reserved && equals) chars += '=';
    return "(?:[" + chars + R"(\-.0-9A-Z_a-z~]|%[0-9A-Fa-f][0-9A-Fa-f])*)";
  }

  static void append_expression(std::string& pattern, std::string_view body) {
    const char op = std::string_view("+#./;?&").contains(body[0]) ? body[0] : ' ';
    if (op != ' ') body.remove_prefix(1);
    const bool named = op == ';' || op == '?' || op == '&';
    const bool reserved = op == '+' || op == '#';
    const char separator = op == '?' ? '&' : named || op == '.' || op == '/' ? op : ',';
    const auto commas = static_cast<std::size_t>(std::ranges::count(body, ','));
    const bool first_explodes = body.substr(0, body.find(',')).ends_with('*');
    const bool any_explodes = body.contains('*');
    pattern += "(?:";
    if (op != ' ' && op != '+') append_quoted(pattern, op);
    pattern += part(reserved, named || first_explodes);
    if (commas > 0 || first_explodes) {
      pattern += "(?:";
      append_quoted(pattern, separator);
      pattern += part(reserved, named || any_explodes) + ")";
      pattern += any_explodes ? "*" : "{0," + std::to_string(commas) + "}";
    }
    pattern += ")?";
  }

  std::regex regex_;
};

}  // namespace tocsin::net
