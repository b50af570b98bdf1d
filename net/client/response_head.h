// Status and header fields of an HTTP response, and header fields as they may stand in a request.
//
// Pure values; safe to use from any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tocsin::net {

struct HeaderField {
  std::string name;
  std::string value;

  friend bool operator==(const HeaderField&, const HeaderField&) = default;
};
using HeaderList = std::vector<HeaderField>;

// A field may be written into a request: the name is a token (RFC 9110, 5.6.2), the value has no
// control character but tab, and neither begins nor ends with white space.
[[nodiscard]] bool is_header_field(const HeaderField& field);

struct ResponseHead {
  int status = 0;
  HeaderList headers;  // in their order, names as sent

  // The first field of that name (compared without case), or empty.
  [[nodiscard]] std::string_view header(std::string_view name) const;
  // The media type without its parameters, in lower case.
  [[nodiscard]] std::string media_type() const;
};

}  // namespace tocsin::net
