// What topics somebody may publish to or read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "net/auth/topic_pattern.h"

namespace tocsin::net {

// Who wrote a selector decides how it is read.
enum class SelectorForm : std::uint8_t {
  // Tocsin's: "*" all topics; with a '{' a URI Template; with a '*' at its end a prefix; else a
  // name. A template that is none is an error.
  tocsin,
  // Of a `mercure` claim: "*" all topics; a URI Template, or the name itself. No prefixes, and what
  // is no template is a name.
  mercure,
  // Mercure's `match_type`: "exact" ("*" all topics, else a name) and "urlpattern" ("*" again).
  exact,
  url_pattern,
  // The topics of a request: names, "*" too.
  name,
};

// A list of selectors, in order. Empty: no topic.
class Selectors {
 public:
  // One list's. Thousands in a token are a mistake of its issuer's that every request would pay.
  static constexpr std::size_t kMax = 128;
  // Steps (TopicPattern::matches()) that it may take to find out whether one request's topics are
  // selected: some tens of milliseconds (12 to 46 ns each), in which the shard does nothing else. A
  // topic of 20 bytes takes 42 with a pattern like chat/{room}/{id}. The worst list takes as much
  // for one topic, and then no other is looked at.
  static constexpr std::size_t kMaxSteps = std::size_t{2} * 1024 * 1024;

  Selectors() = default;
  [[nodiscard]] static Selectors all();

  // Adds one. The error says in words what is wrong with it, or that there are too many; the list
  // is as before then. Text: 1 to limits::kMaxTopicName bytes of UTF-8 without control characters.
  [[nodiscard]] std::expected<void, std::string> add(SelectorForm form, std::string_view text);

  // Adds all of `other`, or nothing and says false if these would be too many.
  [[nodiscard]] bool add_all(const Selectors& other);

  // Whether one of them selects `topic`. Takes some 10 ns for each name or prefix. `steps`: those
  // of the patterns are added (TopicPattern::matches()), for whoever asks about many topics.
  [[nodiscard]] bool match(std::string_view topic, std::size_t* steps = nullptr) const;
  // Whether there is a pattern, so that asking about a topic twice may cost something.
  [[nodiscard]] bool has_patterns() const;

  [[nodiscard]] bool empty() const { return selectors_.empty(); }
  [[nodiscard]] std::size_t size() const { return selectors_.size(); }
  // Bytes of memory, about.
  [[nodiscard]] std::size_t memory() const;
  // The first few as they were written, for a reason: "chat/*, news and 3 more"; empty: "nothing".
  [[nodiscard]] std::string words() const;

 private:
  struct All {};
  struct Prefix {};
  struct Exact {};
  using Kind = std::variant<Exact, Prefix, All, TopicPattern>;
  struct Selector {
    std::string text;  // as written, a prefix without its '*'
    Kind kind;         // whichever: a topic of this name is selected
  };
  static std::expected<Kind, std::string> kind_of(SelectorForm form, std::string_view text);

  std::vector<Selector> selectors_;
};

}  // namespace tocsin::net
