// What can be done with one option of the table, by the kind of its member.
#include <cstddef>
#include <type_traits>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "net/http/option_value.h"
#include "tools/serve/option_table.h"
#include "tools/serve/topic_namespaces.h"

namespace tocsin::tools {
namespace {

template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

using SetResult = std::expected<void, std::string>;
using Print = std::string (*)(std::uint64_t);

[[nodiscard]] std::string plain(std::uint64_t number) {
  return fmt::format("{}", number);
}

[[nodiscard]] bool is_inside(std::uint64_t value, const ValueRange& range) {
  return (value >= range.least && value <= range.most) || (value == 0 && range.zero_allowed);
}

[[nodiscard]] std::string toml_list(std::span<const std::string> list) {
  std::vector<std::string> elements;
  for (const std::string& element : list) elements.push_back(toml_string(element));
  return fmt::format("[{}]", fmt::join(elements, ", "));
}

// `what`: of which kind values are, with a blank behind it.
[[nodiscard]] std::string range_text(std::string_view what, const ValueRange& range, Print print) {
  return fmt::format("must be {}{}from {} to {}",
                     range.zero_allowed && range.least > 0 ? "0, or " : "", what,
                     print(range.least), print(range.most));
}

[[nodiscard]] SetResult check_range(std::uint64_t value, const ValueRange& range, Print print) {
  if (is_inside(value, range)) {
    return {};
  }
  return std::unexpected(range_text("", range, print));
}

[[nodiscard]] SetResult set(ServerOptions& options, const NumberMember& kind,
                            std::string_view text) {
  const auto value = net::parse_number(text);
  if (!value || !is_inside(*value, kind.range)) {
    return std::unexpected(range_text("a whole number ", kind.range, plain));
  }
  options.*kind.member = static_cast<std::uint32_t>(*value);
  return {};
}

[[nodiscard]] SetResult set(ServerOptions& options, const TimeMember& kind, std::string_view text) {
  const auto value = net::parse_duration_ms(text);
  if (!value) {
    return std::unexpected(value.error());
  }
  if (*value % kind.unit_ms != 0) {
    return std::unexpected("must be a whole number of seconds");
  }
  const ValueRange in_ms{kind.range.least * kind.unit_ms, kind.range.most * kind.unit_ms,
                         kind.range.zero_allowed};
  if (auto good = check_range(*value, in_ms, net::format_duration_ms); !good) {
    return good;
  }
  options.*kind.member = static_cast<std::uint32_t>(*value / kind.unit_ms);
  return {};
}

[[nodiscard]] SetResult set(ServerOptions& options, const SizeMember& kind, std::string_view text) {
  const auto value = net::parse_size(text);
  if (!value) {
    return std::unexpected(value.error());
  }
  if (auto good = check_range(*value, kind.range, net::format_size); !good) {
    return good;
  }
  std::visit(
      [&](auto member) {
        using Number = std::remove_reference_t<decltype(options.*member)>;
        options.*member = static_cast<Number>(*value);
      },
      kind.member);
  return {};
}

[[nodiscard]] SetResult set(ServerOptions& options, const FlagMember& kind, std::string_view text) {
  const auto value = net::parse_flag(text);
  if (!value) {
    return std::unexpected(value.error());
  }
  options.*kind.member = *value;
  return {};
}

[[nodiscard]] SetResult set(ServerOptions& options, const ChoiceMember& kind,
                            std::string_view text) {
  for (std::size_t i = 0; i < kind.words.size(); ++i) {
    if (text == kind.words[i]) {
      std::visit(
          [&](auto member) {
            using Enum = std::remove_reference_t<decltype(options.*member)>;
            options.*member = static_cast<Enum>(i);
          },
          kind.member);
      return {};
    }
  }
  return std::unexpected(fmt::format("must be one of {}", fmt::join(kind.words, ", ")));
}

[[nodiscard]] SetResult set(ServerOptions& options, const TextMember& kind, std::string_view text) {
  if (std::string complaint = kind.check(text); !complaint.empty()) {
    return std::unexpected(std::move(complaint));
  }
  options.*kind.member = text;
  return {};
}

[[nodiscard]] SetResult set_list(ServerOptions& options, const ListMember& kind,
                                 std::span<const std::string> values) {
  for (const std::string& value : values) {
    if (const std::string complaint = kind.check(value); !complaint.empty()) {
      return std::unexpected(fmt::format("{} {}", toml_string(value), complaint));
    }
  }
  options.*kind.member = {values.begin(), values.end()};
  return {};
}

}  // namespace

// A basic string (TOML 1.0, "String").
std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\u{:04X}", byte);
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::expected<void, std::string> set_option(ServerOptions& options, const Option& option,
                                            std::span<const std::string> values) {
  if (const auto* list = std::get_if<ListMember>(&option.member)) {
    return set_list(options, *list, values);
  }
  if (const auto* topics = std::get_if<TopicsMember>(&option.member)) {
    return set_list(options, topics->names, values);
  }
  if (values.size() != 1) {
    return std::unexpected("takes one value");
  }
  return std::visit(
      [&]<typename Kind>(const Kind& kind) -> SetResult {
        if constexpr (std::is_same_v<Kind, ListMember> || std::is_same_v<Kind, TopicsMember>) {
          return {};  // done above
        } else {
          return set(options, kind, values[0]);
        }
      },
      option.member);
}

std::string toml_value(const ServerOptions& options, const Option& option) {
  return std::visit(
      Overloaded{[&](const NumberMember& kind) { return plain(options.*kind.member); },
                 [&](const TimeMember& kind) {
                   return toml_string(
                       net::format_duration_ms(std::uint64_t{options.*kind.member} * kind.unit_ms));
                 },
                 [&](const SizeMember& kind) {
                   return std::visit(
                       [&](auto member) { return toml_string(net::format_size(options.*member)); },
                       kind.member);
                 },
                 [&](const FlagMember& kind) {
                   return std::string(options.*kind.member ? "true" : "false");
                 },
                 [&](const ChoiceMember& kind) {
                   const auto index = std::visit(
                       [&](auto member) { return static_cast<std::size_t>(options.*member); },
                       kind.member);
                   return toml_string(kind.words[index]);
                 },
                 [&](const TextMember& kind) { return toml_string(options.*kind.member); },
                 [&](const ListMember& kind) { return toml_list(options.*kind.member); },
                 [&](const TopicsMember& kind) {
                   const auto& namespaces = options.*kind.namespaces;
                   const auto& names = options.*kind.names.member;
                   return namespaces.empty() ? toml_list(names) : toml_topics(names, namespaces);
                 }},
      option.member);
}

std::string value_form(const Option& option) {
  return std::visit(
      Overloaded{
          [](const NumberMember&) { return std::string("NUMBER"); },
          [](const TimeMember&) { return std::string("TIME"); },
          [](const SizeMember&) { return std::string("SIZE"); },
          [](const FlagMember&) { return std::string("true|false"); },
          [](const ChoiceMember& kind) { return fmt::format("{}", fmt::join(kind.words, "|")); },
          [](const TextMember& kind) { return std::string(kind.form); },
          [](const TopicsMember&) { return std::string("NAME"); },
          [&](const ListMember&) {
            if (option.name == "listen") return std::string("ADDR:PORT");
            if (option.name == "trusted-proxies") return std::string("ADDR/BITS");
            return std::string(option.name == "cors-origins" ? "ORIGIN" : "NAME");
          }},
      option.member);
}

void copy_option(const ServerOptions& from, ServerOptions& to, const Option& option) {
  std::visit(
      [&]<typename Kind>(const Kind& kind) {
        if constexpr (std::is_same_v<Kind, SizeMember> || std::is_same_v<Kind, ChoiceMember>) {
          std::visit([&](auto member) { to.*member = from.*member; }, kind.member);
        } else if constexpr (std::is_same_v<Kind, TopicsMember>) {
          to.*kind.names.member = from.*kind.names.member;
          to.*kind.namespaces = from.*kind.namespaces;
        } else {
          to.*kind.member = from.*kind.member;
        }
      },
      option.member);
}

}  // namespace tocsin::tools
