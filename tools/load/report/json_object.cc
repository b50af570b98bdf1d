#include "tools/load/report/json_object.h"

#include <cmath>

#include "proto/json/json_text.h"
#include "tools/load/figures/readable.h"

namespace tocsin::load {

std::string json_string(std::string_view text) {
  std::string json;
  proto::append_json_string(json, text);
  return json;
}

std::string json_shown(std::string_view text) {
  return json_string(printable(text));
}

std::string json_number(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : "null";
}

std::string json_list(const std::vector<std::string>& items) {
  std::string json = "[";
  for (const std::string& item : items) {
    if (json.size() > 1) json += ", ";
    json += item;
  }
  return json + "]";
}

std::string json_strings(const std::vector<std::string>& items) {
  std::vector<std::string> json;
  json.reserve(items.size());
  for (const std::string& item : items) json.push_back(json_string(item));
  return json_list(json);
}

std::string json_shown_list(const std::vector<std::string>& items) {
  std::vector<std::string> json;
  json.reserve(items.size());
  for (const std::string& item : items) json.push_back(json_shown(item));
  return json_list(json);
}

}  // namespace tocsin::load
