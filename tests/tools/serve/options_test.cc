#include "tools/serve/options.h"

#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/temporary_folder.h"
#include "tools/serve/option_table.h"

namespace tocsin::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A program's command line with the options' flags, and a place for a file.
class OptionsTest : public testing::Test {
 protected:
  void write_file(const std::string& text) const { directory_.write("tocsin.toml", text); }

  // As the program would: parses, then loads. A complaint of the parser is an error as well.
  [[nodiscard]] static std::expected<ServerOptions, std::string> load(
      std::vector<std::string> arguments) {
    CLI::App app;
    const OptionFlags flags(app);
    std::ranges::reverse(arguments);
    try {
      app.parse(arguments);
    } catch (const CLI::ParseError& error) {
      return std::unexpected(std::string("parser: ") + error.what());
    }
    auto loaded = flags.load();
    if (!loaded) return std::unexpected(loaded.error());
    return loaded->options;
  }
  [[nodiscard]] std::string file_error(const std::string& text) const {
    write_file(text);
    const auto options = load({"--config", file_});
    return options ? "accepted" : options.error();
  }
  [[nodiscard]] static std::string flag_error(std::vector<std::string> arguments) {
    const auto options = load(std::move(arguments));
    return options ? "accepted" : options.error();
  }

  const TemporaryFolder directory_;
  const std::string file_ = directory_.path("tocsin.toml");
};

