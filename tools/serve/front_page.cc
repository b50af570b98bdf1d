#include "tools/serve/front_page.h"

#include <embedded/front_page.h>
#include <embedded/readme.h>

#include <string>
#include <string_view>
#include <utility>

namespace tocsin::tools {
namespace {

// Nothing from anywhere: no script, no style, no picture, no frame.
constexpr std::string_view kHeaders =
    "Cache-Control: no-cache\r\n"
    "Content-Security-Policy: default-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "X-Content-Type-Options: nosniff\r\n";

net::Route page(std::string path, std::string_view type, std::string_view bytes) {
  return {.path = std::move(path),
          .handle = [type, bytes](net::Server&, const net::RouteRequest&) -> net::Answer {
            return net::Response{.content_type = std::string{type},
                                 .body = std::string{bytes},
                                 .headers = std::string{kHeaders}};
          }};
}

}  // namespace

net::Application front_page() {
  return {.routes = {page("/", "text/html; charset=utf-8", embedded::front_page),
                     page("/README.md", "text/plain; charset=utf-8", embedded::readme)}};
}

}  // namespace tocsin::tools
