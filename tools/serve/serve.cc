#include "tools/serve/serve.h"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "net/log.h"
#include "net/outbound/outbound.h"
#include "net/server/handed_descriptors.h"
#include "net/server/service_notify.h"
#include "net/server/start_check.h"
#include "net/state/server_state.h"
#include "proto/text/name_pattern.h"
#include "tools/auth/auth_configuration.h"
#include "tools/serve/memory_return.h"
#include "tools/serve/service_signals.h"
#include "tools/serve/start_warnings.h"

namespace tocsin::tools {
namespace {

using net::Server;
using net::ServerOptions;
using net::ServiceNotify;
namespace log = net::log;

std::shared_ptr<const net::AccessPlan> plan_of(const Configuration& configuration) {
  return configuration.auth == nullptr ? nullptr : configuration.auth->plan;
}

bool is_same_auth(const Configuration& a, const Configuration& b) {
  if (a.auth == nullptr || b.auth == nullptr) return a.auth == b.auth;
  return a.auth->fingerprint == b.auth->fingerprint;
}

// What the flags and their file say, with what the program on the hub adds.
class ConfigurationSource {
 public:
  ConfigurationSource(const OptionFlags& flags, std::vector<net::TopicNamespace> namespaces)
      : flags_(flags), namespaces_(std::move(namespaces)) {}

  // What keeps the program's part from being added, as a sentence; empty: nothing did.
  [[nodiscard]] std::string add_to(ServerOptions& options) const {
    for (const net::TopicNamespace& space : options.namespaces) {
      const auto own = std::ranges::find_if(namespaces_, [&](const net::TopicNamespace& one) {
        return proto::matches_name(one.match, space.match);
      });
      if (own != namespaces_.end()) {
        return fmt::format(
            "topics: match \"{}\" is never reached: this program has settings of its own for "
            "\"{}\"",
            space.match, own->match);
      }
    }
    options.namespaces.insert(options.namespaces.begin(), namespaces_.begin(), namespaces_.end());
    return {};
  }
  [[nodiscard]] std::expected<Configuration, std::string> read_again() const {
    auto loaded = flags_.load(Reading::again);
    if (!loaded) return loaded;
    if (std::string fault = add_to(loaded->options); !fault.empty()) {
      return std::unexpected(std::move(fault));
    }
    if (auto good = net::check_start(loaded->options, {}); !good) {
      return std::unexpected(std::move(good.error()));
    }
    return loaded;
  }

 private:
  const OptionFlags& flags_;
  const std::vector<net::TopicNamespace> namespaces_;
};

// Reads the configuration again and applies what it can. `read`: what was read last, to tell what
// is new.
void reload(const ConfigurationSource& source, Server& server, net::Outbound& outbound,
            ServiceNotify& notify, Configuration& read, MachineWarning& machine) {
  notify.reloading();
  const ServerOptions current = *server.state().options();
  auto loaded = source.read_again();
  if (loaded) {
    std::string fault = reload_fault(read, *loaded);
    if (fault.empty()) fault = open_fault(*loaded, server.addresses());
    if (!fault.empty()) loaded = std::unexpected(std::move(fault));
  }
  if (!loaded) {
    log::error("configuration not reloaded", {{"error", loaded.error()}});
    notify.ready("configuration has errors, still running the old one");
    return;
  }
  const ServerOptions& wanted = loaded->options;
  const ServerOptions next = reloaded(current, wanted);
  log::set_level(next.log_level);
  const auto listed = [](const auto& keys) { return fmt::format("{}", fmt::join(keys, ",")); };
  Difference news = difference(read.options, wanted);
  if (is_same_auth(read, *loaded)) {
    server.reload(next);  // what it knows of tokens stays
  } else {
    outbound.configure(plan_of(*loaded), [&](std::shared_ptr<const net::Access> access) {
      server.reload(next, std::move(access));
    });
    news.applied.emplace_back("auth");
  }
  warn_of_files(*loaded, read);
  read = *loaded;
  const std::vector<std::string> waiting = difference(current, wanted).restart;
  const bool same = news.applied.empty() && news.restart.empty();
  log::info(same ? "configuration reloaded, nothing has changed" : "configuration reloaded",
            {{"applied", listed(news.applied)}, {"restart_needed", listed(waiting)}});
  if (!news.restart.empty() && !waiting.empty()) {
    log::warning("a restart is needed for some changes", {{"keys", listed(waiting)}});
  }
  if (std::ranges::find(news.applied, "heartbeat") != news.applied.end()) {
    warn_of_heartbeat(*loaded);
  }
  machine.configured(*loaded, server.state().admission.streams());
  notify.ready();
}

// glibc's malloc_trim gives back what is free in a thread's heap, but not at the heap's end, and it
// begins with merging the small pieces that were set aside (fastbins): one of them between a large
// free part and the end makes all of it that end, and 55 of 60 MB stayed. Without such pieces the
// end goes back as memory is freed. Before threads start.
void let_memory_go_back() {
  ::mallopt(M_MXFAST, 0);
}

// What the hub has in use and may stop using: requests, events, and topics, which without any take
// at least this much each.
std::uint64_t memory_in_use(Server& server) {
  constexpr std::uint64_t kTopicBytes = 256;
  return server.state().request_memory.taken() + server.state().hub.with([](const core::Hub& hub) {
    return hub.topics() * kTopicBytes + hub.log_bytes() + hub.pinned_bytes();
  });
}

// Feeds systemd's watchdog as long as every shard makes progress: half-way through its interval, as
// sd_watchdog_enabled(3) advises, and when a shard is late then, as soon as it has turned.
class Watchdog {
 public:
  Watchdog(Server& server, ServiceNotify& notify)
      : server_(server), notify_(notify), interval_(notify.watchdog_interval()) {}

