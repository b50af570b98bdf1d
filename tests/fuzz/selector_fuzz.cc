// Selectors: any text is one or is refused. A template matches what Mercure's regular expression
// does; a name and a prefix are what they look like. Input: a byte for the size of the selector,
// the selector, then a topic.
#include <cstdint>
#include <string>
#include <string_view>

#include "net/auth/selectors.h"
#include "proto/sse/event.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/net/support/template_oracle.h"

namespace {

using namespace tocsin::net;
using tocsin::fuzz::require;

// The oracle takes exponential time.
constexpr std::size_t kMaxOracle = 14;

void check_template(std::string_view text, std::string_view topic) {
  const auto pattern = TopicPattern::uri_template(text);
  if (!pattern) return require(!pattern.error().empty(), "a reason says something");
  const bool matched = pattern->matches(topic);
  if (text.size() > 40 || topic.size() > kMaxOracle) return;
  require(matched == TemplateOracle(text).matches(topic), "a template as its expression");
}

bool selects(SelectorForm form, std::string_view text, std::string_view topic) {
  Selectors selectors;
  const auto added = selectors.add(form, text);
  require(added.has_value() != selectors.empty(), "added or not");
  require(added || !tocsin::proto::is_topic_name(text) || form == SelectorForm::tocsin ||
              form == SelectorForm::url_pattern,
          "any name is one");
  return added && selectors.match(topic);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tocsin::fuzz::Input input(data, size);
  const std::size_t text_size = input.take_byte();
  const std::string_view text = input.take(text_size);
  const std::string_view topic = input.rest();
  check_template(text, topic);
  const bool is_name = tocsin::proto::is_topic_name(text);
  require(selects(SelectorForm::name, text, topic) == (is_name && text == topic), "a name");
  require(selects(SelectorForm::exact, text, topic) == (is_name && (text == "*" || text == topic)),
          "an exact one");
  if (is_name) require(selects(SelectorForm::mercure, text, text), "everything selects itself");
  if (is_name && !text.contains('{')) {
    const bool prefix = text.ends_with('*');
    const std::string_view start = text.substr(0, text.size() - (prefix ? 1 : 0));
    require(selects(SelectorForm::tocsin, text, topic) ==
                (prefix ? topic.starts_with(start) : topic == text),
            "a name or a prefix");
  }
  if (selects(SelectorForm::url_pattern, text, topic) && text != "*") {
    require(topic == text || topic.starts_with("http"), "a URL");
  }
  return 0;
}