// For every option another valid value than the default, as a flag's argument and in the file.
struct Other {
  std::string flag;
  std::string toml;
};
[[nodiscard]] Other other_value(const Option& option) {
  const ServerOptions defaults;
  if (const auto* kind = std::get_if<FlagMember>(&option.member)) {
    const std::string text = defaults.*kind->member ? "false" : "true";
    return {text, text};
  }
  if (const auto* kind = std::get_if<ChoiceMember>(&option.member)) {
    for (const std::string_view word : kind->words) {
      if (toml_value(defaults, option) != fmt::format("\"{}\"", word)) {
        return {std::string(word), fmt::format("\"{}\"", word)};
      }
    }
  }
  if (std::holds_alternative<NumberMember>(option.member)) {
    return {"7", "7"};
  }
  if (std::holds_alternative<TimeMember>(option.member)) {
    return {"77s", "\"77s\""};
  }
  if (std::holds_alternative<SizeMember>(option.member)) {
    const char* size = option.name == "history-file-bytes" ? "65MiB" : "5MiB";
    return {size, fmt::format("\"{}\"", size)};
  }
  if (std::holds_alternative<TextMember>(option.member)) return {"sqlite:/x", R"("sqlite:/x")"};
  if (option.name == "cors-origins") return {"https://a.example", R"(["https://a.example"])"};
  if (option.name == "trusted-proxies") return {"10.0.0.0/8", R"(["10.0.0.0/8"])"};
  return {"[::1]:77", R"(["[::1]:77"])"};
}

TEST_F(OptionsTest, EveryOptionHasAFlagAndAKeyThatDoTheSame) {
  ASSERT_GT(option_table().size(), 20U);
  for (const Option& option : option_table()) {
    SCOPED_TRACE(option.name);
    const Other other = other_value(option);
    // Room for history_bytes, which must not be larger than the total; a topic for auto_topics.
    const std::string more = option.name == "auto-topics" ? "topics = [\"a\"]\n" : "";
    write_file(more + option.key() + " = " + other.toml + "\n");
    const auto by_file = load({"--config", file_});
    ASSERT_TRUE(by_file) << by_file.error();
    write_file(more);
    const auto by_flag = load({"--config", file_, fmt::format("--{}={}", option.name, other.flag)});
    ASSERT_TRUE(by_flag) << by_flag.error();
    EXPECT_EQ(*by_file, *by_flag);
    EXPECT_EQ(toml_value(*by_flag, option), other.toml);
    EXPECT_NE(toml_value(ServerOptions{}, option), other.toml);
  }
}

TEST_F(OptionsTest, ComplaintsHoldNoControlCharacters) {
  EXPECT_THAT(file_error(R"(topics = ["\u001b[2J\n"])"), HasSubstr(R"("\u001B[2J\u000A" is not)"));
  EXPECT_THAT(flag_error({"--topics=\x1b\x7f"}), HasSubstr(R"("\u001B\u007F" is not)"));
}

TEST_F(OptionsTest, EveryOptionIsNamedOnceAndExplained) {
  std::set<std::string> names;
  for (const Option& option : option_table()) {
    EXPECT_TRUE(names.insert(option.key()).second) << option.name;
    EXPECT_THAT(option.help, testing::EndsWith(".")) << option.name;
    EXPECT_FALSE(option.group.empty()) << option.name;
  }
}

// A member that the table forgot would survive this: all others are changed.
TEST_F(OptionsTest, EveryMemberOfTheStructIsInTheTable) {
  ServerOptions changed;
  for (const Option& option : option_table()) {
    const std::vector<std::string> text{other_value(option).flag};
    ASSERT_TRUE(set_option(changed, option, text)) << option.name;
  }
  const ServerOptions defaults;
  const ServerOptions& c = changed;
  const ServerOptions& d = defaults;
  EXPECT_TRUE(c.listen != d.listen && c.shards != d.shards && c.io != d.io &&
              c.pin_shards != d.pin_shards && c.send_buffer != d.send_buffer &&
              c.receive_buffer != d.receive_buffer);
  EXPECT_TRUE(c.max_connections != d.max_connections && c.accept_rate != d.accept_rate &&
              c.full_retry_ms != d.full_retry_ms);
  EXPECT_TRUE(c.max_per_address != d.max_per_address && c.max_per_subject != d.max_per_subject &&
              c.open_rate_per_address != d.open_rate_per_address &&
              c.open_rate_per_subject != d.open_rate_per_subject &&
              c.publish_rate_per_address != d.publish_rate_per_address &&
              c.publish_rate_per_subject != d.publish_rate_per_subject &&
              c.publish_bytes_per_address != d.publish_bytes_per_address &&
              c.publish_bytes_per_subject != d.publish_bytes_per_subject &&
              c.max_topics_per_stream != d.max_topics_per_stream &&
              c.trusted_proxies != d.trusted_proxies);
  EXPECT_TRUE(c.heartbeat_s != d.heartbeat_s && c.retry_ms != d.retry_ms &&
              c.max_stream_age_s != d.max_stream_age_s && c.slow_policy != d.slow_policy &&
              c.slow_bytes != d.slow_bytes && c.slow_seconds != d.slow_seconds);
  EXPECT_TRUE(c.history_count != d.history_count && c.history_age_s != d.history_age_s &&
              c.history_bytes != d.history_bytes &&
              c.history_total_bytes != d.history_total_bytes && c.auto_topics != d.auto_topics &&
              c.topics != d.topics && c.envelope_topics != d.envelope_topics &&
              c.max_topics != d.max_topics && c.topic_idle_s != d.topic_idle_s);
  EXPECT_TRUE(c.request_timeout_s != d.request_timeout_s && c.keep_alive_s != d.keep_alive_s &&
              c.get_publish != d.get_publish && c.ids_once != d.ids_once &&
              c.ignored_parameters != d.ignored_parameters &&
              c.drain_timeout_s != d.drain_timeout_s && c.log_level != d.log_level &&
              c.log_format != d.log_format);
}

TEST_F(OptionsTest, NothingGivenMeansTheDefaults) {
  EXPECT_EQ(load({}), ServerOptions{});
}

TEST_F(OptionsTest, FlagsWinOverTheFileAndTheFileOverTheDefaults) {
  write_file("heartbeat = \"20s\"\nretry = \"5s\"\n");
  const auto options = load({"--config", file_, "--heartbeat", "30s"});
  ASSERT_TRUE(options) << options.error();
  EXPECT_EQ(options->heartbeat_s, 30U);
  EXPECT_EQ(options->retry_ms, 5000U);
  EXPECT_EQ(options->history_count, ServerOptions{}.history_count);
}

TEST_F(OptionsTest, ListsAreRepeatedFlagsAndReplaceTheFiles) {
  write_file("listen = [\"127.0.0.1:1\"]\n");
  const auto options = load({"--config", file_, "--listen", "127.0.0.1:2", "--listen", "[::1]:3"});
  ASSERT_TRUE(options) << options.error();
  EXPECT_THAT(options->listen, ElementsAre("127.0.0.1:2", "[::1]:3"));
}

TEST_F(OptionsTest, MistakesInFlagsAreNamed) {
  EXPECT_EQ(flag_error({"--heartbeat", "2w"}),
            "--heartbeat must be a time such as 500ms, 15s, 2m, 1h, or a number of seconds");
  EXPECT_EQ(flag_error({"--heartbeat", "1500ms"}), "--heartbeat must be a whole number of seconds");
  for (const char* number : {"129", "-1", "x", "1.0", "99999999999999999999"}) {
    EXPECT_EQ(flag_error({fmt::format("--shards={}", number)}),
              "--shards must be a whole number from 0 to 128");
  }
  EXPECT_EQ(flag_error({"--max-stream-age", "3s"}),
            "--max-stream-age must be 0, or from 10s to 30d");
  EXPECT_EQ(flag_error({"--pin-shards", "yes"}), "--pin-shards must be true or false");
  EXPECT_EQ(flag_error({"--io", "iocp"}), "--io must be one of auto, uring, epoll");
  EXPECT_EQ(flag_error({"--listen", "localhost:80"}),
            "--listen \"localhost:80\" is not a numeric address; names are not looked up");
  EXPECT_EQ(flag_error({"--trusted-proxies", "10.0.0.1/8"}),
            "--trusted-proxies \"10.0.0.1/8\" says something behind its first 8 bits");
  EXPECT_EQ(flag_error({"--trusted-proxies", "0.0.0.0/0"}),
            "--trusted-proxies \"0.0.0.0/0\" would be everybody");
  EXPECT_THAT(flag_error({"--shards", "1", "--shards", "2"}), HasSubstr("parser: "));
  EXPECT_THAT(flag_error({"--nonsense"}), HasSubstr("parser: "));
}

TEST_F(OptionsTest, MistakesInTheFileAreNamedWithTheirLine) {
  EXPECT_EQ(file_error("heartbeat = \"15s\"\n\nheartbeet = 1\n"),
            file_ + ":3: heartbeet is not a known key; did you mean heartbeat?");
  EXPECT_EQ(file_error("max-connections = 1\n"),
            file_ + ":1: max-connections is not a known key; did you mean max_connections?");
  EXPECT_EQ(file_error("[streams]\nheartbeat = 1\n"), file_ + ":1: streams is not a known key");
  EXPECT_EQ(file_error("shards = 129\n"),
            file_ + ":1: shards must be a whole number from 0 to 128");
  EXPECT_EQ(file_error("shards = -1\n"), file_ + ":1: shards must be a whole number from 0 to 128");
  EXPECT_EQ(file_error("heartbeat = -1\n"),
            file_ +
                ":1: heartbeat must be a time such as 500ms, 15s, 2m, 1h, or a number of "
                "seconds");
  EXPECT_EQ(file_error("topics = [\"a\", \"b\\nc\"]\n"),
            file_ +
                ":1: topics \"b\\u000Ac\" is not a topic's name (1 to 512 bytes of UTF-8 without "
                "control characters)");
  for (const char* name : {"", "a*b", "**", "*a"}) {
    EXPECT_THAT(file_error(fmt::format("ignored_parameters = [\"{}\"]\n", name)),
                HasSubstr("is not a parameter's name"));
  }
  EXPECT_THAT(file_error("shards = = 1\n"), testing::StartsWith(file_ + ":1: "));
  EXPECT_THAT(file_error("shards = 1\nshards = 2\n"), testing::StartsWith(file_ + ":2: "));
}

TEST_F(OptionsTest, WrongTypesInTheFileAreNamed) {
  EXPECT_EQ(file_error("shards = \"2\"\n"), file_ + ":1: shards must be a whole number");
  EXPECT_EQ(file_error("shards = 2.0\n"), file_ + ":1: shards must be a whole number");
  EXPECT_EQ(file_error("pin_shards = 1\n"), file_ + ":1: pin_shards must be true or false");
  EXPECT_EQ(file_error("pin_shards = \"true\"\n"), file_ + ":1: pin_shards must be true or false");
  EXPECT_EQ(file_error("io = true\n"), file_ + ":1: io must be a string");
  EXPECT_EQ(file_error("listen = \"127.0.0.1:1\"\n"),
            file_ + ":1: listen must be an array of strings");
  EXPECT_EQ(file_error("listen = [1]\n"), file_ + ":1: listen must be an array of strings");
  EXPECT_THAT(file_error("heartbeat = 1.5\n"), HasSubstr("must be a string such as"));
}

TEST_F(OptionsTest, AllMistakesAreToldAtOnceInTheFilesOrder) {
  EXPECT_EQ(file_error("zzz = 1\naaa = 2\n"),
            fmt::format("{0}:1: zzz is not a known key\n{0}:2: aaa is not a known key", file_));
}

TEST_F(OptionsTest, AMissingFileIsAnError) {
  EXPECT_THAT(flag_error({"--config", "/nonexistent/tocsin.toml"}),
              HasSubstr("/nonexistent/tocsin.toml: cannot be read: No such file"));
  EXPECT_THAT(flag_error({"--config", directory_.path()}), HasSubstr("cannot be read"));
}

TEST_F(OptionsTest, WhatCannotBeTrueTogether) {
  EXPECT_THAT(file_error("listen = []\n"), HasSubstr("listen names no address"));
  EXPECT_THAT(file_error("auto_topics = false\n"), HasSubstr("nobody could subscribe"));
  EXPECT_THAT(file_error("history_bytes = \"1GiB\"\n"), HasSubstr("larger than"));
}

// toml++ would take each part as a level of its own stack.
TEST_F(OptionsTest, AKeyHasABoundOfParts) {
  const std::string dots(100, '.');
  for (const std::string& text : {"\nx" + dots + " = 1\n", "\n[x" + dots + "]\n",
                                  "\ntopics = [{ x" + dots + " = 1 }]\n"}) {
    Configuration configuration;
    const auto applied = apply_toml(configuration, text, "f.toml");
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error(), "f.toml:2: a key has too many parts");
  }
  Configuration configuration;
  const std::string names = "topics = ['" + dots + "', \"\\\"" + dots + "\"] # " + dots + "\n";
  EXPECT_EQ(apply_toml(configuration, names, "f.toml"), (std::expected<void, std::string>{}));
}

TEST_F(OptionsTest, WhatIsPrintedReadsBackToTheSame) {
  ServerOptions options;
  for (const Option& option : option_table()) {
    const std::vector<std::string> text{other_value(option).flag};
    ASSERT_TRUE(set_option(options, option, text));
  }
  options.topics = {"a\"b\\c", "\u00e9", "d,e"};
  Configuration back;
  const auto applied = apply_toml(back, to_toml(options), "printed");
  ASSERT_TRUE(applied) << applied.error();
  EXPECT_EQ(back.options, options);
}

TEST_F(OptionsTest, AReloadAppliesWhatItCanAndNamesTheRest) {
  ServerOptions wanted;
  wanted.listen = {"127.0.0.1:9"};
  wanted.heartbeat_s = 1;
  wanted.log_level = net::LogLevel::debug;
  const Difference changes = difference(ServerOptions{}, wanted);
  EXPECT_THAT(changes.applied, ElementsAre("heartbeat", "log_level"));
  EXPECT_THAT(changes.restart, ElementsAre("listen"));
  const ServerOptions next = reloaded(ServerOptions{}, wanted);
  EXPECT_EQ(next.listen, ServerOptions{}.listen);
  EXPECT_EQ(next.heartbeat_s, 1U);
  EXPECT_THAT(difference(next, wanted).applied, IsEmpty());
}

TEST_F(OptionsTest, WhatSomebodyAskedForIsKnown) {
  write_file("max_connections = 1000000\n");  // the default, but asked for
  CLI::App app;
  const OptionFlags flags(app);
  app.parse(std::vector<std::string>{"1s", "--topic-idle", file_, "--config"});
  const auto configuration = flags.load();
  ASSERT_TRUE(configuration) << configuration.error();
  EXPECT_THAT(configuration->given, ElementsAre("max_connections", "topic_idle"));
}

TEST_F(OptionsTest, AddressesThatMeetAreNamed) {
  EXPECT_EQ(flag_error({"--listen", "127.0.0.1:1", "--listen", "127.0.0.1:01"}),
            "listen names one address twice: 127.0.0.1:1 and 127.0.0.1:01");
  EXPECT_EQ(file_error("listen = [\"127.0.0.1:1\", \"0.0.0.0:1\"]\n"),
            "listen names 127.0.0.1:1, which is a part of 0.0.0.0:1");
}

TEST_F(OptionsTest, LoadReadsTheFileAgain) {
  write_file("heartbeat = 1\n");
  CLI::App app;
  const OptionFlags flags(app);
  app.parse(std::vector<std::string>{"1s", "--retry", file_, "--config"});
  EXPECT_EQ(flags.load()->options.heartbeat_s, 1U);
  write_file("heartbeat = 2\nretry = 9\n");
  EXPECT_EQ(flags.load()->options.heartbeat_s, 2U);
  EXPECT_EQ(flags.load()->options.retry_ms, 1000U) << "a flag still wins";
}

TEST_F(OptionsTest, HelpIsGroupedAndShowsDefaults) {
  CLI::App app;
  const OptionFlags flags(app);
  const std::string help = app.help();
  for (const Option& option : option_table()) {
    EXPECT_THAT(help, HasSubstr(fmt::format("--{}", option.name)));
    EXPECT_THAT(help, HasSubstr(fmt::format("{}:", option.group)));
  }
  EXPECT_THAT(help, HasSubstr("[15s]"));
}

// The file that the package installs says what holds without it, but for where the history is.
TEST_F(OptionsTest, ThePackagedFileEqualsTheDefaultsAndNamesEveryKey) {
  std::ifstream file(TOCSIN_SOURCE_DIR "/systemd/tocsin.toml");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  ASSERT_FALSE(text.empty());
  Configuration as_shipped;
  const auto applied = apply_toml(as_shipped, text, "tocsin.toml");
  ASSERT_TRUE(applied) << applied.error();
  ServerOptions packaged;
  packaged.history = "sqlite:/var/lib/tocsin/history.db";
  EXPECT_EQ(as_shipped.options, packaged);
  EXPECT_THAT(as_shipped.given, ElementsAre("history"));
  // With every commented setting switched on it is the same again.
  std::string all;
  std::size_t settings = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const bool commented = line.size() > 1 && line[0] == '#' && line[1] != ' ';
    all += (commented ? line.substr(1) : line) + "\n";
    settings += commented ? 1 : 0;
  }
  Configuration switched_on;
  const auto all_applied = apply_toml(switched_on, all, "tocsin.toml");
  ASSERT_TRUE(all_applied) << all_applied.error();
  EXPECT_EQ(switched_on.options, packaged);
  EXPECT_EQ(settings + 1, option_table().size());
}

}  // namespace
}  // namespace tocsin::tools
