#include "tools/load/report/report.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <sstream>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include "tools/load/figures/readable.h"

namespace tocsin::load {
namespace {

using testing::AllOf;
using testing::Each;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

constexpr std::uint64_t kMs = 1'000'000;
constexpr std::uint64_t kSecond = 1000 * kMs;

struct ReportedRun {
  LoadOptions options;
  LoadResult result;

  ReportedRun() {
    options.subscribe.url = *net::parse_url("http://127.0.0.1:8080/events/load");
    options.subscribe.count = 10'000;
    options.publish.request.url = options.subscribe.url;
    options.publish.mode = PublishMode::rate;
    options.publish.schedule.events_per_s = 25;
    options.workload.seed = 18'446'744'073'709'551'615U;
    options.server_pids = {42, 43};
    options.command_line = {"tocsin", "load", "--header", "Authorization: Bearer secret"};
    options.expectations = {{.text = "p99<50ms", .name = "p99"}};
    result.connected = 10'000;
    result.threads = 2;
    result.io = "io_uring";
    result.connect_count = 10'000;
    result.connect = phase(kSecond / 2);
    result.connect_latency.record(9 * kMs, 10'000);
    result.publish = phase(4 * kSecond);
    result.published.events = 100;
    result.published.requests = 100;
    result.published.duration_ns = 4 * kSecond;
    result.published.lateness.record(40'000, 100);
    result.published.answered.record(300'000, 100);
    result.totals.delivered = 1'000'000;
    result.totals.bytes = 230'000'000;
    result.latency.record(31'200'000, 980'000);
    result.latency.record(61'300'000, 20'000);
    result.before.server.rss_bytes = 10'000'000;
    result.after.server.rss_bytes = 10'830'000;
    result.before.kernel = {.slab_bytes = 100'000'000, .socket_bytes = 0, .caches = {{"TCP", 10}}};
    result.after.kernel = {
        .slab_bytes = 142'350'000, .socket_bytes = 4096, .caches = {{"TCP", 20'000'010}}};
    result.timeline.push_back({.at_s = 0.5, .connected = 10'000, .p50_ms = 31.25});
    result.timeline.push_back({.at_s = 1.5, .connected = 10'000, .delivered = 1'000'000});
  }

  static PhaseCost phase(std::uint64_t wall_ns) {
    PhaseCost phase;
    phase.wall_ns = wall_ns;
    phase.server = {.cpu_ns = wall_ns / 4,
                    .user_ns = wall_ns / 16,
                    .system_ns = wall_ns * 3 / 16,
                    .voluntary_switches = 1234,
                    .involuntary_switches = 56};
    phase.own_cpu_ns = wall_ns / 2;
    phase.own_waited_ns = 12 * kMs;
    return phase;
  }
  [[nodiscard]] std::string text() const { return to_text(options, result); }
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(Readable, Figures) {
  EXPECT_EQ(readable_time(0), "0 ns");
  EXPECT_EQ(readable_time(812), "812 ns");
  EXPECT_EQ(readable_time(61'300'000), "61.3 ms");
  EXPECT_EQ(readable_time(999'960), "1.00 ms");
  EXPECT_EQ(readable_time(2.5e9), "2.50 s");
  EXPECT_EQ(readable_bytes(83.2), "83 B");
  EXPECT_EQ(readable_bytes(-1200), "-1.20 KB");
  EXPECT_EQ(readable_rate(12'400'000), "12.4 M/s");
  EXPECT_EQ(readable_rate(476'200), "476 k/s");
  EXPECT_EQ(readable_count(0), "0");
  EXPECT_EQ(readable_count(999), "999");
  EXPECT_EQ(readable_count(1'234'567), "1,234,567");
  EXPECT_EQ(readable_share(0.006), "0.6 %");
  EXPECT_EQ(readable_share(0.36), "36 %");
  EXPECT_EQ(readable_share(0), "0 %");
  EXPECT_EQ(printable("a\x1b[31m\n\xff~"), "a\\x1b[31m\\x0a\\xff~");
}

TEST(ReportText, HasTheFigures) {
  const std::string text = ReportedRun().text();
  EXPECT_THAT(text, AllOf(StartsWith("tocsin load broadcast  http://127.0.0.1:8080/events/load\n"),
                          HasSubstr("10,000 subscribers"), HasSubstr("2 threads (io_uring)"),
                          HasSubstr("10,000 of 10,000"), HasSubstr("20 k/s")));
  EXPECT_THAT(text, AllOf(HasSubstr("100 published  25 /s  100 requests"),
                          HasSubstr("1,000,000  250 k/s  230 MB"), HasSubstr("p50 31."),
                          HasSubstr("max 61.3 ms"), HasSubstr("0 lost"), HasSubstr("0 reordered")));
  EXPECT_THAT(text, AllOf(HasSubstr("25 % of a core"), HasSubstr("1 us a delivery"),
                          HasSubstr("12.5 us a connect"), HasSubstr("user 25 %, system 75 %"),
                          HasSubstr("1,234 + 56 switches")));
  EXPECT_THAT(text, AllOf(HasSubstr("RSS 10 MB -> 10.8 MB  83 B a subscriber"),
                          HasSubstr("4.24 KB a subscriber"), HasSubstr("4.10 KB"),
                          HasSubstr("50 % of a core  waited 12 ms")));
  EXPECT_THAT(text, EndsWith("\nPASS\n"));
}

TEST(ReportText, FitsATerminalAndIsAscii) {
  ReportedRun run;
  run.result.bottlenecks = {std::string(30, 'a') + " " + std::string(30, 'b') + " " +
                            std::string(30, 'c')};
  run.result.refused = 1;
  run.result.refusals.add({"status 503", "503 \x1b]0;title\x07 \xc3\xa4"});
  run.result.totals.sample = "line\nline";
  run.result.published.error = "an \x1b[1m error";
  run.result.failures = {"a \x1b[2J failure"};
  const std::string text = run.text();
  EXPECT_THAT(lines_of(text), Each(SizeIs(testing::Le(80U))));
  EXPECT_THAT(text, AllOf(HasSubstr("\\x1b]0;title\\x07"), HasSubstr("line\\x0aline"),
                          HasSubstr("an \\x1b[1m error"), HasSubstr("a \\x1b[2J failure"),
                          HasSubstr("Refused        1 x status 503")));
  EXPECT_TRUE(std::ranges::all_of(text, [](char c) { return c == '\n' || (c >= ' ' && c < 127); }));
}

TEST(ReportText, OnlyWhatWasMeasured) {
  const std::string text = to_text(LoadOptions{}, LoadResult{});
  for (const char* absent :
       {"Latency", "Server", "Kernel", "Generator", "Connects ", "Reconnects", "Deliveries",
        "Events", "Written", "told", "Bottleneck", "nan", "inf"}) {
    EXPECT_THAT(text, Not(HasSubstr(absent)));
  }
  EXPECT_THAT(text, EndsWith("PASS\n"));
}

TEST(ReportText, FailuresAndBottlenecks) {
  ReportedRun run;
  run.result.bottlenecks = {"The generator was busy."};
  run.result.failures = {"p99 is 61 ms, not < 50 ms"};
  EXPECT_THAT(run.text(),
              AllOf(HasSubstr("Bottleneck:    The generator was busy."),
                    HasSubstr("Failed:        p99 is 61 ms, not < 50 ms"), EndsWith("\nFAIL\n")));
}

// The JSON parsed; access by pointer ("/streams/connected").
struct ParsedReport {
  simdjson::dom::parser parser;
  simdjson::dom::element root;

  explicit ParsedReport(const std::string& json) {
    EXPECT_EQ(parser.parse(json).get(root), simdjson::SUCCESS) << json;
  }
  template <typename Type>
  Type get(std::string_view pointer) const {
    Type value{};
    EXPECT_EQ(root.at_pointer(pointer).get(value), simdjson::SUCCESS) << pointer;
    return value;
  }
  [[nodiscard]] double number(std::string_view pointer) const { return get<double>(pointer); }
  [[nodiscard]] std::uint64_t count(std::string_view pointer) const {
    return get<std::uint64_t>(pointer);
  }
  [[nodiscard]] std::string_view text(std::string_view pointer) const {
    return get<std::string_view>(pointer);
  }
  [[nodiscard]] bool is_null(std::string_view pointer) const {
    return simdjson::dom::element(root.at_pointer(pointer)).is_null();
  }
};

TEST(ReportJson, RoundTrip) {
  const ReportedRun run;
  const ParsedReport json(to_json(run.options, run.result));
  EXPECT_TRUE(json.get<bool>("/ok"));
  EXPECT_EQ(json.text("/scenario"), "broadcast");
  EXPECT_EQ(json.text("/options/subscribe/url"), "http://127.0.0.1:8080/events/load");
  EXPECT_EQ(json.text("/options/publish/mode"), "rate");
  EXPECT_EQ(json.text("/options/workload/seed"), "18446744073709551615");
  EXPECT_EQ(json.text("/options/expectations/0"), "p99<50ms");
  EXPECT_EQ(json.count("/options/server_pids/1"), 43U);
  EXPECT_GT(json.count("/host/cores"), 0U);
  EXPECT_EQ(json.count("/streams/connected"), 10'000U);
  EXPECT_DOUBLE_EQ(json.number("/connect/connects_per_s"), 20'000);
  EXPECT_DOUBLE_EQ(json.number("/publish/duration_s"), 4);
  EXPECT_EQ(json.count("/publish/server_cpu_ns"), kSecond);
  EXPECT_DOUBLE_EQ(json.number("/publish/own_cpu_share"), 0.5);
  EXPECT_EQ(json.count("/publish/server_involuntary_switches"), 56U);
  EXPECT_DOUBLE_EQ(json.number("/deliveries/deliveries_per_s"), 250'000);
  EXPECT_DOUBLE_EQ(json.number("/deliveries/server_cpu_ns_per_delivery"), 1000);
  EXPECT_DOUBLE_EQ(json.number("/memory/rss_bytes_per_subscriber"), 83);
  EXPECT_DOUBLE_EQ(json.number("/memory/kernel_bytes_per_subscriber"), 4235);
  EXPECT_DOUBLE_EQ(json.number("/memory/cache_bytes_per_subscriber/TCP"), 2000);
  EXPECT_TRUE(json.is_null("/memory/pss_bytes_per_subscriber"));
  EXPECT_TRUE(json.is_null("/reconnect/reconnects_per_s"));
  EXPECT_DOUBLE_EQ(json.number("/timeline/0/p50_ms"), 31.25);
  EXPECT_EQ(json.count("/timeline/1/delivered"), 1'000'000U);
}

TEST(ReportJson, StreamsThatWereStillWaitedFor) {
  ReportedRun run;
  run.result.unanswered = {.connecting = 1, .heads = 2, .longest_ns = 10 * kSecond};
  EXPECT_THAT(run.text(), HasSubstr("No answer      1 stream waited for the connection (TCP), 2 "));
  const ParsedReport json(to_json(run.options, run.result));
  EXPECT_EQ(json.count("/streams/unanswered/connecting"), 1U);
  EXPECT_EQ(json.count("/streams/unanswered/heads"), 2U);
  EXPECT_DOUBLE_EQ(json.number("/streams/unanswered/longest_s"), 10);
}

TEST(ReportJson, WhatADeployTook) {
  ReportedRun run;
  run.result.dropped = 20;
  run.result.refused = 47;
  run.result.refused_meanwhile = 45;
  run.result.away = 1;
  run.result.outage.record(1200 * kMs, 18);
  run.result.outage.record(2 * kSecond, 2);
  run.result.totals.told = 60;
  run.result.totals.away = 5;
  run.result.published.events_refused = 4;
  run.result.published.uncertain = 3;
  run.result.published.failed_connects = 7;
  run.result.published.longest_away_ns = kSecond / 2;
  EXPECT_THAT(run.text(),
              AllOf(HasSubstr("2 refused  20 dropped\n"),
                    HasSubstr("Returned       19 times  45 refused meanwhile  1 not back at the"),
                    HasSubstr("Without stream p50 1.21 s  p99 2 s  max 2 s"),
                    HasSubstr("93 published  "), HasSubstr("3 uncertain"),
                    HasSubstr("Publishing     no answers for up to 500 ms  7 connects refused"),
                    HasSubstr("60 told as gaps  5 while away")));
  const ParsedReport json(to_json(run.options, run.result));
  EXPECT_EQ(json.count("/streams/refused_meanwhile"), 45U);
  EXPECT_EQ(json.count("/streams/away"), 1U);
  EXPECT_EQ(json.count("/streams/outage/count"), 20U);
  EXPECT_EQ(json.count("/streams/outage/max_ns"), 2 * kSecond);
  EXPECT_EQ(json.count("/deliveries/told"), 60U);
  EXPECT_EQ(json.count("/deliveries/away"), 5U);
  EXPECT_EQ(json.count("/publishing/events_refused"), 4U);
  EXPECT_EQ(json.count("/publishing/uncertain"), 3U);
  EXPECT_EQ(json.count("/publishing/failed_connects"), 7U);
  EXPECT_DOUBLE_EQ(json.number("/publishing/longest_away_s"), 0.5);
  const std::string page = to_html(run.options, run.result);
  for (const char* shown :
       {"Longest without a stream", "refused meanwhile", "uncertain: cut before the answer"}) {
    EXPECT_THAT(page, HasSubstr(shown));
  }
}

TEST(ReportJson, WhatTheServerCounts) {
  ReportedRun run;
  EXPECT_TRUE(ParsedReport(to_json(run.options, run.result)).is_null("/streams/server_count"));
  run.result.held = 200;
  run.result.server_streams = 861;
  EXPECT_THAT(run.text(), HasSubstr("At the end     200 open  the server counts 861"));
  const ParsedReport json(to_json(run.options, run.result));
  EXPECT_EQ(json.count("/streams/held"), 200U);
  EXPECT_DOUBLE_EQ(json.number("/streams/server_count"), 861);
}

TEST(ReportJson, LatencyBuckets) {
  const ReportedRun run;
  const ParsedReport json(to_json(run.options, run.result));
  EXPECT_EQ(json.count("/deliveries/latency/count"), 1'000'000U);
  EXPECT_EQ(json.count("/deliveries/latency/max_ns"), 61'300'000U);
  EXPECT_EQ(json.count("/deliveries/latency/p50_ns"), run.result.latency.value_at(0.5));
  EXPECT_EQ(json.count("/deliveries/latency/p99_ns"), run.result.latency.value_at(0.99));
  const auto buckets = json.get<simdjson::dom::array>("/deliveries/latency/buckets");
  ASSERT_EQ(buckets.size(), 2U);
  EXPECT_GE(json.count("/deliveries/latency/buckets/0/0"), 31'200'000U);
  EXPECT_EQ(json.count("/deliveries/latency/buckets/0/1"), 980'000U);
  EXPECT_EQ(json.count("/deliveries/latency/buckets/1/1"), 20'000U);
}

TEST(ReportJson, OfNothing) {
  const ParsedReport json(to_json(LoadOptions{}, LoadResult{}));
  EXPECT_TRUE(json.is_null("/deliveries/latency"));
  EXPECT_TRUE(json.is_null("/connect/connects_per_s"));
  EXPECT_TRUE(json.is_null("/memory/after/rss_bytes"));
  EXPECT_EQ(json.get<simdjson::dom::array>("/timeline").size(), 0U);
}

TEST(ReportJson, StringsOfAnyBytes) {
  ReportedRun run;
  run.result.totals.sample = std::string("a\"\\\n\x01</script>\0\xff", 16);
  run.result.failures = {"one", "t\"wo \x1b[2J"};
  run.result.bottlenecks = {"\x1b[2J"};
  run.result.published.error = "\x1b]0;title\x07";
  run.result.refusals.add({"status 503", "503 \x9b"});
  const std::string text = to_json(run.options, run.result);
  // Neither as they are nor as escapes of JSON: whoever prints a value prints no controls.
  EXPECT_TRUE(std::ranges::all_of(text, [](char c) { return c == '\n' || (c >= ' ' && c < 127); }));
  EXPECT_THAT(text, Not(HasSubstr("\\u00")));
  const ParsedReport json(text);
  EXPECT_EQ(json.text("/deliveries/sample"), R"(a"\\x0a\x01</script>\x00\xff)");
  EXPECT_FALSE(json.get<bool>("/ok"));
  EXPECT_EQ(json.text("/failures/1"), R"(t"wo \x1b[2J)");
  EXPECT_EQ(json.text("/bottlenecks/0"), R"(\x1b[2J)");
  EXPECT_EQ(json.text("/publishing/error"), R"(\x1b]0;title\x07)");
  EXPECT_EQ(json.text("/streams/first_refusal"), R"(503 \x9b)");
  EXPECT_EQ(json.count("/streams/refusals/status 503"), 1U);
}

TEST(ReportJson, HeadersMayBeSecrets) {
  ReportedRun run;
  run.options.command_line = {"tocsin",
                              "load",
                              "--header",
                              "Authorization: Bearer secret",
                              "--publish-header=X-Key: secret",
                              "--header=secret",
                              "--header"};
  const std::string text = to_json(run.options, run.result);
  EXPECT_THAT(text, Not(HasSubstr("secret")));
  const ParsedReport json(text);
  EXPECT_EQ(json.text("/command_line/3"), "Authorization: (left out)");
  EXPECT_EQ(json.text("/command_line/4"), "--publish-header=X-Key: (left out)");
}

// What stands between two marks of the page.
std::string between(const std::string& text, std::string_view first, std::string_view last) {
  const std::size_t from = text.find(first);
  if (from == std::string::npos) return {};
  const std::size_t start = from + first.size();
  return text.substr(start, text.find(last, start) - start);
}

TEST(ReportHtml, DataIsEscaped) {
  ReportedRun run;
  run.result.totals.sample = "</script><script>alert(1)</script><!-- {{run}} {{text}}";
  run.result.failures = {"<b>&\"bold\""};
  const std::string page = to_html(run.options, run.result);
  const std::string data =
      between(page, R"(<script type="application/json" id="run">)", "</script>");
  EXPECT_THAT(data, Not(HasSubstr("<")));
  const ParsedReport json(data);
  EXPECT_EQ(json.text("/deliveries/sample"), run.result.totals.sample);
  EXPECT_EQ(json.count("/streams/connected"), 10'000U);
  EXPECT_THAT(page, AllOf(HasSubstr("<title>tocsin load broadcast: FAIL</title>"),
                          HasSubstr("&lt;b&gt;&amp;&quot;bold&quot;"), Not(HasSubstr("<b>"))));
}

TEST(ReportHtml, AsksNobody) {
  ReportedRun run;
  run.options.subscribe.url = {};
  run.options.publish.request.url = {};
  const std::string page = to_html(run.options, run.result);
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
  for (const char* way : {"https:", "//www", " src=", "href=", "url(", "@import", "fetch(",
                          "XMLHttpRequest", "import("}) {
    EXPECT_THAT(page, Not(HasSubstr(way)));
  }
  for (const char* mark : {"{{title}}", "{{text}}", "{{run}}"}) {
    EXPECT_THAT(page, Not(HasSubstr(mark)));
  }
  EXPECT_THAT(page, EndsWith("</html>\n"));
}

}  // namespace
}  // namespace tocsin::load
