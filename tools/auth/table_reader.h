// A table of the configuration file, read key by key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <toml++/toml.h>

#include "tools/base/file_problems.h"

namespace tocsin::tools {

// What is asked for is known; finish() refuses all other keys. A default that is taken is put into
// the table, so that it then says what is in effect. A value of the wrong type is a problem, and
// counts as if it were not there.
class TableReader {
 public:
  // `name`: how problems call the table, "auth.keys". `table` and `problems` outlive this.
  TableReader(toml::table& table, std::string name, FileProblems& problems)
      : table_(table), name_(std::move(name)), problems_(problems) {}

  [[nodiscard]] std::optional<std::string> text(std::string_view key);
  [[nodiscard]] std::string text_or(std::string_view key, std::string_view usual);
  // An array of strings; none: empty.
  [[nodiscard]] std::vector<std::string> texts(std::string_view key) { return texts_or(key, {}); }
  [[nodiscard]] std::vector<std::string> texts_or(std::string_view key,
                                                  const std::vector<std::string>& usual);
  [[nodiscard]] bool flag_or(std::string_view key, bool usual);
  // A time span as options have it, whole seconds up to `most_s`.
  [[nodiscard]] std::uint32_t seconds_or(std::string_view key, std::uint32_t usual,
                                         std::uint32_t most_s);
  // A date, which is its beginning in UTC, or a date and time with an offset: seconds since 1970.
  [[nodiscard]] std::optional<std::int64_t> time(std::string_view key);
  // A number within these bounds.
  [[nodiscard]] std::uint32_t number_or(std::string_view key, std::uint32_t usual,
                                        std::uint32_t least, std::uint32_t most);
  // [name.key]; it lives as long as the table. Null: it is not there.
  [[nodiscard]] toml::table* table(std::string_view key);
  // [[name.key]]; they live as long as the table.
  [[nodiscard]] std::vector<toml::table*> tables(std::string_view key);

  // What the table says of the key from now on, in place of what it said: a secret is not printed.
  void show(std::string_view key, std::string_view text) {
    table_.insert_or_assign(key, std::string(text));
  }
  // A problem with the key, or if it is not there with the table.
  void fault(std::string_view key, std::string_view what);
  // Refuses keys that nobody has asked for.
  void finish();

 private:
  [[nodiscard]] toml::node* find(std::string_view key);

  toml::table& table_;
  const std::string name_;
  FileProblems& problems_;
  std::vector<std::string> known_;
};

}  // namespace tocsin::tools
