#include "net/auth/selectors.h"

#include <algorithm>
#include <utility>

#include "net/auth/denial.h"
#include "proto/sse/event.h"

namespace tocsin::net {

Selectors Selectors::all() {
  Selectors selectors;
  selectors.selectors_.push_back({.text = "*", .kind = All{}});
  return selectors;
}

std::expected<void, std::string> Selectors::add(SelectorForm form, std::string_view text) {
  if (selectors_.size() == kMax) {
    return std::unexpected("there are more than " + std::to_string(kMax) + " selectors");
  }
  if (!proto::is_topic_name(text)) {
    return std::unexpected("the selector " + shown(text) + " could be no topic's name");
  }
  auto kind = kind_of(form, text);
  if (!kind) return std::unexpected("the selector " + shown(text) + ' ' + kind.error());
  std::string kept(text);
  if (std::holds_alternative<Prefix>(*kind)) kept.pop_back();  // the '*'
  selectors_.push_back({.text = std::move(kept), .kind = *std::move(kind)});
  return {};
}

std::expected<Selectors::Kind, std::string> Selectors::kind_of(SelectorForm form,
                                                               std::string_view text) {
  if (form == SelectorForm::name) return Exact{};
  if (text == "*") return All{};
  if (form == SelectorForm::exact) return Exact{};
  if (form == SelectorForm::url_pattern) return TopicPattern::url_pattern(text);
  if (text.contains('{')) {
    auto pattern = TopicPattern::uri_template(text);
    if (!pattern && form == SelectorForm::mercure) return Exact{};
    return pattern;
  }
  if (form == SelectorForm::tocsin && text.ends_with('*')) return Prefix{};
  return Exact{};
}

bool Selectors::add_all(const Selectors& other) {
  if (selectors_.size() + other.selectors_.size() > kMax) return false;
  selectors_.insert(selectors_.end(), other.selectors_.begin(), other.selectors_.end());
  return true;
}

bool Selectors::has_patterns() const {
  return std::ranges::any_of(selectors_, [](const Selector& selector) {
    return std::holds_alternative<TopicPattern>(selector.kind);
  });
}

bool Selectors::match(std::string_view topic, std::size_t* steps) const {
  return std::ranges::any_of(selectors_, [topic, steps](const Selector& selector) {
    if (std::holds_alternative<Prefix>(selector.kind)) return topic.starts_with(selector.text);
    if (std::holds_alternative<All>(selector.kind) || topic == selector.text) return true;
    const auto* pattern = std::get_if<TopicPattern>(&selector.kind);
    return pattern != nullptr && pattern->matches(topic, steps);
  });
}

std::size_t Selectors::memory() const {
  std::size_t bytes = selectors_.capacity() * sizeof(Selector);
  for (const Selector& selector : selectors_) {
    bytes += selector.text.size();
    if (const auto* pattern = std::get_if<TopicPattern>(&selector.kind)) bytes += pattern->memory();
  }
  return bytes;
}

std::string Selectors::words() const {
  constexpr std::size_t kShown = 3;
  if (selectors_.empty()) return "nothing";
  std::string words;
  const std::size_t count = std::min(selectors_.size(), kShown);
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) words += selectors_.size() == count && i + 1 == count ? " and " : ", ";
    words += shown(selectors_[i].text);
    if (std::holds_alternative<Prefix>(selectors_[i].kind)) words += '*';
  }
  if (selectors_.size() > count) {
    words += " and " + std::to_string(selectors_.size() - count) + " more";
  }
  return words;
}

}  // namespace tocsin::net
