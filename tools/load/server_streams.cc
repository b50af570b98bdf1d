#include "tools/load/server_streams.h"

#include "net/client/http_client.h"
#include "tools/base/counters_page.h"

namespace tocsin::load {

std::optional<std::uint64_t> server_streams(const net::Url& url, const std::string& target) {
  if (target.empty()) return std::nullopt;
  net::HttpClientOptions options;
  options.connect_timeout_ms = 10'000;
  options.response_timeout_ms = 10'000;
  net::HttpRequest request;
  request.target = target;
  request.headers = {{"Connection", "close"}};
  const auto answer = net::HttpClient(url, options).request(request);
  if (!answer || answer->head.status != 200) return std::nullopt;
  const auto streams = tools::sum_of(answer->body, "tocsin_connections", R"(state="stream")");
  if (!streams || *streams < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*streams);
}

}  // namespace tocsin::load
