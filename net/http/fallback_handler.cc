#include "net/http/fallback_handler.h"

#include <string>

#include <fmt/format.h>

namespace tocsin::net {

std::optional<Outcome> FallbackHandler::handle(const RequestContext& context) {
  using proto::Method;
  const bool options = context.request.method == Method::options;
  MethodSet methods =
      options ? table_.methods_at(context.request.path()) : table_.other_methods(context.request);
  if (methods.empty()) {
    return answers_.problem(context.request, 404, Rejection::not_found,
                            "nothing here; streams are at /events", context.out);
  }
  methods |= {Method::options};
  const std::string allowed = methods.names();
  if (!options) {
    return answers_.problem(context.request, 405, Rejection::method, fmt::format("use {}", allowed),
                            context.out, fmt::format("Allow: {}\r\n", allowed));
  }
  answers_.preflight(context.request, allowed, context.out);
  return Outcome{};
}

}  // namespace tocsin::net
