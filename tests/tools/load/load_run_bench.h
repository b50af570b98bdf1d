// A whole run with a fake hub, for the tests of its course.
#pragma once

#include <atomic>
#include <cstdio>
#include <string>

#include "net/transport/url.h"
#include "tests/tools/load/fake_hub.h"
#include "tools/load/load_run.h"

namespace tocsin::load {

inline constexpr double kForeverS = 1000;  // no test waits for it
inline const std::string kBusy =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\nbusy\n";

struct FakeHubRun {
  explicit FakeHubRun(const std::string& url) {
    options.subscribe.url = *net::parse_url(url + "/events?topic={topic}");
    options.subscribe.count = 5;
    options.subscribe.threads = 2;
    options.publish.request.url = *net::parse_url(url + "/publish?topic={topic}");
    options.publish.mode = PublishMode::each;
    options.publish.events = 5;
    options.publish.each_timeout_s = kForeverS;
    options.drain_s = kForeverS;
    options.workload.seed = 1;
  }
  LoadResult run() {
    Progress progress(stderr, true);
    return run_load(options, progress, stop);
  }
  void at_rate(double events_per_s) {
    options.publish.mode = PublishMode::rate;
    options.publish.schedule.events_per_s = events_per_s;
  }

  LoadOptions options;
  std::atomic<bool> stop{false};
};

}  // namespace tocsin::load
