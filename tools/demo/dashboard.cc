#include "tools/demo/dashboard.h"

#include <cmath>

#include <fmt/format.h>

#include "net/transport/url.h"
#include "proto/assert.h"
#include "tools/base/counters_page.h"

namespace tocsin::demo {
namespace {

net::Url url_of(const std::string& address) {
  const auto url = net::parse_url("http://" + address);
  TOCSIN_ASSERT(url.has_value());  // the hub's own address
  return *url;
}

net::HttpClientOptions impatient() {
  net::HttpClientOptions options;
  options.connect_timeout_ms = 1000;
  options.response_timeout_ms = 1000;
  return options;
}

void append(std::string& json, std::string_view name, double value) {
  json += fmt::format(R"({}"{}":{:.15g})", json.empty() ? '{' : ',', name, value);
}

double one_digit(double value) {
  return std::round(value * 10) / 10;
}

}  // namespace

Dashboard::Dashboard(const std::string& address)
    : hub_(url_of(address), impatient()), before_(sample_host()) {}

std::string Dashboard::next() {
  const HostSample now = sample_host();
  std::string json;
  if (const auto rate = rates(before_, now)) {
    append(json, "cpu_percent", one_digit(rate->cpu_percent));
    append(json, "network_received_bytes_per_s", std::round(rate->received_bytes_per_s));
    append(json, "network_sent_bytes_per_s", std::round(rate->sent_bytes_per_s));
    append(json, "loopback_bytes_per_s", std::round(rate->loopback_bytes_per_s));
  }
  before_ = now;
  const std::uint64_t used = now.memory_total_bytes - now.memory_available_bytes;
  append(json, "memory_used_bytes", static_cast<double>(used));
  append(json, "memory_total_bytes", static_cast<double>(now.memory_total_bytes));
  append(json, "load1", now.load1);
  net::HttpRequest counters;
  counters.target = "/metrics";
  const auto answer = hub_.request(counters);
  if (answer && answer->head.status == 200) {
    const std::string& page = answer->body;
    using tools::sum_of;
    const auto tell = [&](std::string_view name, std::optional<double> value) {
      if (value) append(json, name, *value);
    };
    tell("hub_streams", sum_of(page, "tocsin_connections", R"(state="stream")"));
    tell("hub_events_published", sum_of(page, "tocsin_events_published_total"));
    tell("hub_deliveries", sum_of(page, "tocsin_deliveries_total"));
  }
  return json + '}';
}

}  // namespace tocsin::demo
