// The one table of what an operator can set. Flags, the configuration file, the printed
// configuration and the comparison at a reload are all made from it, so that none can lack one.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "net/server_options.h"

namespace tocsin::tools {

using net::ServerOptions;

// Bounds of a value in its member's unit, both allowed; zero_allowed: 0 as well ("off").
struct ValueRange {
  std::uint64_t least = 0;
  std::uint64_t most = 0;
  bool zero_allowed = false;
};

struct NumberMember {
  std::uint32_t ServerOptions::* member;
  ValueRange range;
};
// Unit of the member in milliseconds: 1000 for ..._s, 1 for ..._ms.
struct TimeMember {
  std::uint32_t ServerOptions::* member;
  std::uint32_t unit_ms;
  ValueRange range;
};
struct SizeMember {
  std::variant<std::uint32_t ServerOptions::*, std::uint64_t ServerOptions::*> member;
  ValueRange range;
};
struct FlagMember {
  bool ServerOptions::* member;
};
// Words in the order of the enumerators, which count from 0.
struct ChoiceMember {
  std::variant<net::IoChoice ServerOptions::*, net::SlowPolicy ServerOptions::*,
               net::LogLevel ServerOptions::*, net::LogFormat ServerOptions::*,
               net::HistorySync ServerOptions::*>
      member;
  std::span<const std::string_view> words;
};
// A list; `check` looks at one element and returns a complaint or nothing.
struct ListMember {
  std::vector<std::string> ServerOptions::* member;
  std::string (*check)(std::string_view element);
};
// Any text; `check` as of a list's element.
struct TextMember {
  std::string ServerOptions::* member;
  std::string (*check)(std::string_view text);
  std::string_view form;  // for --help
};

// Names of topics; in the file also tables, which are namespaces (tools/serve/topic_namespaces.h).
// Flags have the names alone, and leave the file's namespaces as they are.
struct TopicsMember {
  ListMember names;
  std::vector<net::TopicNamespace> ServerOptions::* namespaces;
};

using Member = std::variant<NumberMember, TimeMember, SizeMember, FlagMember, ChoiceMember,
                            TextMember, ListMember, TopicsMember>;

enum class Change : std::uint8_t {
  reload,   // SIGHUP applies it
  restart,  // takes effect at the next start
};

struct Option {
  std::string_view name;   // the flag without "--"; the key of the file has _ for -
  std::string_view group;  // heading in --help and in the printed file
  std::string_view help;   // one sentence, without default and unit
  Change change;
  Member member;
  // What results where the value leaves it to the machine; empty: the value says it all.
  std::string (*effect)(const ServerOptions& options) = nullptr;

  [[nodiscard]] std::string key() const;
};

// In the order in which they are printed; options of a group stand together.
[[nodiscard]] std::span<const Option> option_table();
// Null: there is none.
[[nodiscard]] const Option* find_option(std::string_view key);
// Its value is a list: the flag is given once for each element.
[[nodiscard]] bool is_list(const Option& option);

// Sets one option from text as flags and the file have it: one value, for lists all elements.
// The error is a sentence that continues "NAME ".
[[nodiscard]] std::expected<void, std::string> set_option(ServerOptions& options,
                                                          const Option& option,
                                                          std::span<const std::string> values);

// The current value in TOML, e.g. 15, "15s", true, ["a", "b"].
[[nodiscard]] std::string toml_value(const ServerOptions& options, const Option& option);

// A string in TOML, quotes included.
[[nodiscard]] std::string toml_string(std::string_view text);

// What a value looks like, for --help: NUMBER, TIME, SIZE, a|b.
[[nodiscard]] std::string value_form(const Option& option);

// Copies one option from one value to another.
void copy_option(const ServerOptions& from, ServerOptions& to, const Option& option);

}  // namespace tocsin::tools
