#include "tools/load/options/load_arguments.h"

#include <arpa/inet.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <random>

#include <fmt/format.h>

#include "net/base/cores.h"
#include "proto/text/utf8.h"
#include "tools/load/events/payload.h"
#include "tools/load/figures/readable.h"
#include "tools/load/options/flag_values.h"
#include "tools/load/options/recipes.h"
#include "tools/load/options/request_template.h"
#include "tools/load/options/scenarios.h"

namespace tocsin::load {
namespace {

constexpr std::string_view kDefaultUrl = "http://127.0.0.1:8080";
// Of a receiving thread's table: the ring, eventfds, what the process had open when it started.
constexpr std::uint64_t kOtherDescriptors = 200;
constexpr std::uint32_t kStreamsOfAddress = 1000;

struct Words {
  Scenario scenario = Scenario::broadcast;
  std::string url{kDefaultUrl};
};

std::expected<Words, std::string> read_words(const std::vector<std::string>& words) {
  Words result;
  bool has_scenario = false;
  bool has_url = false;
  for (const std::string& word : words) {
    // Scenarios are single words; anything with one of these is meant as an address.
    bool& has = word.find_first_of(":/.") == std::string::npos ? has_scenario : has_url;
    if (has) {
      return std::unexpected(fmt::format("'{}' is a second {}; there can be one", word,
                                         &has == &has_url ? "URL" : "SCENARIO"));
    }
    has = true;
    if (&has == &has_url) {
      result.url = word;
      continue;
    }
    const auto scenario = find_scenario(word);
    if (!scenario) {
      std::string names;
      for (const auto& info : scenarios()) names += fmt::format(" {}", info.name);
      return std::unexpected(fmt::format("unknown SCENARIO '{}'; there are:{}", word, names));
    }
    result.scenario = *scenario;
  }
  return result;
}

std::string apply_flags(const std::vector<std::pair<Flag, std::string>>& given,
                        LoadOptions& options) {
  for (const auto& [flag, value] : given) {
    if (std::string fault = flag.apply(options, value); !fault.empty()) {
      return fmt::format("{}: {}", flag.shown_names(), fault);
    }
  }
  return {};
}

// Flags that take their meaning from others, or have none beside them.
std::string settle_publishing(const LoadArguments& arguments, LoadOptions& o) {
  PublishLoad& p = o.publish;
  if (arguments.has("--no-publish")) {
    p.mode = PublishMode::none;
    if (arguments.has("--rate")) return "--rate: --no-publish says that nothing is published";
  }
  // One bound stands for both: `--duration 60` is not to end after the scenario's 100 events.
  if (arguments.has("--duration") && p.duration_s > 0 && !arguments.has("--events")) p.events = 0;
  if (arguments.has("--events") && p.events > 0 && !arguments.has("--duration")) p.duration_s = 0;
  if (o.workload.topics == 0) o.workload.topics = o.subscribe.count;
  if (p.history > 0 && !arguments.has("--topic")) {
    // What an earlier run left in a topic would be replayed too.
    o.workload.topic_prefix = fmt::format("load-{:08x}", std::random_device()());
  }

  if (p.mode == PublishMode::none) {
    if (arguments.has("--duration")) {
      return "--duration: nothing is published here; --idle is the window without events";
    }
    if (arguments.has("--events")) return "--events: nothing is published here; see --history";
  } else if (p.events == 0 && p.duration_s <= 0) {
    return "--events and --duration are both 0: the run would never end";
  }
  if (p.mode != PublishMode::rate) {
    for (const char* flag : {"--poisson", "--burst"}) {
      if (arguments.has(flag)) return fmt::format("{} needs --rate", flag);
    }
  }
  if (p.mode != PublishMode::full && arguments.has("--ahead")) {
    return "--ahead needs the scenario saturate without --rate";
  }
  if (p.mode == PublishMode::each && p.batch > 1) {
    return "--batch: this scenario publishes one event at a time; --rate or saturate does not";
  }
  return {};
}

std::string check_course(const LoadArguments& arguments, const LoadOptions& o) {
  const SubscriberOptions& s = o.subscribe;
  if (o.warmup > s.count) {
    return fmt::format("--warmup: {} of {} subscribers (-n) are more than there are",
                       readable_count(o.warmup), readable_count(s.count));
  }
  if (o.drain_s <= 0) return "--drain: takes more than 0 seconds";
  const bool by_rate = o.publish.mode == PublishMode::rate;
  if (s.churn_per_s > 0 && !by_rate) return "--churn needs --rate";
  if (s.herd_after_s > 0 && !by_rate) return "--herd-after needs --rate";
  if (s.slow_share > 0 && !by_rate) return "--slow-share needs --rate";
  if (arguments.has("--churn-resume") && s.churn_per_s <= 0) return "--churn-resume needs --churn";
  if (arguments.has("--herd-share") && s.herd_after_s <= 0) {
    return "--herd-share needs --herd-after";
  }
  if (arguments.has("--slow-rate") && s.slow_share <= 0) return "--slow-rate needs --slow-share";
  if (s.herd_after_s > 0 && o.publish.duration_s > 0 && s.herd_after_s >= o.publish.duration_s) {
    return "--herd-after: publishing is over by then, see --duration";
  }
  if ((o.scenario == Scenario::replay) != (o.publish.history > 0)) {
    return "--history: the scenario replay, and no other, publishes events before anybody connects";
  }
  if (o.report_path == "-") return "--report: takes a file, not '-'";
  return {};
}

// What was typed is quoted in errors, which are one line.
std::string one_line(std::string_view text) {
  return proto::without_controls(text);
}

bool mentions_topic(const std::string& text) {
  return text.find("{topic}") != std::string::npos;
}

bool mentions_topic(const net::Url& url, const net::HeaderList& headers) {
  return mentions_topic(url.target) || std::ranges::any_of(headers, [](const net::HeaderField& f) {
           return mentions_topic(f.value);
         });
}

std::string check_templates(const LoadOptions& o) {
  const PublishTemplate& request = o.publish.request;
  const bool publishes = o.publish.mode != PublishMode::none || o.publish.history > 0;
  if (publishes) {
    const auto compiled = RequestTemplate::compile(request, o.publish.batch);
    if (!compiled) return compiled.error();
  }
  if (o.workload.topics > 1) {
    if (!mentions_topic(o.subscribe.url, o.subscribe.headers)) {
      return "--topics: neither the URL nor a --header has {topic}";
    }
    if (publishes && !mentions_topic(request.url, request.headers) &&
        !mentions_topic(request.item)) {
      return "--topics: no part of the publishing request has {topic}";
    }
  }
  const std::uint64_t lanes = std::max<std::uint64_t>(o.workload.topics, o.publish.connections);
  if (lanes > kMaxLanes) {
    return fmt::format("--topics: more than {} topics or publishers", readable_count(kMaxLanes));
  }
  return {};
}

std::string settle_threads(const Machine& machine, SubscriberOptions& s) {
  const std::uint64_t of_thread =
      machine.descriptors > kOtherDescriptors ? machine.descriptors - kOtherDescriptors : 1;
  const std::uint64_t needed = (s.count + of_thread - 1) / of_thread;
  if (s.threads == 0) {
    s.threads = static_cast<std::uint32_t>(
        std::max<std::uint64_t>(std::min(machine.cores, s.count), needed));
  }
  if (s.threads < needed) {
    return fmt::format(
        "--threads: {} are too few for {} subscribers, as a thread has {} descriptors "
        "(RLIMIT_NOFILE); use --threads {}",
        s.threads, readable_count(s.count), readable_count(machine.descriptors), needed);
  }
  s.threads = std::min(s.threads, s.count);
  return {};
}

bool is_loopback(const std::string& host) {
  in_addr address{};
  if (inet_pton(AF_INET, host.c_str(), &address) != 1) return false;
  return ntohl(address.s_addr) >> 24 == 127;
}

// For a loopback server 1,000 streams on an address, and three times that for those that come
// again while the ports of their last connections are in TIME_WAIT.
void settle_sources(const Machine& machine, SubscriberOptions& s,
                    std::vector<std::string>& warnings) {
  if (s.sources.is_empty() && is_loopback(s.url.host)) {
    const std::uint32_t count = 4 * ((s.count + kStreamsOfAddress - 1) / kStreamsOfAddress);
    const auto last = in_addr{htonl(0x7f010000U + count)};
    std::array<char, INET_ADDRSTRLEN> text{};
    inet_ntop(AF_INET, &last, text.data(), text.size());
    auto sources = SourceAddresses::parse(fmt::format("127.1.0.1-{}", text.data()));
    if (sources) s.sources = std::move(*sources);
  }
  const std::uint64_t addresses = s.sources.is_empty() ? 1 : s.sources.count();
  if (s.count > addresses * machine.ports) {
    warnings.push_back(fmt::format(
        "{} subscribers from {}, with {} ports each (ip_local_port_range): the last ones will "
        "fail; name more with --source",
        readable_count(s.count),
        addresses == 1 ? "one address" : readable_count(addresses) + " addresses",
        readable_count(machine.ports)));
  }
}

std::expected<const Recipe*, std::string> choose_recipe(const LoadArguments& arguments,
                                                        const LoadOptions& o) {
  const Recipe* recipe = find_recipe(arguments.recipe);
  if (recipe == nullptr) {
    std::string names;
    for (const Recipe& known : recipes()) names += fmt::format(" {}", known.name);
    return std::unexpected(
        fmt::format("--recipe: unknown '{}'; there are:{}", arguments.recipe, names));
  }
  if (o.publish.batch > 1 && recipe->many.target.empty() && !arguments.has("--publish-item")) {
    return std::unexpected(
        fmt::format("--batch: {} knows no request with several events (--publish-item can say how)",
                    recipe->name));
  }
  return recipe;
}

// The recipe and what the flags say against it.
std::string settle_requests(const LoadArguments& arguments, const std::string& url, LoadOptions& o,
                            std::vector<std::string>& warnings) {
  const auto recipe = choose_recipe(arguments, o);
  if (!recipe) return recipe.error();
  auto streams = parse_target(url);
  if (!streams) return fmt::format("URL {}", streams.error());
  o.subscribe.url = std::move(*streams);
  // Twice: where the recipe fills in what a --publish-url leaves open, and where flags stand above
  // what the recipe says.
  if (auto fault = apply_flags(arguments.request, o); !fault.empty()) return fault;
  apply_recipe(**recipe, o);
  const net::Url target = o.publish.request.url;
  o.publish.request.headers.clear();
  if (auto fault = apply_flags(arguments.request, o); !fault.empty()) return fault;
  o.publish.request.url = target;
  const bool resumes = o.subscribe.herd_after_s > 0 || o.subscribe.churn_resume > 0 ||
                       o.scenario == Scenario::replay || o.scenario == Scenario::deploy;
  if (resumes && !(*recipe)->can_resume) {
    warnings.push_back(
        fmt::format("{} cannot resume: what is published while a subscriber is away counts as lost",
                    (*recipe)->name));
  }
  return {};
}

}  // namespace

Machine Machine::current() {
  Machine machine;
  machine.cores = static_cast<std::uint32_t>(net::allowed_cores().size());
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) machine.descriptors = limit.rlim_max;
  std::ifstream range("/proc/sys/net/ipv4/ip_local_port_range");
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  if (range >> first >> last && last >= first) machine.ports = last - first + 1;
  return machine;
}