  // At most `most`: until there is something to do.
  [[nodiscard]] std::chrono::milliseconds wait(std::chrono::milliseconds most) const {
    if (!interval_) return most;
    const auto rest =
        std::chrono::ceil<std::chrono::milliseconds>(next_ - std::chrono::steady_clock::now());
    return std::clamp(rest, std::chrono::milliseconds(0), most);
  }

  void look() {
    if (!interval_ || std::chrono::steady_clock::now() < next_) return;
    if (!server_.all_turned()) {
      if (!std::exchange(late_, true)) {
        log::error("a shard does not turn its loop; the watchdog is not fed");
      }
      next_ = std::chrono::steady_clock::now() + kLookAgain;
      return;
    }
    if (std::exchange(late_, false)) log::info("every shard turns its loop again");
    next_ = std::chrono::steady_clock::now() + *interval_;
    notify_.alive();
    notify_.status(fmt::format("{} streams", server_.state().admission.streams()));
  }

 private:
  static constexpr std::chrono::milliseconds kLookAgain{20};

  Server& server_;
  ServiceNotify& notify_;
  const std::optional<std::chrono::microseconds> interval_;
  std::chrono::steady_clock::time_point next_{};
  bool late_ = false;
};

class Service {
 public:
  // `read`: the configuration that the hub was started with.
  Service(const ConfigurationSource& source, Configuration read, Server& server,
          net::Outbound& outbound, std::jthread companion, ServiceNotify& notify,
          const ServiceSignals& signals, MachineWarning& machine)
      : source_(source),
        read_(std::move(read)),
        server_(server),
        outbound_(outbound),
        companion_(std::move(companion)),
        notify_(notify),
        signals_(signals),
        machine_(machine),
        watchdog_(server, notify) {}

  // Until the hub has ended. `came`: a signal to begin with. False: because its history was lost;
  // another one is to be started.
  [[nodiscard]] bool run(const ServiceSignals::Signal& came) {
    using std::chrono::milliseconds;
    on_signal(came);
    while (!server_.ended()) {
      // A drain that is done should not wait for a second.
      on_signal(signals_.wait(watchdog_.wait(milliseconds(draining_ ? 50 : 1000))));
      watchdog_.look();
      if (!draining_) look_around();
    }
    return !lost_;
  }

 private:
  // About once a second.
  void look_around() {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_look_) return;
    next_look_ = now + std::chrono::seconds(1);
    if (const std::uint64_t freed = memory_.look(memory_in_use(server_), now); freed != 0) {
      ::malloc_trim(0);
      log::info("memory given back", {{"freed_bytes", freed}});
    }
    machine_.connected(*server_.state().options(), server_.state().admission.streams());
    if (server_.history_lost()) {
      lost_ = true;
      drain("the history was lost");
    }
  }

