#include "net/jose/strict_json.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace tocsin::net {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

// What is wrong with `value` or anything in it, in words; empty: nothing. simdjson has bounded the
// depth.
std::string fault_of(element value);

std::string fault_of_object(simdjson::dom::object object) {
  // Not size(), which has an upper bound of its own.
  std::array<std::string_view, StrictJson::kMaxMembers> names;
  std::size_t count = 0;
  for (const auto& [name, value] : object) {
    if (count == names.size()) return "has an object of too many members";
    names[count++] = name;
    if (auto fault = fault_of(value); !fault.empty()) return fault;
  }
  const std::span used(names.data(), count);
  std::ranges::sort(used);
  const auto twice = std::ranges::adjacent_find(used);
  if (twice == used.end()) return {};
  return "has '" + std::string(*twice) + "' twice in one object";
}

std::string fault_of(element value) {
  if (value.type() == element_type::OBJECT) return fault_of_object(value);
  if (value.type() == element_type::ARRAY) {
    for (const element item : simdjson::dom::array(value)) {
      if (auto fault = fault_of(item); !fault.empty()) return fault;
    }
  }
  return {};
}

}  // namespace

std::expected<StrictJson, std::string> StrictJson::parse(std::string_view text,
                                                         std::string_view what) {
  const auto refused = [what](std::string_view fault) {
    return std::unexpected(std::string(what) + " " + std::string(fault));
  };
  const std::size_t capacity = std::max(text.size(), std::size_t{64});
  StrictJson json;
  json.parser_ = std::make_unique<simdjson::dom::parser>(capacity);
  if (json.parser_->allocate(capacity, kMaxDepth) != simdjson::SUCCESS) {
    return refused("is too large");
  }
  const auto parsed = json.parser_->parse(text.data(), text.size());
  if (parsed.error() == simdjson::DEPTH_ERROR) return refused("is nested too deeply");
  if (parsed.error() != simdjson::SUCCESS) return refused("is no JSON in UTF-8");
  if (parsed.get_object().get(json.root_) != simdjson::SUCCESS) {
    return refused("is no JSON object");
  }
  if (const std::string fault = fault_of_object(json.root_); !fault.empty()) {
    return refused(fault);
  }
  return json;
}

}  // namespace tocsin::net
