// From the command line to the options of a run, and everything that is refused on the way.

#include "tools/load/options/load_options.h"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/load/events/payload.h"
#include "tools/load/load_command.h"
#include "tools/load/options/flag_values.h"
#include "tools/load/options/recipes.h"
#include "tools/load/options/scenarios.h"

namespace tocsin::load {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using CommandWords = std::vector<std::string>;

constexpr Machine kMachine{.cores = 2, .descriptors = 20'000, .ports = 28'232};

std::expected<ResolvedLoad, std::string> read(CommandWords words,
                                              const Machine& machine = kMachine) {
  CLI::App app;
  LoadArguments arguments;
  add_load_flags(app, arguments);
  std::ranges::reverse(words);  // as CLI11 takes them
  try {
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    return std::unexpected(std::string("parse: ") + error.what());
  }
  return resolve(arguments, machine);
}

LoadOptions options_of(const CommandWords& words) {
  auto resolved = read(words);
  EXPECT_TRUE(resolved) << resolved.error();
  return resolved ? std::move(resolved->options) : LoadOptions();
}

std::string fault_of(const CommandWords& words, const Machine& machine = kMachine) {
  const auto resolved = read(words, machine);
  return resolved ? "no fault" : resolved.error();
}

TEST(LoadOptions, DefaultsAreABroadcast) {
  const LoadOptions o = options_of({});
  EXPECT_EQ(o.scenario, Scenario::broadcast);
  EXPECT_EQ(o.publish.mode, PublishMode::each);
  EXPECT_EQ(o.subscribe.url.to_string(), "http://127.0.0.1:8080/events?stream={topic}");
  EXPECT_EQ(o.publish.request.url.to_string(), "http://127.0.0.1:8080/publish?stream={topic}");
  EXPECT_EQ(o.publish.request.content_type, "text/plain");
  EXPECT_EQ(o.publish.request.item, "{data}");
  EXPECT_EQ(o.subscribe.threads, 2U);
  EXPECT_NE(o.workload.seed, 0U);
}

TEST(LoadOptions, EveryScenarioIsComplete) {
  for (const ScenarioInfo& info : scenarios()) {
    const LoadOptions o = options_of({std::string(info.name)});
    EXPECT_EQ(o.scenario, info.scenario);
    EXPECT_EQ(name_of(info.scenario), info.name);
    EXPECT_GT(o.workload.topics, 0U) << info.name;
  }
  const LoadOptions topics = options_of({"topics", "-n", "77"});
  EXPECT_EQ(topics.workload.topics, 77U);
}

TEST(LoadOptions, AReplayHasATopicOfItsOwn) {
  EXPECT_NE(options_of({"replay"}).workload.topic_prefix,
            options_of({"replay"}).workload.topic_prefix);
  EXPECT_EQ(options_of({"replay", "--topic", "mine"}).workload.topic_prefix, "mine");
}

TEST(LoadOptions, WordsInAnyCombination) {
  EXPECT_EQ(options_of({"http://10.0.0.1:81"}).subscribe.url.authority(), "10.0.0.1:81");
  const LoadOptions both = options_of({"idle", "http://h/stream/x"});
  EXPECT_EQ(both.scenario, Scenario::idle);
  EXPECT_EQ(both.subscribe.url.target, "/stream/x");  // a path is used as it is
  EXPECT_THAT(fault_of({"nonsense"}), HasSubstr("unknown SCENARIO 'nonsense'"));
  EXPECT_THAT(fault_of({"idle", "herd"}), HasSubstr("'herd'"));
  EXPECT_THAT(fault_of({"idle", "http://h", "more"}), HasSubstr("parse: "));
  EXPECT_THAT(fault_of({"idle", "127.0.0.1:8080"}), HasSubstr("127.0.0.1:8080"));
  EXPECT_THAT(fault_of({"https://h"}), HasSubstr("https is not supported"));
  EXPECT_THAT(fault_of({"HTTPS://h"}), HasSubstr("https is not supported"));
}

TEST(LoadOptions, FlagsStandAboveTheScenario) {
  const LoadOptions o = options_of({"churn",
                                    "-n",
                                    "12",
                                    "--rate",
                                    "7.5",
                                    "--poisson",
                                    "--burst",
                                    "3",
                                    "--churn",
                                    "2",
                                    "--churn-resume",
                                    "1",
                                    "--topics",
                                    "3",
                                    "--zipf",
                                    "0.9",
                                    "--topic",
                                    "t",
                                    "--size",
                                    "100-300",
                                    "--publishers",
                                    "2",
                                    "--in-flight",
                                    "9",
                                    "--header",
                                    "A: b",
                                    "--header",
                                    "C: d",
                                    "--pid",
                                    std::to_string(getpid()),
                                    "--expect",
                                    "lost=0",
                                    "--expect",
                                    "p99<1s",
                                    "--quiet",
                                    "--seed",
                                    "5",
                                    "--json",
                                    "-",
                                    "--io",
                                    "epoll",
                                    "--resume-by",
                                    "lastId"});
  EXPECT_EQ(o.subscribe.count, 12U);
  EXPECT_EQ(o.publish.mode, PublishMode::rate);
  EXPECT_EQ(o.publish.schedule.events_per_s, 7.5);
  EXPECT_TRUE(o.publish.schedule.poisson);
  EXPECT_EQ(o.publish.schedule.burst, 3U);
  EXPECT_EQ(o.subscribe.churn_per_s, 2);
  EXPECT_EQ(o.subscribe.churn_resume, 1);
  EXPECT_EQ(o.workload.topics, 3U);
  EXPECT_EQ(o.workload.sizes.largest(), 300U);
  EXPECT_THAT(o.subscribe.headers,
              ElementsAre(net::HeaderField{"A", "b"}, net::HeaderField{"C", "d"}));
  EXPECT_THAT(o.server_pids, ElementsAre(getpid()));
  EXPECT_EQ(o.expectations.size(), 2U);
  EXPECT_EQ(o.workload.seed, 5U);
  EXPECT_EQ(o.subscribe.io, IoKind::epoll);
  EXPECT_EQ(o.subscribe.resume_by, "lastId");
}

TEST(LoadOptions, ABoundStandsForBoth) {
  EXPECT_EQ(options_of({"broadcast", "--duration", "60"}).publish.events, 0U);
  const LoadOptions events = options_of({"trickle", "--events", "5"});
  EXPECT_EQ(events.publish.duration_s, 0);
  EXPECT_EQ(events.publish.events, 5U);
  const LoadOptions both = options_of({"trickle", "--events", "5", "--duration", "3"});
  EXPECT_EQ(both.publish.duration_s, 3);
  EXPECT_EQ(both.publish.events, 5U);
  EXPECT_THAT(fault_of({"saturate", "--events", "0", "--duration", "0"}), HasSubstr("both 0"));
  EXPECT_THAT(fault_of({"trickle", "--duration", "0"}), HasSubstr("both 0"));
}

TEST(LoadOptions, EveryNumberIsChecked) {
  for (const Flag& flag : common_flags()) {
    const bool is_number = flag.value == "N" || flag.value == "SECONDS" || flag.value == "SHARE" ||
                           flag.value.find("/S") != std::string_view::npos || flag.value == "PID";
    if (!is_number) continue;
    for (const char* value : {"-1", "nan", "inf", "", "1x", "1e30", " 1", "0x10"}) {
      EXPECT_THAT(fault_of({std::string(flag.long_name()), value}),
                  HasSubstr(std::string(flag.long_name())))
          << value;
    }
  }
  for (const char* flag : {"--churn-resume", "--herd-share", "--slow-share"}) {
    EXPECT_THAT(fault_of({flag, "1.01"}), HasSubstr("from 0 to 1"));
  }
  EXPECT_THAT(fault_of({"-n", "0"}), HasSubstr("--subscribers"));
  EXPECT_THAT(fault_of({"--rate", "0"}), HasSubstr("--rate"));
  EXPECT_THAT(fault_of({"-n", "1", "-n", "2"}), HasSubstr("--subscribers"));
}

void expect_faults(const std::vector<std::pair<CommandWords, std::string>>& cases) {
  for (const auto& [words, fault] : cases) {
    EXPECT_THAT(fault_of(words), HasSubstr(fault)) << ::testing::PrintToString(words);
    EXPECT_THAT(fault_of(words), ::testing::Not(HasSubstr("\n"))) << "one line";
  }
}

TEST(LoadOptions, WhatContradictsIsRefused) {
  expect_faults({
      {{"--poisson"}, "--poisson needs --rate"},
      {{"saturate", "--burst", "2"}, "--burst needs --rate"},
      {{"--ahead", "5"}, "--ahead"},
      {{"broadcast", "--batch", "5"}, "--batch"},
      {{"broadcast", "--churn", "5"}, "--churn needs --rate"},
      {{"broadcast", "--herd-after", "5"}, "--herd-after needs --rate"},
      {{"saturate", "--slow-share", "0.5"}, "--slow-share needs --rate"},
      {{"trickle", "--churn-resume", "0.5"}, "--churn-resume needs --churn"},
      {{"trickle", "--herd-share", "0.5"}, "--herd-share needs --herd-after"},
      {{"trickle", "--slow-rate", "5"}, "--slow-rate needs --slow-share"},
      {{"herd", "--herd-after", "20"}, "--herd-after"},
      {{"-n", "5", "--warmup", "6"}, "--warmup: 6 of 5 subscribers"},
      {{"trickle", "--no-publish", "--rate", "5"}, "--rate: --no-publish"},
      {{"idle", "--duration", "5"}, "--duration"},
      {{"broadcast", "--history", "5"}, "--history"},
      {{"replay", "--history", "0"}, "--history"},
      {{"replay", "--events", "5"}, "--events"},
      {{"--report", "-"}, "--report: takes a file, not '-'"},
      {{"idle", "churn"}, "'churn' is a second SCENARIO"},
      {{"http://a", "http://b"}, "'http://b' is a second URL"},
      {{"--drain", "0"}, "--drain"},
      {{"--topics", "2", "http://h/fixed"}, "--topics"},
      {{"--topics", "2", "--publish-url", "http://h/fixed"}, "--topics"},
      {{"--publish-item", "{\"x\":1}"}, "--publish-item"},
  });
}

TEST(LoadOptions, BadValuesAreExplained) {
  expect_faults({
      {{"--publishers", "0"}, "--publishers"},
      {{"--topics", std::to_string(kMaxLanes + 1ULL)}, "--topics"},
      {{"--size", std::to_string(kPayloadHead - 1)}, "--size: '60' is too small: an event that"},
      {{"--size", "9999999"}, "--size: '9999999' is too large: an event has at most 1,048,576"},
      {{"--size", "x"}, "--size: 'x' is neither a number of bytes (200) nor a range"},
      {{"--size", "200-100"}, "--size: '200-100': the range ends before it begins"},
      {{"--size", "100,200:1"}, "--size: '100' lacks a weight"},
      {{"--size", "100:0"}, "--size: '100:0': the weight behind the ':'"},
      {{"--io", "select"}, "--io"},
      {{"--topic", "a b"}, "--topic"},
      {{"--topic", ""}, "--topic"},
      {{"--source", "::1"}, "--source: '::1' is no IPv4 address, range"},
      {{"--source", "127.0.0.1,"}, "--source: an address is missing"},
      {{"--source", "127.0.0.1/8"}, "--source: '127.0.0.1/8' is no network"},
      {{"--source", "224.0.0.1"}, "--source: '224.0.0.1': only 1.0.0.0 to"},
      {{"-n", "0"}, "-n, --subscribers: takes a whole number from 1 to 10,000,000, not '0'"},
      {{"saturate", "--batch", "16385"}, "--batch: takes a whole number from 1 to 16,384, not"},
      {{"--rate", "1e9"}, "--rate: takes a number from 0 to 100,000,000, not '1e9'"},
      {{"--header", "content-LENGTH: 3"}, "--header: content-LENGTH: what says how long a body is"},
      {{"--publish-header", "Transfer-Encoding: chunked"}, "--publish-header: Transfer-Encoding:"},
      {{"--publish-method", "GET"}, "{data} must stand in --publish-url"},
      {{"--publish-type", ""}, "--publish-type: must not be empty"},
      {{"--header", "no colon"}, "--header"},
      {{"--header", "A: b\r\nC: d"}, "--header"},
      {{"--resume-by", "a&b"}, "--resume-by"},
      {{"--recipe", "nonsense"}, "--recipe: unknown 'nonsense'"},
      {{"saturate", "--recipe", "nchan", "--batch", "2"}, "--batch: nchan"},
      {{"--publish-url", "https://h/"}, "--publish-url: https"},
      {{"--publish-ok", "200,x"}, "--publish-ok"},
      {{"--publish-ok", "99"}, "--publish-ok"},
      {{"--publish-method", "post"}, "--publish-method"},
      {{"--publish-type", "a\nb"}, "--publish-type"},
      {{"--publish-item", "\\x{data}"}, "--publish-item"},
      {{"--pid", "0"}, "--pid"},
      {{"--pid", "2147483647"}, "--pid: there is no process"},
      {{"--expect", "p99"}, "--expect: 'p99' lacks one of"},
      {{"--expect", "p99<"}, "--expect: 'p99<': behind the sign must stand a number"},
      {{"--expect", "p99<5ms,"}, "--expect: an expectation is missing"},
      {{"--expect", "lost<3ms"}, "--expect: 'lost<3ms': it is a mere number"},
      {{"--no-such-flag"}, "--no-such-flag"},
  });
}

TEST(LoadOptions, ThreadsFollowCoresAndDescriptors) {
  EXPECT_EQ(options_of({"-n", "1"}).subscribe.threads, 1U);
  EXPECT_EQ(options_of({"-n", "39600"}).subscribe.threads, 2U);
  EXPECT_EQ(options_of({"-n", "39601"}).subscribe.threads, 3U);
  EXPECT_EQ(options_of({"-n", "100", "--threads", "7"}).subscribe.threads, 7U);
  EXPECT_EQ(options_of({"-n", "3", "--threads", "7"}).subscribe.threads, 3U);
  EXPECT_THAT(fault_of({"-n", "39601", "--threads", "2"}), HasSubstr("use --threads 3"));
}

TEST(LoadOptions, LoopbackServersGetManySources) {
  EXPECT_EQ(options_of({"-n", "1000"}).subscribe.sources.count(), 4U);
  EXPECT_EQ(options_of({"-n", "100001"}).subscribe.sources.count(), 404U);
  EXPECT_TRUE(options_of({"http://10.0.0.1"}).subscribe.sources.is_empty());
  EXPECT_THAT(read({"-n", "100000"})->warnings, IsEmpty());
  EXPECT_THAT(read({"-n", "28233", "http://10.0.0.1"})->warnings,
              ElementsAre(HasSubstr("--source")));
  EXPECT_THAT(read({"-n", "28232", "http://10.0.0.1"})->warnings, IsEmpty());
  EXPECT_THAT(read({"-n", "60000", "--source", "10.0.0.1-10.0.0.2", "http://10.0.0.1"})->warnings,
              ElementsAre(HasSubstr("--source")));
}

TEST(LoadOptions, RecipesFillTheRequest) {
  for (const Recipe& recipe : recipes()) {
    const LoadOptions o = options_of({"--recipe", std::string(recipe.name), "--topics", "2"});
    EXPECT_EQ(o.subscribe.url.target, recipe.subscribe_target) << recipe.name;
    EXPECT_THAT(o.publish.request.item, HasSubstr("{data}")) << recipe.name;
    EXPECT_THAT(recipes_help(), HasSubstr(std::string(recipe.example)));
  }
  const LoadOptions batch = options_of({"saturate", "--batch", "16384"});
  EXPECT_EQ(batch.publish.request.content_type, "application/x-ndjson");
  EXPECT_EQ(batch.publish.request.url.target, "/publish");
  EXPECT_EQ(batch.publish.request.item, "{\"stream\":\"{topic}\",\"data\":\"{data}\"}\n");

  const LoadOptions pushpin = options_of({"http://h:7999", "--recipe", "pushpin"});
  EXPECT_EQ(pushpin.subscribe.url.port, 7999);
  EXPECT_EQ(pushpin.publish.request.url.to_string(), "http://h:5561/publish/");
  EXPECT_EQ(pushpin.publish.request.body_prefix, R"({"items":[)");
  EXPECT_EQ(pushpin.publish.in_flight, 1U);

  const auto herd = read({"herd", "--recipe", "centrifugo"});
  ASSERT_TRUE(herd) << herd.error();
  EXPECT_THAT(herd->warnings, ElementsAre(HasSubstr("cannot resume")));
}

TEST(LoadOptions, FlagsStandAboveTheRecipe) {
  const LoadOptions o = options_of({"--recipe",
                                    "mercure",
                                    "--publish-url",
                                    "http://other:90",
                                    "--publish-header",
                                    "Authorization: Bearer x",
                                    "--publish-method",
                                    "PUT",
                                    "--publish-type",
                                    "text/x",
                                    "--publish-item",
                                    "<{topic}>{data}\\n",
                                    "--publish-prefix",
                                    "[",
                                    "--publish-separator",
                                    ",",
                                    "--publish-suffix",
                                    "]",
                                    "--publish-ok",
                                    "202"});
  const PublishTemplate& request = o.publish.request;
  EXPECT_EQ(request.url.to_string(), "http://other:90/.well-known/mercure");
  EXPECT_THAT(request.headers, ElementsAre(net::HeaderField{"Authorization", "Bearer x"}));
  EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(request.content_type, "text/x");
  EXPECT_EQ(request.item, "<{topic}>{data}\n");
  EXPECT_EQ(request.body_prefix, "[");
  EXPECT_EQ(request.separator, ",");
  EXPECT_EQ(request.body_suffix, "]");
  EXPECT_THAT(request.success, ElementsAre(202));
  EXPECT_EQ(options_of({"--publish-url", "http://h/p"}).publish.request.url.target, "/p");
}

}  // namespace
}  // namespace tocsin::load
