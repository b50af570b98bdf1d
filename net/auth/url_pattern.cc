#include <algorithm>
#include <utility>
#include <vector>

#include "net/auth/topic_pattern.h"
#include "proto/text/ascii.h"

namespace tocsin::net {
namespace {

bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || proto::is_digit(c) || c == '.' || c == '-';
}
// What stands in a path as it is, for the pattern and for a URL parser.
bool is_path_char(char c) {
  return proto::is_alpha(c) || proto::is_digit(c) || std::string_view("-._~!$&',;=@%/").contains(c);
}
bool is_name_begin(char c) {
  return proto::is_alpha(c) || c == '_' || c == '$';
}
bool is_name_char(char c) {
  return is_name_begin(c) || proto::is_digit(c);
}

std::size_t span_of(std::string_view text, bool (*is)(char)) {
  return static_cast<std::size_t>(std::ranges::find_if_not(text, is) - text.begin());
}

}  // namespace

class UrlPatternParser {
 public:
  static std::expected<TopicPattern, std::string> parse(std::string_view text) {
    UrlPatternParser parser;
    if (!parser.origin(text) || !parser.path(text)) {
      return std::unexpected(
          "is not a pattern of the form https://host/path with :name and * in "
          "its path, which is all of URL Patterns that the hub knows");
    }
    TopicPattern& pattern = parser.pattern_;
    pattern.elements_.push_back(
        {.chars = TopicPattern::Class::query, .may_be_missing = true, .first = '?'});
    pattern.elements_.push_back({.may_be_missing = true, .first = '#'});
    pattern.canonical_url_ = true;
    if (pattern.elements_.size() > TopicPattern::kMaxExpressions) {
      return std::unexpected("has too many variables");
    }
    return std::move(pattern);
  }

 private:
  // Both take their part off `text`; false if it is none.
  bool origin(std::string_view& text) {
    const bool tls = text.starts_with("https://");
    if (!tls && !text.starts_with("http://")) return false;
    text.remove_prefix(tls ? 8 : 7);
    literal_ = tls ? "https://" : "http://";
    const std::size_t host = span_of(text, is_host_char);
    if (host == 0) return false;
    literal_ += text.substr(0, host);
    text.remove_prefix(host);
    if (!text.starts_with(':')) return true;
    const std::size_t digits = span_of(text.substr(1), proto::is_digit);
    const std::string_view port = text.substr(1, digits);
    if (digits == 0 || digits > 5 || port[0] == '0') return false;
    if (port != (tls ? "443" : "80")) literal_ += text.substr(0, digits + 1);
    text.remove_prefix(digits + 1);
    return true;
  }

  bool path(std::string_view text) {
    if (!text.starts_with('/') || TopicPattern::is_rewritten(text)) return false;
    std::vector<std::string_view> names;
    bool variable = false;  // right before: a character that changes it may not follow
    while (!text.empty()) {
      if (text[0] == '*' && !variable) {
        add({.chars = TopicPattern::Class::path});
        text.remove_prefix(1);
        variable = true;
      } else if (text[0] == ':' && text.size() > 1 && is_name_begin(text[1])) {
        const std::string_view name = text.substr(1, span_of(text.substr(1), is_name_char));
        if (std::ranges::find(names, name) != names.end()) return false;
        names.push_back(name);
        add({.chars = TopicPattern::Class::segment, .may_be_empty = false});
        text.remove_prefix(name.size() + 1);
        variable = true;
      } else if (is_path_char(text[0])) {
        literal_ += text[0];
        text.remove_prefix(1);
        variable = false;
      } else {
        return false;
      }
    }
    flush();
    return true;
  }

  void add(TopicPattern::Element element) {
    flush();
    pattern_.elements_.push_back(std::move(element));
  }
  void flush() {
    pattern_.add_literal(literal_);
    literal_.clear();
  }

  TopicPattern pattern_;
  std::string literal_;  // not in the pattern yet
};

std::expected<TopicPattern, std::string> TopicPattern::url_pattern(std::string_view text) {
  return UrlPatternParser::parse(text);
}

}  // namespace tocsin::net