  void on_signal(const ServiceSignals::Signal& signal) {
    using Meaning = ServiceSignals::Meaning;
    if (signal.meaning == Meaning::reload) {
      reload(source_, server_, outbound_, notify_, read_, machine_);
    }
    if (signal.meaning == Meaning::nothing) {
      log::info("a signal that means nothing here", {{"signal", signal.name()}});
    }
    if (signal.meaning == Meaning::drain) drain(signal.name());
  }

  void drain(std::string_view why) {
    if (draining_) {
      log::info("stopping at once");
      server_.stop();
      return;
    }
    draining_ = true;
    const std::uint32_t time_s = server_.state().options()->drain_timeout_s;
    log::info("draining", {{"streams", server_.state().admission.streams()},
                           {"timeout_s", time_s},
                           {"reason", why}});
    notify_.stopping("draining");
    notify_.extend_timeout(std::chrono::seconds(time_s + 10));
    companion_ = {};  // asks it to stop, and joins it
    server_.drain();
  }

  const ConfigurationSource& source_;
  Configuration read_;  // the last one
  Server& server_;
  net::Outbound& outbound_;
  std::jthread companion_;
  ServiceNotify& notify_;
  const ServiceSignals& signals_;
  MachineWarning& machine_;
  Watchdog watchdog_;
  MemoryReturn memory_;
  std::chrono::steady_clock::time_point next_look_{};
  bool draining_ = false;
  bool lost_ = false;  // the history, so it drains
};

}  // namespace

int run_serve(const OptionFlags& flags, Configuration configuration, HubProgram program) {
  const auto& wanted = configuration.options.listen;
  if (const std::string fault = open_fault(configuration, wanted); !fault.empty()) {
    flags.complain(fault);
    return 2;
  }
  auto handed = net::take_handed_descriptors();
  ServerOptions& options = configuration.options;
  const ConfigurationSource source(flags, std::move(program.namespaces));
  if (const std::string fault = source.add_to(options); !fault.empty()) {
    flags.complain(fault);
    return 2;
  }
  let_memory_go_back();
  log::configure(options.log_level, options.log_format);
  ServiceNotify notify = ServiceNotify::from_environment();
  const ServiceSignals signals;
  if (const auto raised = net::raise_descriptor_limit(); !raised) log::warning(raised.error());
  options.private_descriptors = true;
  const auto outbound = net::Outbound::create();
  if (!outbound) {
    log::error("cannot start", {{"error", outbound.error()}});
    return 1;
  }
  std::shared_ptr<const net::Access> access;
  (*outbound)->configure(plan_of(configuration),
                         [&access](std::shared_ptr<const net::Access> made) { access = made; });
  StartSignals starting(signals);
  auto server = Server::start(options, std::move(program.application), nullptr, std::move(access),
                              std::move(handed), &notify);
  const ServiceSignals::Signal came = starting.end();
  if (!server) {
    log::error("cannot start", {{"error", server.error()}});
    return 1;
  }
  (*outbound)->begin([&server](std::shared_ptr<const net::Access> renewed) {
    (*server)->reload_access(std::move(renewed));
  });
  const std::string reachable = reachable_by_others((*server)->addresses());
  if (configuration.auth == nullptr && !reachable.empty()) {
    log::warning(kOpenPublishing, {{"address", reachable}});
  }
  warn_of_files(configuration);
  MachineWarning machine(static_cast<std::uint32_t>((*server)->shards()));
  machine.configured(configuration, 0);
  warn_of_heartbeat(configuration);
  log::info("listening", {{"address", fmt::format("{}", fmt::join((*server)->addresses(), ","))},
                          {"shards", (*server)->shards()},
                          {"io", (*server)->state().metrics.front()->io_name.load()}});
  notify.ready(fmt::format("listening on {}", fmt::join((*server)->addresses(), ", ")));
  std::jthread beside = program.companion ? program.companion(**server) : std::jthread();
  const bool done = Service(source, configuration, **server, **outbound, std::move(beside), notify,
                            signals, machine)
                        .run(came);
  (*server)->wait();
  (*outbound)->stop();
  log::info("stopped");
  return done ? 0 : 1;
}

}  // namespace tocsin::tools