bool LoadArguments::has(std::string_view long_name) const {
  const auto is_it = [&](const auto& given) { return given.first.long_name() == long_name; };
  return std::ranges::any_of(common, is_it) || std::ranges::any_of(request, is_it);
}

std::expected<ResolvedLoad, std::string> resolve(const LoadArguments& arguments,
                                                 const Machine& machine) {
  const auto words = read_words(arguments.words);
  if (!words) return std::unexpected(one_line(words.error()));
  ResolvedLoad result{scenario_defaults(words->scenario), {}};
  LoadOptions& o = result.options;
  std::string fault = apply_flags(arguments.common, o);
  if (fault.empty()) fault = settle_publishing(arguments, o);
  if (fault.empty()) fault = check_course(arguments, o);
  if (fault.empty()) fault = settle_requests(arguments, words->url, o, result.warnings);
  if (fault.empty()) fault = check_templates(o);
  if (fault.empty()) fault = settle_threads(machine, o.subscribe);
  if (!fault.empty()) return std::unexpected(one_line(std::move(fault)));
  settle_sources(machine, o.subscribe, result.warnings);
  while (o.workload.seed == 0) {
    std::random_device device;
    o.workload.seed = (std::uint64_t{device()} << 32) | device();
  }
  return result;
}

}  // namespace tocsin::load
