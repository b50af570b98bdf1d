#include "net/auth/topic_pattern.h"

#include <algorithm>
#include <array>

#include "proto/text/ascii.h"
#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {
namespace {

constexpr std::uint8_t kNever = 0xFF;

using proto::is_hex;
using proto::is_unreserved;

}  // namespace

// Places in a topic, 0 to its size: with how many separators at least each is reached, or kNever.
struct TopicPattern::Places {
  explicit Places(std::size_t topic_size) { std::fill_n(reached.begin(), topic_size + 1, kNever); }
  [[nodiscard]] bool has(std::size_t place) const { return reached[place] != kNever; }
  void reach(std::size_t place, std::uint8_t separators = 0) {
    reached[place] = std::min(reached[place], separators);
  }

  std::array<std::uint8_t, limits::kMaxTopicName + 1> reached;  // set up to the topic's size
};

bool TopicPattern::is_rewritten(std::string_view url) {
  if (url.contains('\\') || url.contains("%2e") || url.contains("%2E")) return true;
  for (std::size_t at = url.find("/."); at != url.npos; at = url.find("/.", at + 1)) {
    std::string_view rest = url.substr(at + 2);
    if (rest.starts_with('.')) rest.remove_prefix(1);
    if (rest.empty() || rest[0] == '/' || rest[0] == '?' || rest[0] == '#') return true;
  }
  return false;
}

bool TopicPattern::has(Class chars, char c) {
  switch (chars) {
    case Class::unreserved:
      return is_unreserved(c) || c == ',';
    case Class::unreserved_equals:
      return is_unreserved(c) || c == ',' || c == '=';
    case Class::reserved:
      return is_unreserved(c) || std::string_view("!#$&'()*+,/:;=?@[]").contains(c);
    case Class::segment:
      return c != '/' && c != '?' && c != '#';
    case Class::path:
      return c != '?' && c != '#';
    case Class::query:
      return c != '#';
    case Class::any:
      break;
  }
  return true;
}

void TopicPattern::add_literal(std::string_view text) {
  if (text.empty()) return;
  elements_.push_back({.literal = std::string(text)});
}

// Both turn the places where an element may begin into those where it may end.
void TopicPattern::step_literal(std::string_view text, std::string_view topic, Places& places) {
  Places ends(topic.size());
  for (std::size_t at = 0; at + text.size() <= topic.size(); ++at) {
    if (places.has(at) && topic.substr(at).starts_with(text)) ends.reach(at + text.size());
  }
  places = ends;
}

void TopicPattern::step_expression(const Element& element, std::string_view topic, Places& places) {
  const std::size_t size = topic.size();
  Places ends(size);
  // Where a character may stand: in the first part, and in those behind separators.
  std::array<Places, 2> parts = {Places(size), Places(size)};
  const auto next = [&](std::size_t at, std::size_t part) {
    const std::uint8_t separators = parts[part].reached[at];
    if (element.may_be_empty) ends.reach(at);
    if (at == size) return;
    const char c = topic[at];
    const Class chars = part == 0 ? element.chars : element.later_chars;
    if (has(chars, c)) {
      parts[part].reach(at + 1, separators);
      ends.reach(at + 1);
    }
    if (chars <= Class::reserved && c == '%' && at + 2 < size && is_hex(topic[at + 1]) &&
        is_hex(topic[at + 2])) {
      parts[part].reach(at + 3, separators);
      ends.reach(at + 3);
    }
    if (c != element.separator || separators == element.max_separators) return;
    const bool counts = element.max_separators != kUnlimited;
    parts[1].reach(at + 1, static_cast<std::uint8_t>(separators + (counts ? 1 : 0)));
  };
  for (std::size_t at = 0; at <= size; ++at) {
    if (places.has(at)) {
      if (element.may_be_missing) ends.reach(at);
      if (element.first == 0) parts[0].reach(at);
      if (element.first != 0 && at < size && topic[at] == element.first) parts[0].reach(at + 1);
    }
    for (std::size_t part = 0; part < parts.size(); ++part) {
      if (parts[part].has(at)) next(at, part);
    }
  }
  places = ends;
}

bool TopicPattern::matches(std::string_view topic, std::size_t* steps) const {
  if (topic.size() > limits::kMaxTopicName) return false;
  if (canonical_url_ && is_rewritten(topic)) return false;
  auto element = elements_.begin();
  std::size_t begin = 0;
  // Most patterns begin with a text that most topics do not.
  if (element != elements_.end() && !element->literal.empty()) {
    if (!topic.starts_with(element->literal)) return false;
    begin = element->literal.size();
    ++element;
  }
  if (steps != nullptr) {
    *steps += static_cast<std::size_t>(elements_.end() - element) * (topic.size() + 1);
  }
  Places places(topic.size());
  places.reach(begin);
  for (; element != elements_.end(); ++element) {
    if (element->literal.empty()) {
      step_expression(*element, topic, places);
    } else {
      step_literal(element->literal, topic, places);
    }
  }
  return places.has(topic.size());
}

std::size_t TopicPattern::memory() const {
  std::size_t bytes = elements_.capacity() * sizeof(Element);
  for (const Element& element : elements_) bytes += element.literal.size();
  return bytes;
}

}  // namespace tocsin::net
