// The flags of `tocsin load` as a table: what each is called, what it means and what it sets.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/load/options/load_options.h"

namespace tocsin::load {

struct Flag {
  std::string_view names;  // as CLI11 takes them; the last one is the long one
  std::string_view group;  // heading in --help
  std::string_view value;  // what it takes, with its unit; empty: a switch
  std::string_view help;   // with the default
  // Nothing, or what is wrong with the value, to stand behind the flag's name and a colon.
  std::function<std::string(LoadOptions&, const std::string& value)> apply;
  bool is_repeatable = false;

  [[nodiscard]] std::string_view long_name() const;
  [[nodiscard]] std::string shown_names() const;  // "-n, --subscribers"
};

// Flags that stand above what a scenario says, in the order of --help.
[[nodiscard]] std::vector<Flag> common_flags();
// Flags that stand above what a recipe says (--publish-...).
[[nodiscard]] std::vector<Flag> request_flags();

}  // namespace tocsin::load
