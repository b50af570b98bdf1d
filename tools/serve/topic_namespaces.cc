#include "tools/serve/topic_namespaces.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "net/server/start_check.h"
#include "proto/assert.h"
#include "tools/base/did_you_mean.h"
#include "tools/serve/option_node.h"

namespace tocsin::tools {
namespace {

using net::TopicAccess;
using net::TopicNamespace;
using net::TopicOptions;
using Result = std::expected<void, std::string>;

// As in TopicAccess.
constexpr std::array<std::string_view, 3> kAccessWords{"open", "token", "nobody"};
// No setting of a namespace, but a word for `topics`.
constexpr std::string_view kCreate = "create";

// An option of the hub's of the same key.
template <typename Value>
struct HubsMember {
  std::optional<Value> TopicOptions::* own;
  Value ServerOptions::* hubs;
};

struct NamespaceKey {
  std::string_view name;
  std::variant<std::string TopicNamespace::*, std::optional<TopicAccess> TopicNamespace::*,
               bool TopicNamespace::*, bool TopicOptions::*, HubsMember<std::uint32_t>,
               HubsMember<std::uint64_t>, HubsMember<net::SlowPolicy>>
      member;
};

using N = TopicNamespace;
using T = TopicOptions;
using H = ServerOptions;
constexpr auto kKeys = std::to_array<NamespaceKey>({
    {"match", &N::match},
    {"name", &N::name},
    {"publish", &N::publish},
    {"subscribe", &N::subscribe},
    {"presence", &N::presence},
    {"history_count", HubsMember{&T::history_count, &H::history_count}},
    {"history_age", HubsMember{&T::history_age_s, &H::history_age_s}},
    {"history_bytes", HubsMember{&T::history_bytes, &H::history_bytes}},
    {"slow_policy", HubsMember{&T::slow_policy, &H::slow_policy}},
    {"slow_bytes", HubsMember{&T::slow_bytes, &H::slow_bytes}},
    {"max_event_bytes", HubsMember{&T::max_event_bytes, &H::max_event_bytes}},
    {"auto_replay", &T::auto_replay},
    {"envelope", &T::envelope},
    {"base64", &T::base64},
});

const Option& hubs_option(const NamespaceKey& key) {
  const Option* option = find_option(key.name);
  TOCSIN_ASSERT(option != nullptr);
  return *option;
}

Result set(TopicNamespace& space, const NamespaceKey&, std::string N::* member,
              const toml::node& node) {
  const auto* text = node.as_string();
  if (text == nullptr) return std::unexpected("must be a string");
  space.*member = text->get();
  return {};
}

Result set(TopicNamespace& space, const NamespaceKey&, std::optional<TopicAccess> N::* member,
              const toml::node& node) {
  const auto* text = node.as_string();
  const auto word = std::ranges::find(kAccessWords, text == nullptr ? "" : text->get());
  if (word == kAccessWords.end()) {
    return std::unexpected(fmt::format("must be one of {}", fmt::join(kAccessWords, ", ")));
  }
  space.*member = static_cast<TopicAccess>(word - kAccessWords.begin());
  return {};
}

Result set(bool& flag, const toml::node& node) {
  const auto* value = node.as_boolean();
  if (value == nullptr) return std::unexpected("must be true or false");
  flag = value->get();
  return {};
}

Result set(TopicNamespace& space, const NamespaceKey&, bool N::* member,
              const toml::node& node) {
  return set(space.*member, node);
}

Result set(TopicNamespace& space, const NamespaceKey&, bool T::* member,
              const toml::node& node) {
  return set(space.options.*member, node);
}

template <typename Value>
Result set(TopicNamespace& space, const NamespaceKey& key, const HubsMember<Value>& member,
              const toml::node& node) {
  ServerOptions hub;
  if (auto result = set_from_node(hub, hubs_option(key), node); !result) return result;
  space.options.*member.own = hub.*member.hubs;
  return {};
}

std::string unknown_key(std::string_view name) {
  std::vector<std::string_view> known{kCreate};
  for (const NamespaceKey& key : kKeys) known.push_back(key.name);
  return "is not a known key" + did_you_mean(name, known);
}

Result set(TopicNamespace& space, bool& create, std::string_view name, const toml::node& node) {
  if (name == kCreate) return set(create, node);
  const auto key = std::ranges::find(kKeys, name, &NamespaceKey::name);
  if (key == kKeys.end()) return std::unexpected(unknown_key(name));
  return std::visit([&](const auto& member) { return set(space, *key, member, node); },
                    key->member);
}

// Appends the namespace, and what it says of `names`.
void read_namespace(const toml::table& table, std::vector<TopicNamespace>& namespaces,
                    std::vector<std::string>& names, FileProblems& problems) {
  const std::size_t problems_before = problems.size();
  TopicNamespace space;
  bool create = false;
  for (const auto& [key, node] : table) {
    if (const auto good = set(space, create, key.str(), node); !good) {
      problems.add(node, fmt::format("topics.{} {}", key.str(), good.error()));
    }
  }
  if (problems.size() > problems_before) return;
  if (const std::string fault = net::namespace_fault(space, namespaces); !fault.empty()) {
    problems.add(table, fmt::format("topics: {}", fault));
    return;
  }
  if (create && space.match.ends_with('*')) {
    problems.add(table, "topics.create is for one topic, and match has a *");
  }
  if (create && std::ranges::find(names, space.match) == names.end()) names.push_back(space.match);
  namespaces.push_back(std::move(space));
}

// The key's value in TOML; nothing: as the hub.
std::optional<std::string> value_of(const TopicNamespace& space, const NamespaceKey&,
                                    std::string N::* member) {
  if ((space.*member).empty()) return std::nullopt;
  return toml_string(space.*member);
}

std::optional<std::string> value_of(const TopicNamespace& space, const NamespaceKey&,
                                    std::optional<TopicAccess> N::* member) {
  if (!(space.*member)) return std::nullopt;
  return toml_string(kAccessWords[static_cast<std::size_t>(*(space.*member))]);
}

std::optional<std::string> value_of(bool flag) {
  return flag ? std::optional<std::string>("true") : std::nullopt;
}

std::optional<std::string> value_of(const TopicNamespace& space, const NamespaceKey&,
                                    bool N::* member) {
  return value_of(space.*member);
}

std::optional<std::string> value_of(const TopicNamespace& space, const NamespaceKey&,
                                    bool T::* member) {
  return value_of(space.options.*member);
}

template <typename Value>
std::optional<std::string> value_of(const TopicNamespace& space, const NamespaceKey& key,
                                    const HubsMember<Value>& member) {
  if (!(space.options.*member.own)) return std::nullopt;
  ServerOptions hub;
  hub.*member.hubs = *(space.options.*member.own);
  return toml_value(hub, hubs_option(key));
}

std::string toml_namespace(const TopicNamespace& space) {
  std::vector<std::string> pairs;
  for (const NamespaceKey& key : kKeys) {
    const auto value =
        std::visit([&](const auto& member) { return value_of(space, key, member); }, key.member);
    if (value) pairs.push_back(fmt::format("{} = {}", key.name, *value));
  }
  return fmt::format("{{ {} }}", fmt::join(pairs, ", "));
}

}  // namespace

void read_topics(ServerOptions& options, const Option& option, const toml::node& node,
                 FileProblems& problems) {
  constexpr std::string_view kForm = "topics must be an array of names, or tables: [[topics]]";
  const auto* array = node.as_array();
  if (array == nullptr) {
    problems.add(node, std::string(kForm));
    return;
  }
  std::vector<std::string> names;
  std::vector<TopicNamespace> namespaces;
  for (const toml::node& element : *array) {
    if (const auto* name = element.as_string()) {
      names.push_back(name->get());
    } else if (const auto* table = element.as_table()) {
      read_namespace(*table, namespaces, names, problems);
    } else {
      problems.add(element, std::string(kForm));
    }
  }
  if (const auto set = set_option(options, option, names); !set) {
    problems.add(node, fmt::format("topics {}", set.error()));
  }
  const auto& member = std::get<TopicsMember>(option.member);
  options.*member.namespaces = std::move(namespaces);
}

std::string toml_topics(std::span<const std::string> names,
                        std::span<const TopicNamespace> namespaces) {
  std::string out = "[\n";
  for (const std::string& name : names) out += fmt::format("  {},\n", toml_string(name));
  for (const TopicNamespace& space : namespaces) {
    out += fmt::format("  {},\n", toml_namespace(space));
  }
  return out + "]";
}

}  // namespace tocsin::tools
