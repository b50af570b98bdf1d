#include "net/client/response_head.h"

#include <algorithm>

#include "proto/text/ascii.h"

namespace tocsin::net {

bool is_header_field(const HeaderField& field) {
  return !field.name.empty() && proto::is_token(field.name) && proto::is_field_value(field.value);
}

std::string_view ResponseHead::header(std::string_view name) const {
  const auto found = std::ranges::find_if(
      headers, [&](const HeaderField& f) { return proto::equals_ignoring_case(f.name, name); });
  return found == headers.end() ? std::string_view() : std::string_view(found->value);
}

std::string ResponseHead::media_type() const {
  const std::string_view value = header("Content-Type");
  return proto::to_lower(proto::trim(value.substr(0, value.find(';'))));
}

}  // namespace tocsin::net
