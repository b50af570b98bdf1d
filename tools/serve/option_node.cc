#include "tools/serve/option_node.h"

#include <optional>
#include <vector>

#include <fmt/format.h>

#include "proto/assert.h"

namespace tocsin::tools {
namespace {

// The text of a scalar as a flag would have it; nothing if the type does not fit the option.
[[nodiscard]] std::optional<std::string> scalar_text(const Option& option, const toml::node& node) {
  const bool is_flag = std::holds_alternative<FlagMember>(option.member);
  const bool is_number = std::holds_alternative<NumberMember>(option.member) ||
                         std::holds_alternative<TimeMember>(option.member) ||
                         std::holds_alternative<SizeMember>(option.member);
  if (const auto* flag = node.as_boolean()) {
    return is_flag ? std::optional(flag->get() ? std::string("true") : "false") : std::nullopt;
  }
  if (const auto* number = node.as_integer()) {
    return is_number ? std::optional(fmt::format("{}", number->get())) : std::nullopt;
  }
  // A count in quotes is a mistake; a time or size in quotes is the usual form.
  const bool quoted_allowed = !is_flag && !std::holds_alternative<NumberMember>(option.member);
  if (const auto* text = node.as_string()) {
    return quoted_allowed ? std::optional(text->get()) : std::nullopt;
  }
  return std::nullopt;
}

[[nodiscard]] std::optional<std::vector<std::string>> node_texts(const Option& option,
                                                                 const toml::node& node) {
  if (!std::holds_alternative<ListMember>(option.member)) {
    const auto text = scalar_text(option, node);
    return text ? std::optional(std::vector{*text}) : std::nullopt;
  }
  const auto* array = node.as_array();
  if (array == nullptr) {
    return std::nullopt;
  }
  std::vector<std::string> texts;
  for (const toml::node& element : *array) {
    const auto* text = element.as_string();
    if (text == nullptr) {
      return std::nullopt;
    }
    texts.push_back(text->get());
  }
  return texts;
}

[[nodiscard]] std::string_view type_wanted(const Option& option) {
  if (std::holds_alternative<ListMember>(option.member)) {
    return "must be an array of strings";
  }
  if (std::holds_alternative<FlagMember>(option.member)) {
    return "must be true or false";
  }
  if (std::holds_alternative<NumberMember>(option.member)) {
    return "must be a whole number";
  }
  return std::holds_alternative<ChoiceMember>(option.member) ||
                 std::holds_alternative<TextMember>(option.member)
             ? "must be a string"
             : "must be a string such as \"15s\" or \"64KiB\", or a whole number";
}

}  // namespace

std::expected<void, std::string> set_from_node(ServerOptions& options, const Option& option,
                                               const toml::node& node) {
  TOCSIN_ASSERT(!std::holds_alternative<TopicsMember>(option.member));
  const auto texts = node_texts(option, node);
  if (!texts) return std::unexpected(std::string(type_wanted(option)));
  return set_option(options, option, *texts);
}

}  // namespace tocsin::tools
