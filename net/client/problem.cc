#include "net/client/problem.h"

#include <cstdint>

#include <simdjson.h>

#include "proto/text/utf8.h"

namespace tocsin::net {
namespace {

std::string text_of(const simdjson::dom::object& object, std::string_view key) {
  std::string_view value;
  return object[key].get(value) == simdjson::SUCCESS ? std::string(value) : std::string();
}

}  // namespace

Problem read_problem(std::string_view body) {
  Problem problem;
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(body.data(), body.size()).get(object) != simdjson::SUCCESS) return problem;
  problem.detail = text_of(object, "detail");
  const std::string field = text_of(object, "field");
  if (!problem.detail.empty() && !field.empty()) problem.detail.insert(0, field + ' ');
  problem.detail = proto::without_controls(problem.detail, ' ');
  problem.unknown = text_of(object, "outcome") == "unknown";
  std::uint64_t number = 0;
  if (object["line"].get(number) == simdjson::SUCCESS) problem.line = number;
  if (object["expected"].get(number) == simdjson::SUCCESS) problem.expected = number;
  return problem;
}

}  // namespace tocsin::net
