#include "tools/auth/table_reader.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "net/http/option_value.h"
#include "tools/base/did_you_mean.h"

namespace tocsin::tools {
namespace {

// Nothing: there is no such day or hour.
std::optional<std::int64_t> seconds_of(const toml::date& day, const toml::time& hour,
                                       int offset_minutes) {
  namespace chrono = std::chrono;
  const chrono::year_month_day date{chrono::year(day.year), chrono::month(day.month),
                                    chrono::day(day.day)};
  if (!date.ok()) return std::nullopt;
  const chrono::sys_seconds time = chrono::sys_days(date) + chrono::hours(hour.hour) +
                                   chrono::minutes(hour.minute - offset_minutes) +
                                   chrono::seconds(hour.second);
  return time.time_since_epoch().count();
}

}  // namespace

toml::node* TableReader::find(std::string_view key) {
  known_.emplace_back(key);
  return table_.get(key);
}

std::optional<std::string> TableReader::text(std::string_view key) {
  toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  const auto* text = node->as_string();
  if (text == nullptr) fault(key, "must be a string");
  return text == nullptr ? std::nullopt : std::optional(text->get());
}

std::string TableReader::text_or(std::string_view key, std::string_view usual) {
  const auto said = text(key);
  table_.emplace(key, std::string(usual));
  return said.value_or(std::string(usual));
}

std::vector<std::string> TableReader::texts_or(std::string_view key,
                                               const std::vector<std::string>& usual) {
  toml::node* node = find(key);
  if (node == nullptr) {
    toml::array said;
    for (const std::string& text : usual) said.push_back(text);
    table_.emplace(key, std::move(said));
    return usual;
  }
  std::vector<std::string> texts;
  const auto* array = node->as_array();
  for (std::size_t i = 0; array != nullptr && i < array->size(); ++i) {
    const auto* text = array->get(i)->as_string();
    if (text == nullptr) {
      array = nullptr;
    } else {
      texts.push_back(text->get());
    }
  }
  if (array != nullptr) return texts;
  fault(key, "must be an array of strings");
  return {};
}

bool TableReader::flag_or(std::string_view key, bool usual) {
  toml::node* node = find(key);
  if (node == nullptr) {
    table_.emplace(key, usual);
    return usual;
  }
  const auto* flag = node->as_boolean();
  if (flag == nullptr) fault(key, "must be true or false");
  return flag == nullptr ? usual : flag->get();
}

std::uint32_t TableReader::seconds_or(std::string_view key, std::uint32_t usual,
                                      std::uint32_t most_s) {
  toml::node* node = find(key);
  if (node == nullptr) {
    table_.emplace(key, fmt::format("{}s", usual));
    return usual;
  }
  const auto* number = node->as_integer();
  const auto* text = node->as_string();
  const std::string span = number != nullptr ? fmt::format("{}", number->get())
                           : text != nullptr ? text->get()
                                             : "";
  const auto time_ms = net::parse_duration_ms(span);
  if (!time_ms || *time_ms % 1000 != 0 || *time_ms / 1000 > most_s) {
    fault(key, fmt::format("must be a time of whole seconds, such as \"30s\", up to {} s", most_s));
    return usual;
  }
  return static_cast<std::uint32_t>(*time_ms / 1000);
}

std::optional<std::int64_t> TableReader::time(std::string_view key) {
  toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  std::optional<std::int64_t> seconds;
  if (const auto* date = node->as_date()) {
    seconds = seconds_of(date->get(), {}, 0);
  } else if (const auto* both = node->as_date_time(); both != nullptr && both->get().offset) {
    seconds = seconds_of(both->get().date, both->get().time, both->get().offset->minutes);
  }
  if (!seconds) fault(key, "must be a date, or a date and time such as 2027-01-31T12:00:00Z");
  return seconds;
}

std::uint32_t TableReader::number_or(std::string_view key, std::uint32_t usual,
                                     std::uint32_t least, std::uint32_t most) {
  toml::node* node = find(key);
  if (node == nullptr) {
    table_.emplace(key, static_cast<std::int64_t>(usual));
    return usual;
  }
  const auto* number = node->as_integer();
  if (number != nullptr && number->get() >= least && number->get() <= most) {
    return static_cast<std::uint32_t>(number->get());
  }
  fault(key, fmt::format("must be a number from {} to {}", least, most));
  return usual;
}

toml::table* TableReader::table(std::string_view key) {
  toml::node* node = find(key);
  if (node == nullptr) return nullptr;
  auto* table = node->as_table();
  if (table == nullptr) fault(key, fmt::format("must be a table: [{}.{}]", name_, key));
  return table;
}

std::vector<toml::table*> TableReader::tables(std::string_view key) {
  toml::node* node = find(key);
  if (node == nullptr) return {};
  std::vector<toml::table*> tables;
  auto* array = node->as_array();
  for (std::size_t i = 0; array != nullptr && i < array->size(); ++i) {
    if (auto* table = array->get(i)->as_table()) tables.push_back(table);
  }
  if (array != nullptr && tables.size() == array->size()) return tables;
  fault(key, fmt::format("must be tables: [[{}.{}]]", name_, key));
  return {};
}

void TableReader::fault(std::string_view key, std::string_view what) {
  const toml::node* node = table_.get(key);
  // A default stands in no line.
  const bool is_said = node != nullptr && node->source().begin.line != 0;
  const toml::node& at = is_said ? *node : static_cast<const toml::node&>(table_);
  problems_.add(at, fmt::format("{}.{} {}", name_, key, what));
}

void TableReader::finish() {
  const std::vector<std::string_view> known(known_.begin(), known_.end());
  for (const auto& [key, node] : table_) {
    if (std::ranges::find(known, key.str()) != known.end()) continue;
    fault(key.str(), "is not a known key" + did_you_mean(key.str(), known));
  }
}

}  // namespace tocsin::tools
