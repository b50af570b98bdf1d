// Patterns of topics' names: URI Templates (RFC 6570) and the simple part of URL Patterns (WHATWG),
// compiled to a list of elements that are matched one after another.
//
// Matching a topic of n bytes takes at most n steps for each element, whatever the pattern: the
// places where an element can end are one set, which the next one begins with. Nothing is tried
// twice, nothing is allocated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin::net {

// Immutable. Owns its strings.
class TopicPattern {
 public:
  // Expressions of a template, variables of an expression: enough for any that people write.
  static constexpr std::size_t kMaxExpressions = 16;
  static constexpr std::size_t kMaxVariables = 16;

  // A template as Mercure 0.x matches it (yosida95/uritemplate, Regexp): all levels of RFC 6570; an
  // expression may be empty, also where its variables are; of a variable its name, and of a prefix
  // its length are not looked at. The error says in words what is wrong with it.
  [[nodiscard]] static std::expected<TopicPattern, std::string> uri_template(std::string_view text);

  // A URL Pattern as Mercure 1.0 matches it, of the form scheme://host[:port]/path, where the path
  // may have `:name` (within a segment, not empty) and `*` (anything); query and fragment are free.
  // Anything else of URL Patterns (groups, modifiers, regular expressions, patterns of a host or a
  // query) is refused. A topic matches byte for byte: one that a URL parser would write otherwise
  // matches nothing.
  [[nodiscard]] static std::expected<TopicPattern, std::string> url_pattern(std::string_view text);

  // `topic`: at most limits::kMaxTopicName bytes, else false. `steps`: those that it takes at most
  // are added.
  [[nodiscard]] bool matches(std::string_view topic, std::size_t* steps = nullptr) const;

  // Bytes of memory, about.
  [[nodiscard]] std::size_t memory() const;

 private:
  enum class Class : std::uint8_t {
    // RFC 6570, 3.2.1; with '%' and two hexadecimal digits in each.
    unreserved,         // and ','
    unreserved_equals,  // and ',' and '='
    reserved,           // and what is unreserved
    // Of a URL.
    segment,  // all but '/', '?' and '#'
    path,     // all but '?' and '#'
    query,    // all but '#'
    any,
  };
  static constexpr std::uint8_t kUnlimited = 0xFF;
  // One of two: a text as it is, or an expression: `first`, then characters in parts with
  // `separator` between.
  struct Element {
    std::string literal{};           // empty: an expression
    Class chars = Class::any;        // of the first part
    Class later_chars = Class::any;  // of the parts behind separators
    bool may_be_empty = true;        // without a character
    bool may_be_missing = false;     // with its `first`
    char first = 0;                  // 0: none
    char separator = 0;
    std::uint8_t max_separators = 0;  // or kUnlimited
  };
  struct Places;
  friend class TemplateParser;
  friend class UrlPatternParser;

  TopicPattern() = default;
  void add_literal(std::string_view text);
  static bool has(Class chars, char c);
  // Whether a URL parser would make another URL of it: '.' and '..' as segments, '\\' for '/'.
  static bool is_rewritten(std::string_view url);
  static void step_literal(std::string_view text, std::string_view topic, Places& places);
  static void step_expression(const Element& element, std::string_view topic, Places& places);

  std::vector<Element> elements_;
  bool canonical_url_ = false;  // a topic with dot segments or backslashes is another URL
};

}  // namespace tocsin::net
