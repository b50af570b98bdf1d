#include "tools/load/options/load_flags.h"

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "proto/limits.h"
#include "tools/base/credential_file.h"
#include "tools/load/events/payload.h"
#include "tools/load/host/server_probe.h"
#include "tools/load/options/flag_values.h"

namespace tocsin::load {
namespace {

constexpr double kMaxSeconds = 1e6;  // eleven days
constexpr double kMaxRate = 1e8;

using Apply = std::function<std::string(LoadOptions&, const std::string&)>;

// What `parse` makes of the value goes to the member that `place` gives.
template <typename Parse, typename Place>
Apply parsed(Parse parse, Place place) {
  return [=](LoadOptions& options, const std::string& text) -> std::string {
    auto value = parse(text);
    if (!value) return std::move(value.error());
    auto& member = place(options);
    member = static_cast<std::remove_reference_t<decltype(member)>>(std::move(*value));
    return {};
  };
}

template <typename Place>
Apply whole(std::uint64_t min, std::uint64_t max, Place place) {
  return parsed([=](std::string_view text) { return parse_whole(text, min, max); }, place);
}

template <typename Place>
Apply real(double max, Place place) {
  return parsed([=](std::string_view text) { return parse_real(text, max); }, place);
}

template <typename Place>
Apply text_of(Place place) {
  return [=](LoadOptions& options, const std::string& text) -> std::string {
    if (text.empty()) return "must not be empty";
    place(options) = text;
    return {};
  };
}

template <typename Place>
Apply set(Place place) {
  return [=](LoadOptions& options, const std::string&) -> std::string {
    place(options) = true;
    return {};
  };
}

template <typename Place>
Apply header(Place place) {
  return [=](LoadOptions& options, const std::string& text) -> std::string {
    auto field = parse_header_field(text);
    if (!field) return std::move(field.error());
    place(options).push_back(std::move(*field));
    return {};
  };
}

template <typename Place>
Apply token_file(Place place) {
  return [=](LoadOptions& options, const std::string& text) -> std::string {
    auto field = tools::bearer_of_file(text);
    if (!field) return std::move(field.error());
    place(options).push_back(std::move(*field));
    return {};
  };
}

std::string token_list(LoadOptions& options, const std::string& text) {
  auto tokens = tools::credentials_of_file(text);
  if (!tokens) return std::move(tokens.error());
  options.subscribe.tokens = *std::move(tokens);
  return {};
}

std::string apply_io(LoadOptions& options, const std::string& text) {
  if (text == "auto") {
    options.subscribe.io = IoKind::automatic;
  } else if (text == "uring") {
    options.subscribe.io = IoKind::uring;
  } else if (text == "epoll") {
    options.subscribe.io = IoKind::epoll;
  } else {
    return fmt::format("takes auto, uring or epoll, not '{}'", text);
  }
  return {};
}

// A topic's name stands in URLs, forms and JSON; of these characters none needs escaping there.
std::string apply_topic(LoadOptions& options, const std::string& text) {
  if (text.size() > 128 || !is_plain_name(text)) {
    return fmt::format("takes up to 128 letters, digits and - . _ ~ / : and not '{}'", text);
  }
  options.workload.topic_prefix = text;
  return {};
}

std::string apply_resume_by(LoadOptions& options, const std::string& text) {
  if (!is_plain_name(text)) {
    return fmt::format("takes 'header' or the name of a query parameter, not '{}'", text);
  }
  options.subscribe.resume_by = text;
  return {};
}

std::string apply_framing(LoadOptions& options, const std::string& text) {
  if (text != "chunked" && text != "close") {
    return fmt::format("takes chunked or close, not '{}'", text);
  }
  options.subscribe.framing = text;
  return {};
}

std::string apply_rate(LoadOptions& options, const std::string& text) {
  const auto rate = parse_real(text, kMaxRate);
  if (!rate) return rate.error();
  if (*rate <= 0) return "takes a number above 0; --no-publish publishes nothing";
  options.publish.schedule.events_per_s = *rate;
  options.publish.mode = PublishMode::rate;
  return {};
}

std::string apply_pid(LoadOptions& options, const std::string& text) {
  const auto pid = parse_whole(text, 1, std::numeric_limits<pid_t>::max());
  if (!pid) return pid.error();
  if (kill(static_cast<pid_t>(*pid), 0) != 0 && errno == ESRCH) {
    return fmt::format("there is no process {}", text);
  }
  options.server_pids.push_back(static_cast<pid_t>(*pid));
  return {};
}

std::string apply_unit(LoadOptions& options, const std::string& text) {
  const auto pid = ServerProbe::main_pid(text);
  if (!pid) return pid.error();
  options.server_unit = text;
  options.server_pids.push_back(*pid);
  return {};
}

std::string apply_expect(LoadOptions& options, const std::string& text) {
  auto expectations = parse_expectations(text);
  if (!expectations) return expectations.error();
  std::ranges::move(*expectations, std::back_inserter(options.expectations));
  return {};
}

std::string apply_method(LoadOptions& options, const std::string& text) {
  const bool is_word = std::ranges::all_of(text, [](char c) { return c >= 'A' && c <= 'Z'; });
  if (text.empty() || text.size() > 16 || !is_word) {
    return fmt::format("takes POST, PUT or the like, not '{}'", text);
  }
  options.publish.request.method = text;
  return {};
}

std::string apply_type(LoadOptions& options, const std::string& text) {
  if (text.empty()) return "must not be empty";
  if (!net::is_header_field({"Content-Type", text})) {
    return fmt::format("'{}' cannot stand in a header", text);
  }
  options.publish.request.content_type = text;
  return {};
}

void add_subscriber_flags(std::vector<Flag>& flags) {
  constexpr std::string_view kGroup = "Subscribers";
  const auto in = [](auto member) {
    return [member](LoadOptions& o) -> auto& { return o.subscribe.*member; };
  };
  using S = SubscriberOptions;
  flags.insert(
      flags.end(),
      {{"-n,--subscribers", kGroup, "N", "Streams to hold open (default: the scenario's)",
        whole(1, 10'000'000, in(&S::count))},
       {"--threads", kGroup, "N",
        "Receiving threads (default: one for each core, or as many as descriptors ask for)",
        whole(1, 1024, in(&S::threads))},
       {"--io", kGroup, "auto|uring|epoll", "How to talk to the kernel (default: auto)", apply_io},
       {"--ramp", kGroup, "CONNECTS/S", "Pace of connecting (default: 0, at full speed)",
        real(kMaxRate, in(&S::connects_per_s))},
       {"--connects-in-flight", kGroup, "N", "Connects under way on each thread (default: 256)",
        whole(1, 65'535, in(&S::connects_in_flight))},
       {"--source", kGroup, "ADDRESSES",
        "Where connections come from: 127.0.0.1, A-B, A/PREFIX, with commas (default: enough of "
        "127.1.0.1 upwards for a loopback server, otherwise the kernel's choice)",
        parsed(SourceAddresses::parse, in(&S::sources))},
       {"--header", kGroup, "'NAME: VALUE'", "Sent with each stream's request; {topic} is replaced",
        header(in(&S::headers)), true},
       {"--token-file", kGroup, "FILE",
        "Keys or tokens, one a line: each stream sends one as Authorization: Bearer, in turn",
        token_list},
       {"--resume-by", kGroup, "HOW",
        "How a reader resumes: header (Last-Event-ID), or a query parameter's name (default: "
        "header)",
        apply_resume_by},
       {"--framing", kGroup, "chunked|close",
        "How Tocsin frames the streams (default: as it does for others)", apply_framing}});
}

void add_workload_flags(std::vector<Flag>& flags) {
  constexpr std::string_view kGroup = "Events";
  const auto in = [](auto member) {
    return [member](LoadOptions& o) -> auto& { return o.publish.*member; };
  };
  using P = PublishLoad;
  flags.insert(
      flags.end(),
      {{"--topics", kGroup, "N", "Topics; subscribers are dealt over them (default: 1)",
        whole(1, kMaxLanes, [](LoadOptions& o) -> auto& { return o.workload.topics; })},
       {"--zipf", kGroup, "S", "Exponent of the topics' popularity (default: 0, all the same)",
        real(10, [](LoadOptions& o) -> auto& { return o.workload.zipf; })},
       {"--topic", kGroup, "NAME",
        "The topic, or with --topics what its name begins with "
        "(default: load)",
        apply_topic},
       {"--size", kGroup, "BYTES",
        "Data of an event: N, A-B (uniform), N:WEIGHT,... (default: 200)",
        parsed(SizeDistribution::parse, [](LoadOptions& o) -> auto& { return o.workload.sizes; })},
       {"--publishers", kGroup, "N", "Publishing connections (default: the scenario's)",
        whole(1, 10'000, in(&P::connections))},
       {"--rate", kGroup, "EVENTS/S",
        "By a schedule that does not wait for the server "
        "(default: the scenario's)",
        apply_rate},
       {"--poisson", kGroup, "", "Exponential gaps between events instead of even ones",
        set([](LoadOptions& o) -> auto& { return o.publish.schedule.poisson; })},
       {"--burst", kGroup, "N", "Events that are due at the same moment (default: 1)",
        whole(1, 1'000'000, [](LoadOptions& o) -> auto& { return o.publish.schedule.burst; })},
       {"--batch", kGroup, "N", "Events of a request, in the recipe's form for many (default: 1)",
        whole(1, limits::kMaxBatchEvents, in(&P::batch))},
       {"--in-flight", kGroup, "N", "Unanswered requests of a connection (default: 64)",
        whole(1, 100'000, in(&P::in_flight))},
       {"--events", kGroup, "N", "Stop after so many (default: the scenario's; 0: no limit)",
        whole(0, std::uint64_t{1} << 40, in(&P::events))},
       {"--duration", kGroup, "SECONDS",
        "Stop after so long (default: the scenario's; 0: no limit)",
        real(kMaxSeconds, in(&P::duration_s))},
       {"--ahead", kGroup, "N",
        "saturate: events in front of the mean subscriber (default: 1000; "
        "0: no limit)",
        whole(0, std::uint64_t{1} << 40, in(&P::ahead))},
       {"--history", kGroup, "N",
        "Events published before anybody connects (default: 0; replay: "
        "1000)",
        whole(0, std::uint64_t{1} << 32, in(&P::history))},
       {"--no-publish", kGroup, "", "Only listen", [](LoadOptions& o, const std::string&) {
          o.publish.mode = PublishMode::none;
          return std::string();
        }}});
}

void add_course_flags(std::vector<Flag>& flags) {
  constexpr std::string_view kGroup = "Course";
  const auto in = [](auto member) {
    return [member](LoadOptions& o) -> auto& { return o.subscribe.*member; };
  };
  const auto of_run = [](auto member) {
    return [member](LoadOptions& o) -> auto& { return o.*member; };
  };
  using S = SubscriberOptions;
  using O = LoadOptions;
  flags.insert(flags.end(),
               {{"--churn", kGroup, "STREAMS/S",
                 "Streams that leave, and as many that come (default: 0; "
                 "churn: 100)",
                 real(kMaxRate, in(&S::churn_per_s))},
                {"--churn-resume", kGroup, "SHARE",
                 "Of them that come back where they left off, 0 to 1 "
                 "(default: 0; churn: 0.5)",
                 real(1, in(&S::churn_resume))},
                {"--herd-after", kGroup, "SECONDS",
                 "Cut streams so long after the first event (default: 0, "
                 "never; herd: 2)",
                 real(kMaxSeconds, in(&S::herd_after_s))},
                {"--herd-share", kGroup, "SHARE",
                 "Of the streams that are cut, 0 to 1 (default: 1)", real(1, in(&S::herd_share))},
                {"--slow-share", kGroup, "SHARE",
                 "Of the streams that read slowly, 0 to 1 (default: 0; slow: "
                 "0.1)",
                 real(1, in(&S::slow_share))},
                {"--slow-rate", kGroup, "BYTES/S", "What such a one reads (default: 0, nothing)",
                 real(1e9, in(&S::slow_bytes_per_s))},
                {"--warmup", kGroup, "N",
                 "Subscribers that connect before anything is measured (default: 0)",
                 whole(0, 10'000'000, of_run(&O::warmup))},
                {"--settle", kGroup, "SECONDS",
                 "After connecting, before memory is read (default: 0; idle: 1)",
                 real(kMaxSeconds, of_run(&O::settle_s))},
                {"--idle", kGroup, "SECONDS",
                 "Window without events in which CPU is measured (default: 0; "
                 "idle: 10)",
                 real(kMaxSeconds, of_run(&O::idle_s))},
                {"--drain", kGroup, "SECONDS",
                 "Without any progress: what is missing then is lost (default: "
                 "10; churn, slow: 2; deploy: 5)",
                 real(kMaxSeconds, of_run(&O::drain_s))}});
}

void add_result_flags(std::vector<Flag>& flags) {
  constexpr std::string_view kServer = "Measured server";
  constexpr std::string_view kResult = "Result";
  const auto of_run = [](auto member) {
    return [member](LoadOptions& o) -> auto& { return o.*member; };
  };
  using O = LoadOptions;
  flags.insert(
      flags.end(),
      {{"--pid", kServer, "PID", "Its process; descendants are found", apply_pid, true},
       {"--unit", kServer, "NAME", "The systemd unit whose main process it is", apply_unit},
       {"--memory", kServer, "", "Read the kernel's caches too (as root; the whole machine's)",
        set(of_run(&O::kernel_memory))},
       {"--expect", kResult, "LIST",
        "Thresholds: 'p99<50ms,lost=0'; exit status 1 if one is missed", apply_expect, true},
       {"--json", kResult, "FILE", "Write the result as JSON; - is standard output",
        text_of(of_run(&O::json_path))},
       {"--report", kResult, "FILE", "Write the result as a page of HTML",
        text_of(of_run(&O::report_path))},
       {"--quiet", kResult, "", "No progress", set(of_run(&O::quiet))},
       {"--seed", kResult, "N", "Of all random choices (default: 0, random, and told)",
        whole(0, std::numeric_limits<std::uint64_t>::max(),
              [](LoadOptions& o) -> auto& { return o.workload.seed; })}});
}

}  // namespace

std::string_view Flag::long_name() const {
  return names.substr(names.rfind(',') + 1);  // npos + 1 is 0
}

std::string Flag::shown_names() const {
  const std::size_t comma = names.find(',');
  if (comma == std::string_view::npos) return std::string(names);
  return fmt::format("{}, {}", names.substr(0, comma), names.substr(comma + 1));
}

std::vector<Flag> common_flags() {
  std::vector<Flag> flags;
  add_subscriber_flags(flags);
  add_workload_flags(flags);
  add_course_flags(flags);
  add_result_flags(flags);
  return flags;
}

std::vector<Flag> request_flags() {
  constexpr std::string_view kGroup = "Publishing requests";
  const auto in = [](auto member) {
    return [member](LoadOptions& o) -> auto& { return o.publish.request.*member; };
  };
  using T = PublishTemplate;
  return {
      {"--publish-url", kGroup, "URL",
       "Where events go (default: the recipe's path at the URL's "
       "host)",
       parsed(parse_target, in(&T::url))},
      {"--publish-method", kGroup, "METHOD", "(default: POST)", apply_method},
      {"--publish-header", kGroup, "'NAME: VALUE'", "Sent with each request; {topic} is replaced",
       header(in(&T::headers)), true},
      {"--publish-token-file", kGroup, "FILE", "The key or token of each request",
       token_file(in(&T::headers))},
      {"--publish-type", kGroup, "TYPE", "Content-Type (default: the recipe's)", apply_type},
      {"--publish-item", kGroup, "TEXT",
       "An event: {topic} and {data} are replaced, \\n is a line "
       "end (default: the recipe's)",
       parsed(unescape, in(&T::item))},
      {"--publish-prefix", kGroup, "TEXT", "In front of a request's events (default: the recipe's)",
       parsed(unescape, in(&T::body_prefix))},
      {"--publish-separator", kGroup, "TEXT", "Between them (default: the recipe's)",
       parsed(unescape, in(&T::separator))},
      {"--publish-suffix", kGroup, "TEXT", "Behind them (default: the recipe's)",
       parsed(unescape, in(&T::body_suffix))},
      {"--publish-ok", kGroup, "STATUSES",
       "Answers that are a success (default: "
       "200,201,202,204)",
       parsed(parse_statuses, in(&T::success))}};
}

}  // namespace tocsin::load
