#include "tools/serve.h"

#include <malloc.h>
#include <pthread.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "net/log.h"
#include "net/server_state.h"
#include "net/service_notify.h"
#include "net/system_check.h"
#include "tools/options.h"

namespace tocsin::tools {
namespace {

using net::Server;
using net::ServerOptions;
using net::ServiceNotify;
namespace log = net::log;

// Waits for signals in one thread, so that no handler runs anywhere.
class Signals {
 public:
  // Before other threads are started: they inherit the mask.
  Signals() {
    ::sigemptyset(&set_);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set_, signal);
    ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
  }
  // The next signal, or 0 after `timeout`.
  [[nodiscard]] int wait(std::chrono::milliseconds timeout) const {
    const timespec time{.tv_sec = timeout.count() / 1000,
                        .tv_nsec = timeout.count() % 1000 * 1'000'000};
    const int signal = ::sigtimedwait(&set_, nullptr, &time);
    return signal > 0 ? signal : 0;
  }

 private:
  sigset_t set_{};
};

void warn_of_limits(const ServerOptions& options, std::size_t shards) {
  for (const net::Finding& finding :
       net::check_system(options, static_cast<std::uint32_t>(shards))) {
    log::warning("limit too low", {{"name", finding.name},
                                   {"current", finding.current},
                                   {"needed", finding.needed},
                                   {"why", finding.why},
                                   {"fix", finding.fix}});
  }
}

// Reads the configuration again and applies what it can. `read`: what was read last, to tell what
// is new.
void reload(const OptionFlags& flags, Server& server, ServiceNotify& notify, ServerOptions& read) {
  notify.reloading();
  const ServerOptions current = *server.state().options();
  const auto wanted = flags.load();
  if (!wanted) {
    log::error("configuration not reloaded", {{"error", wanted.error()}});
    notify.ready("configuration has errors, still running the old one");
    return;
  }
  const ServerOptions next = reloaded(current, *wanted);
  log::set_level(next.log_level);
  server.reload(next);
  const auto listed = [](const auto& keys) { return fmt::format("{}", fmt::join(keys, ",")); };
  const Difference news = difference(std::exchange(read, *wanted), *wanted);
  const std::vector<std::string> waiting = difference(current, *wanted).restart;
  const bool same = news.applied.empty() && news.restart.empty();
  log::info(same ? "configuration reloaded, nothing has changed" : "configuration reloaded",
            {{"applied", listed(news.applied)}, {"restart_needed", listed(waiting)}});
  if (!news.restart.empty() && !waiting.empty()) {
    log::warning("a restart is needed for some changes", {{"keys", listed(waiting)}});
  }
  notify.ready();
}

// Forgotten topics leave pages without anything on them, which the allocator keeps. Giving those of
// a million topics back takes 40 to 110 ms, and threads that need memory from there wait meanwhile:
// hence only after many topics, when no more go, and not often. It is here and not in a shard
// because the allocator is the program's, not the hub's.
class MemoryReturn {
 public:
  // Called about once a second.
  void look(Server& server) {
    const std::uint64_t forgotten =
        server.state().hub.with([](const core::Hub& hub) { return hub.topics_forgotten(); });
    const bool calm = std::exchange(seen_, forgotten) == forgotten;
    const auto now = std::chrono::steady_clock::now();
    if (!calm || forgotten - returned_ < kMany || now < next_) return;
    returned_ = forgotten;
    next_ = now + kPause;
    ::malloc_trim(0);
    log::info("memory of forgotten topics given back", {{"topics", forgotten}});
  }

 private:
  static constexpr std::uint64_t kMany = 16'384;  // topics: 4 to 15 MB
  static constexpr std::chrono::seconds kPause{60};

  std::uint64_t seen_ = 0;      // topics forgotten at the last look
  std::uint64_t returned_ = 0;  // of these the memory was given back
  std::chrono::steady_clock::time_point next_{};
};

class Service {
 public:
  // `read`: the configuration that the hub was started with.
  Service(const OptionFlags& flags, ServerOptions read, Server& server, std::jthread companion,
          ServiceNotify& notify, const Signals& signals)
      : flags_(flags),
        read_(std::move(read)),
        server_(server),
        companion_(std::move(companion)),
        notify_(notify),
        signals_(signals) {}

  // Until the hub has ended.
  void run() {
    using std::chrono::milliseconds;
    using std::chrono::steady_clock;
    const auto pulse = notify_.watchdog_interval();
    auto next_pulse = steady_clock::now();
    while (!server_.ended()) {
      // A drain that is done should not wait for a second.
      on_signal(signals_.wait(draining_ ? milliseconds(50) : milliseconds(1000)));
      if (!draining_) memory_.look(server_);
      if (!pulse || steady_clock::now() < next_pulse) continue;
      next_pulse = steady_clock::now() + *pulse;
      if (server_.all_turned()) {
        notify_.alive();
      } else {
        log::error("a shard does not turn its loop; the watchdog is not fed");
      }
      notify_.status(fmt::format("{} streams", server_.state().admission.streams()));
    }
  }

 private:
  void on_signal(int signal) {
    if (signal == SIGHUP) reload(flags_, server_, notify_, read_);
    if (signal != SIGTERM && signal != SIGINT) return;
    if (draining_) {
      log::info("stopping at once");
      server_.stop();
      return;
    }
    draining_ = true;
    const std::uint32_t time_s = server_.state().options()->drain_timeout_s;
    log::info("draining",
              {{"streams", server_.state().admission.streams()}, {"timeout_s", time_s}});
    notify_.stopping("draining");
    notify_.extend_timeout(std::chrono::seconds(time_s + 10));
    companion_ = {};  // asks it to stop, and joins it
    server_.drain();
  }

  const OptionFlags& flags_;
  ServerOptions read_;  // as the configuration was read last
  Server& server_;
  std::jthread companion_;
  ServiceNotify& notify_;
  const Signals& signals_;
  MemoryReturn memory_;
  bool draining_ = false;
};

}  // namespace

int run_serve(const OptionFlags& flags, net::Application application,
              const std::function<std::jthread(Server&)>& companion) {
  auto options = flags.load();
  if (!options) {
    flags.complain(options.error());
    return 2;
  }
  log::configure(options->log_level, options->log_format);
  ServiceNotify notify = ServiceNotify::from_environment();
  const Signals signals;
  if (const auto raised = net::raise_descriptor_limit(); !raised) log::warning(raised.error());
  options->private_descriptors = true;
  auto server = Server::start(*options, std::move(application));
  if (!server) {
    log::error("cannot start", {{"error", server.error()}});
    return 1;
  }
  warn_of_limits(*options, (*server)->shards());
  log::info("listening", {{"address", fmt::format("{}", fmt::join((*server)->addresses(), ","))},
                          {"shards", (*server)->shards()},
                          {"io", (*server)->state().metrics.front()->io_name.load()}});
  notify.ready(fmt::format("listening on {}", fmt::join((*server)->addresses(), ", ")));
  std::jthread beside = companion ? companion(**server) : std::jthread();
  Service(flags, *options, **server, std::move(beside), notify, signals).run();
  (*server)->wait();
  log::info("stopped");
  return 0;
}

}  // namespace tocsin::tools
