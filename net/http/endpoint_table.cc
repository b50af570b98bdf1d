#include "net/http/endpoint_table.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "proto/assert.h"
#include "proto/text/ascii.h"

namespace tocsin::net {
namespace {

using proto::Header;
using proto::Method;
using proto::Request;

// The charset of a Content-Type; empty: none is named.
std::string_view charset_of(std::string_view type) {
  while (!type.empty()) {
    type.remove_prefix(std::min(type.find(';'), type.size() - 1) + 1);
    const std::string_view parameter = proto::trim(type.substr(0, type.find(';')));
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    if (!proto::equals_ignoring_case(parameter.substr(0, equals), "charset")) continue;
    std::string_view value = parameter.substr(std::min(equals + 1, parameter.size()));
    if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"')) {
      value = value.substr(1, value.size() - 2);
    }
    return value;
  }
  return {};
}

bool is_utf8_charset(std::string_view charset) {
  return std::ranges::any_of(std::array<std::string_view, 4>{"utf-8", "utf8", "us-ascii", "ascii"},
                             [charset](std::string_view known) {
                               return proto::equals_ignoring_case(charset, known);
                             });
}

// What keeps a body from being read as UTF-8 text.
std::optional<BodyFault> text_fault(const Request& request) {
  const auto unreadable = [](std::string_view detail, std::string_view extra_headers = {}) {
    return BodyFault{.status = 415,
                     .why = Rejection::invalid,
                     .detail = std::string(detail),
                     .extra_headers = extra_headers};
  };
  // As text it would be an event of boundaries and the heads of parts.
  constexpr std::string_view kMultipart = "multipart/";
  const std::string_view type = request.header(Header::content_type);
  if (proto::equals_ignoring_case(type.substr(0, kMultipart.size()), kMultipart)) {
    return unreadable("the body is the event's text, or JSON; no form in parts");
  }
  const std::string_view charset = charset_of(type);
  if (!charset.empty() && !is_utf8_charset(charset)) {
    return unreadable("the body must be UTF-8, and its Content-Type names another charset");
  }
  const std::string_view coding = request.header(Header::content_encoding);
  // RFC 9110, 8.4: identity is no encoding, though some say so.
  if (coding.empty() || proto::equals_ignoring_case(coding, "identity")) return std::nullopt;
  return unreadable("the body is read as it is sent; leave out Content-Encoding",
                    "Accept-Encoding: identity\r\n");
}

}  // namespace

std::string MethodSet::names() const {
  constexpr std::array kNames{std::pair{Method::get, "GET"}, std::pair{Method::head, "HEAD"},
                              std::pair{Method::post, "POST"}, std::pair{Method::del, "DELETE"},
                              std::pair{Method::options, "OPTIONS"}};
  std::string names;
  for (const auto& [method, name] : kNames) {
    if (!contains(method)) continue;
    if (!names.empty()) names += ", ";
    names += name;
  }
  return names;
}

bool Endpoint::is_at(std::string_view request_path) const {
  if (!prefix) return request_path == path;
  return request_path.starts_with(path) &&
         (path.ends_with('/') || request_path.size() == path.size() ||
          request_path[path.size()] == '/');
}

std::string too_large_words(std::size_t max_body_bytes) {
  return fmt::format("a body is limited to {} bytes", max_body_bytes);
}

std::optional<BodyFault> body_fault(const Endpoint& endpoint, const Request& request) {
  if (!request.has_body) return std::nullopt;
  const std::uint64_t size = std::max<std::uint64_t>(request.content_length, request.body.size());
  if (size > endpoint.max_body_bytes) {
    return BodyFault{.status = 413,
                     .why = Rejection::body_too_large,
                     .detail = too_large_words(endpoint.max_body_bytes),
                     .extra_headers = {}};
  }
  if (endpoint.body == BodyPolicy::text) return text_fault(request);
  return std::nullopt;
}

EndpointTable::EndpointTable(std::vector<Endpoint> rows, Handler& fallback)
    : rows_(std::move(rows)),
      options_{.methods = {Method::options}, .handler = &fallback},
      unserved_{.body = BodyPolicy::none, .handler = &fallback} {
  for (const Endpoint& row : rows_) {
    TOCSIN_ASSERT(row.path.starts_with('/') && row.handler != nullptr);
  }
}

const Endpoint& EndpointTable::find(const Request& request) const {
  return find_from(0, request);
}

const Endpoint& EndpointTable::find_behind(const Endpoint& declined, const Request& request) const {
  TOCSIN_ASSERT(&declined >= rows_.data() && &declined < rows_.data() + rows_.size());
  return find_from(static_cast<std::size_t>(&declined - rows_.data()) + 1, request);
}

const Endpoint& EndpointTable::find_from(std::size_t row, const Request& request) const {
  const std::string_view path = request.path();
  for (; row < rows_.size(); ++row) {
    const Endpoint& one = rows_[row];
    if (shows(one) && one.methods.contains(request.method) && one.is_at(path)) return one;
  }
  const bool options = request.method == Method::options;
  return options && !methods_at(path).empty() ? options_ : unserved_;
}

MethodSet EndpointTable::methods_at(std::string_view path) const {
  MethodSet methods;
  for (const Endpoint& row : rows_) {
    if (shows(row) && (path == "*" || row.is_at(path))) methods |= row.methods;
  }
  return methods;
}

MethodSet EndpointTable::other_methods(const Request& request) const {
  MethodSet methods;
  const std::string_view path = request.path();
  for (const Endpoint& row : rows_) {
    const bool another = shows(row) && !row.methods.contains(request.method);
    if (another && row.is_at(path)) methods |= row.methods;
  }
  return methods;
}

const Endpoint* EndpointTable::with_parameters_at(std::string_view path) const {
  const auto row = std::ranges::find_if(rows_, [&](const Endpoint& one) {
    return !one.parameters.empty() && shows(one) && one.is_at(path);
  });
  return row == rows_.end() ? nullptr : &*row;
}

}  // namespace tocsin::net
