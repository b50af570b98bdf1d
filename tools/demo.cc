#include "tools/demo.h"

#include <array>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "net/http_client.h"
#include "net/log.h"
#include "net/url.h"
#include "tools/check_command.h"
#include "tools/options.h"
#include "tools/serve.h"

namespace tocsin::tools {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

// The time as RFC 3339 wants it, in UTC.
std::string rfc3339_now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

// A feed: every `interval` an event of `type` with what `next` says.
struct Feed {
  const char* type;
  seconds interval;
  std::function<std::string()> next;
  steady_clock::time_point due{};
};

std::array<Feed, 2> feeds() {
  return {{
      {"tick", seconds(5), rfc3339_now},
      {"progress", seconds(3),
       [percent = -20]() mutable {
         percent = percent == 100 ? 0 : percent + 20;
         return fmt::format(R"({{"percent":{}}})", percent);
       }},
  }};
}

// Publishes the feeds to the hub at `address` until it is asked to stop.
void run_feeds(const std::stop_token& stop, const std::string& address) {
  const auto url = net::parse_url("http://" + address);
  if (!url) {
    net::log::error("no feeds", {{"error", url.error()}});
    return;
  }
  net::HttpClient client(*url);
  auto all = feeds();
  for (Feed& feed : all) feed.due = steady_clock::now();
  std::mutex mutex;
  std::condition_variable_any wake;
  static constinit net::log::OncePerSecond place;
  while (!stop.stop_requested()) {
    auto next = steady_clock::time_point::max();
    for (Feed& feed : all) {
      if (feed.due <= steady_clock::now()) {
        feed.due += feed.interval;
        const auto result = client.request({.method = "POST",
                                            .target = fmt::format("/publish?type={}", feed.type),
                                            .headers = {{"Content-Type", "text/plain"}},
                                            .body = feed.next()});
        if (!result) {
          const auto now = steady_clock::now().time_since_epoch();
          place.write(static_cast<std::uint64_t>(now.count()), net::LogLevel::warning,
                      "feed not published", {{"error", result.error().message}});
        }
      }
      next = std::min(next, feed.due);
    }
    std::unique_lock lock(mutex);
    wake.wait_until(lock, stop, next, [] { return false; });
  }
}

// The options of `serve` on a subcommand that runs `run`.
CLI::App* add_hub_command(CLI::App& app, const char* name, const char* help, int& exit_code,
                          std::function<int(const OptionFlags&)> run) {
  CLI::App* command = app.add_subcommand(name, help);
  auto flags = std::make_shared<OptionFlags>(*command);
  command->callback([flags, run = std::move(run), &exit_code] { exit_code = run(*flags); });
  return command;
}

}  // namespace

CLI::App* add_serve_command(CLI::App& app, int& exit_code) {
  return add_hub_command(app, "serve", "Run the hub", exit_code,
                         [](const OptionFlags& flags) { return run_serve(flags); });
}

CLI::App* add_check_command(CLI::App& app, int& exit_code) {
  const auto quiet = std::make_shared<bool>(false);
  CLI::App* command = add_hub_command(
      app, "check", "Check a configuration and this machine, print what is in effect", exit_code,
      [quiet](const OptionFlags& flags) { return run_check(flags, *quiet); });
  command->add_flag("-q,--quiet", *quiet, "Print only what is wrong with the configuration");
  return command;
}

CLI::App* add_demo_command(CLI::App& app, int& exit_code) {
  return add_hub_command(
      app, "demo", "Run the hub with feeds to look at", exit_code, [](const OptionFlags& flags) {
        return run_serve(flags, [](net::Server& server) {
          return std::jthread([address = server.addresses().front()](const std::stop_token& stop) {
            run_feeds(stop, address);
          });
        });
      });
}

}  // namespace tocsin::tools
