// JSON as text, piece by piece.
#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace tocsin::load {

[[nodiscard]] std::string json_string(std::string_view text);
// A text that may have a server's bytes in it: printable ASCII (readable.h), so that whoever prints
// the value to a terminal prints no controls.
[[nodiscard]] std::string json_shown(std::string_view text);
[[nodiscard]] std::string json_number(double value);  // null where it is not finite
[[nodiscard]] std::string json_list(const std::vector<std::string>& items);
[[nodiscard]] std::string json_strings(const std::vector<std::string>& items);
[[nodiscard]] std::string json_shown_list(const std::vector<std::string>& items);

// Members in order. Short ones may stand on one line.
class JsonObject {
 public:
  void add(std::string_view name, bool value) { raw(name, value ? "true" : "false"); }
  void add(std::string_view name, double value) { raw(name, json_number(value)); }
  void add(std::string_view name, std::unsigned_integral auto value) {
    raw(name, fmt::format("{}", value));
  }
  void add(std::string_view name, const std::optional<double>& value) {
    raw(name, value ? json_number(*value) : "null");
  }
  void add(std::string_view name, std::string_view value) { raw(name, json_string(value)); }
  void add(std::string_view name, const char* value) { add(name, std::string_view(value)); }
  void raw(std::string_view name, std::string_view json) {
    if (!body_.empty()) body_ += ",\n";
    body_ += json_string(name);
    body_ += ": ";
    body_ += json;
  }
  [[nodiscard]] std::string text() const { return "{\n" + body_ + "\n}"; }
  [[nodiscard]] std::string line() const {
    std::string one = body_;
    for (char& c : one) c = c == '\n' ? ' ' : c;
    return "{" + one + "}";
  }

 private:
  std::string body_;
};

}  // namespace tocsin::load
