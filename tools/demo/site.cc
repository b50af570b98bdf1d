#include "tools/demo/site.h"

#include <embedded/site_app_js.h>
#include <embedded/site_charts_js.h>
#include <embedded/site_chat_js.h>
#include <embedded/site_dom_js.h>
#include <embedded/site_favicon_svg.h>
#include <embedded/site_feeds_js.h>
#include <embedded/site_index_html.h>
#include <embedded/site_inspector_js.h>
#include <embedded/site_publish_js.h>
#include <embedded/site_rows_js.h>
#include <embedded/site_sequence_js.h>
#include <embedded/site_side_js.h>
#include <embedded/site_stream_js.h>
#include <embedded/site_style_css.h>
#include <embedded/site_theme_js.h>

#include <algorithm>
#include <array>
#include <functional>
#include <string>

#include <fmt/format.h>

namespace tocsin::demo {
namespace {

constexpr std::string_view kHtml = "text/html; charset=utf-8";
constexpr std::string_view kScript = "text/javascript; charset=utf-8";
constexpr std::string_view kStyle = "text/css; charset=utf-8";
constexpr std::string_view kSvg = "image/svg+xml";

// Everything from this origin and nothing else; no framing, so that nobody's page clicks here.
constexpr std::string_view kHeaders =
    "Cache-Control: no-cache\r\n"
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "X-Content-Type-Options: nosniff\r\n";

bool has(std::string_view if_none_match, std::string_view etag) {
  return if_none_match == "*" || if_none_match.contains(etag);
}

net::Route route_of(const Asset& asset) {
  const std::string etag = fmt::format("\"{:016x}\"", std::hash<std::string_view>{}(asset.bytes));
  return {.path = std::string{asset.path},
          .handle = [&asset, etag](net::Server&, const net::RouteRequest& request) -> net::Answer {
            net::Response response{.headers = fmt::format("{}ETag: {}\r\n", kHeaders, etag)};
            if (has(request.http.header(proto::Header::if_none_match), etag)) {
              response.status = 304;
            } else {
              response.content_type = asset.content_type;
              response.body = asset.bytes;
            }
            return response;
          }};
}

}  // namespace

std::span<const Asset> site_assets() {
  static const std::array assets{
      Asset{"/", kHtml, embedded::site_index_html},
      Asset{"/app.js", kScript, embedded::site_app_js},
      Asset{"/charts.js", kScript, embedded::site_charts_js},
      Asset{"/chat.js", kScript, embedded::site_chat_js},
      Asset{"/dom.js", kScript, embedded::site_dom_js},
      Asset{"/favicon.ico", kSvg, embedded::site_favicon_svg},  // asked for beside raw streams
      Asset{"/favicon.svg", kSvg, embedded::site_favicon_svg},
      Asset{"/feeds.js", kScript, embedded::site_feeds_js},
      Asset{"/inspector.js", kScript, embedded::site_inspector_js},
      Asset{"/publish.js", kScript, embedded::site_publish_js},
      Asset{"/rows.js", kScript, embedded::site_rows_js},
      Asset{"/sequence.js", kScript, embedded::site_sequence_js},
      Asset{"/side.js", kScript, embedded::site_side_js},
      Asset{"/stream.js", kScript, embedded::site_stream_js},
      Asset{"/style.css", kStyle, embedded::site_style_css},
      Asset{"/theme.js", kScript, embedded::site_theme_js},
  };
  return assets;
}

std::vector<net::Route> site_routes() {
  std::vector<net::Route> routes(site_assets().size());
  std::ranges::transform(site_assets(), routes.begin(), route_of);
  return routes;
}

}  // namespace tocsin::demo
