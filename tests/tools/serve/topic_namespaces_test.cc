// [[topics]] of the configuration file: read, refused with line and name, printed and read again.
#include <fstream>
#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/serve/options.h"

namespace tocsin::tools {
namespace {

using net::TopicAccess;
using net::ServerOptions;
using net::SlowPolicy;
using net::TopicNamespace;
using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

ServerOptions read(std::string_view text) {
  Configuration configuration;
  const auto applied = apply_toml(configuration, text, "f.toml");
  EXPECT_TRUE(applied) << applied.error();
  return configuration.options;
}

std::string fault(std::string_view text) {
  Configuration configuration;
  const auto applied = apply_toml(configuration, text, "f.toml");
  return applied ? "accepted" : applied.error();
}

constexpr std::string_view kEverything = R"(
retry = "5s"

[[topics]]
name = "chat"
match = "chat/*"
publish = "token"
subscribe = "open"
presence = true
history_count = 100
history_age = "1h"
history_bytes = "64KiB"
slow_policy = "latest"
slow_bytes = "1MiB"
max_event_bytes = "60KiB"
auto_replay = true
envelope = true
base64 = true

[[topics]]
match = "*"
publish = "nobody"
)";

TEST(TopicNamespaces, EveryKeyIsRead) {
  const ServerOptions options = read(kEverything);
  ServerOptions expected;
  expected.retry_ms = 5000;
  expected.namespaces = {{.match = "chat/*",
                          .name = "chat",
                          .publish = TopicAccess::token,
                          .subscribe = TopicAccess::open,
                          .presence = true,
                          .options = {.history_count = 100,
                                      .history_age_s = 3600,
                                      .history_bytes = 65536,
                                      .auto_replay = true,
                                      .base64 = true,
                                      .envelope = true,
                                      .slow_policy = SlowPolicy::latest,
                                      .slow_bytes = 1 << 20,
                                      .max_event_bytes = 60 << 10}},
                         {.match = "*", .publish = TopicAccess::nobody}};
  EXPECT_EQ(options, expected);
}

TEST(TopicNamespaces, NamesAndTablesMayStandInOneArray) {
  const ServerOptions options =
      read("topics = [\"a\", { match = \"b*\", history_count = 0 }, 'c']\n");
  EXPECT_THAT(options.topics, ElementsAre("a", "c"));
  EXPECT_THAT(options.namespaces,
              ElementsAre(TopicNamespace{.match = "b*", .options = {.history_count = 0}}));
}

TEST(TopicNamespaces, ATableMaySayThatItsTopicExistsFromTheStart) {
  const ServerOptions options =
      read("[[topics]]\nmatch = \"a\"\ncreate = true\n[[topics]]\nmatch = \"b\"\ncreate = false\n");
  EXPECT_THAT(options.topics, ElementsAre("a"));
  EXPECT_THAT(options.namespaces,
              ElementsAre(TopicNamespace{.match = "a"}, TopicNamespace{.match = "b"}));
  EXPECT_EQ(fault("[[topics]]\nmatch = \"a*\"\ncreate = true\n"),
            "f.toml:1: topics.create is for one topic, and match has a *");
}

TEST(TopicNamespaces, MistakesAreNamedWithTheirLine) {
  EXPECT_EQ(fault("[[topics]]\nmatch = \"a\"\nhistory_cout = 1\n"),
            "f.toml:3: topics.history_cout is not a known key; did you mean history_count?");
  EXPECT_THAT(fault("[[topics]]\nmatch = \"a\"\nheartbeat = \"1s\"\n"),
              HasSubstr("f.toml:3: topics.heartbeat is not a known key"));
  EXPECT_EQ(fault("[[topics]]\nmatch = \"a\"\npublish = \"tokens\"\n"),
            "f.toml:3: topics.publish must be one of open, token, nobody");
  EXPECT_EQ(fault("[[topics]]\nmatch = \"a\"\nsubscribe = true\n"),
            "f.toml:3: topics.subscribe must be one of open, token, nobody");
  EXPECT_EQ(fault("[[topics]]\nmatch = 1\n"), "f.toml:2: topics.match must be a string");
  EXPECT_EQ(fault("[[topics]]\nmatch = \"a\"\nenvelope = 1\n"),
            "f.toml:3: topics.envelope must be true or false");
  EXPECT_EQ(fault("[[topics]]\nmatch = \"a\"\npresence = 1\n"),
            "f.toml:3: topics.presence must be true or false");
  EXPECT_EQ(fault("[[topics]]\nmatch = \"a\"\ncreate = \"yes\"\n"),
            "f.toml:3: topics.create must be true or false");
  EXPECT_EQ(fault("[[topics]]\nmatch = \"a\"\nhistory_count = \"1\"\n"),
            "f.toml:3: topics.history_count must be a whole number");
  EXPECT_EQ(fault("[[topics]]\nmatch = \"a\"\nmax_event_bytes = 1\n"),
            "f.toml:3: topics.max_event_bytes must be from 1KiB to 8MiB");
  EXPECT_EQ(fault("\n[[topics]]\nname = \"a\"\n"), "f.toml:2: topics: match is missing");
  EXPECT_EQ(fault("[[topics]]\nmatch = \"a*\"\n\n[[topics]]\nmatch = \"ab\"\n"),
            "f.toml:4: topics: match \"ab\" is never reached behind \"a*\"");
  EXPECT_EQ(fault("topics = [\"a\", { match = \"b*c\" }]\n"),
            "f.toml:1: topics: match \"b*c\" is no topic's name, with or without a * at its end");
  for (const char* form : {"[topics]\nmatch = \"a\"\n", "topics = \"a\"\n", "topics = [1]\n"}) {
    EXPECT_EQ(fault(form), "f.toml:1: topics must be an array of names, or tables: [[topics]]");
  }
}

TEST(TopicNamespaces, NamesAndTablesAreOneArray) {
  EXPECT_THAT(fault("topics = [\"a\"]\n\n[[topics]]\nmatch = \"b/*\"\n"),
              AllOf(StartsWith("f.toml:3: "),
                    EndsWith("into one array: topics = [\"a\", { match = \"b/*\" }]")));
  EXPECT_EQ(fault("topics = [\"a\", { match = \"b/*\" }]\n"), "accepted");
  EXPECT_THAT(fault("[auth]\n[auth]\n[[topics]]\nmatch = \"a\"\n"), Not(HasSubstr("one array")));
}

TEST(TopicNamespaces, AllMistakesAreToldAtOnce) {
  EXPECT_EQ(fault("retri = 1\n[[topics]]\nmatsh = \"a\"\n"
                  "[[topics]]\nmatch = \"b\"\nslow_bytes = 1\n"),
            "f.toml:1: retri is not a known key; did you mean retry?\n"
            "f.toml:3: topics.matsh is not a known key; did you mean match?\n"
            "f.toml:6: topics.slow_bytes must be from 64KiB to 64GiB");
}

TEST(TopicNamespaces, WhatCannotBeTrueTogether) {
  const ServerOptions options =
      read("history_total_bytes = \"1MiB\"\nhistory_bytes = \"1MiB\"\n"
           "[[topics]]\nmatch = \"a*\"\nhistory_bytes = \"2MiB\"\n");
  const auto together = check_together(options);
  ASSERT_FALSE(together);
  EXPECT_EQ(together.error(), "topics: history_bytes of \"a*\" is larger than history_total_bytes");
}

TEST(TopicNamespaces, WhatIsPrintedReadsBackToTheSame) {
  ServerOptions options = read(kEverything);
  options.topics = {"a", "d\"e"};
  options.namespaces.insert(options.namespaces.begin(),
                            {.match = "\u00e9\\*", .options = {.history_age_s = 0}});
  const std::string printed = to_toml(options);
  EXPECT_EQ(read(printed), options) << printed;
  EXPECT_THAT(printed, HasSubstr("\n  { match = \"*\", publish = \"nobody\" },\n]\n"));
}

TEST(TopicNamespaces, AreComparedAndTakenOverAtAReload) {
  const ServerOptions before;
  const ServerOptions wanted = read("[[topics]]\nmatch = \"a\"\nhistory_count = 1\n");
  const Difference changes = difference(before, wanted);
  EXPECT_THAT(changes.applied, ElementsAre("topics"));
  EXPECT_THAT(changes.restart, IsEmpty());
  const ServerOptions next = reloaded(before, wanted);
  EXPECT_EQ(next, wanted);
  ServerOptions again = wanted;
  again.namespaces[0].options.history_count = 2;
  EXPECT_THAT(difference(wanted, again).applied, ElementsAre("topics"));
  EXPECT_EQ(reloaded(wanted, before), before);
}

// What people copy: the tables of a text, without what stands before each line.
std::string example_of(const char* file, std::string_view margin) {
  std::ifstream in(std::string(TOCSIN_SOURCE_DIR "/") + file);
  std::string tables;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    const bool begins = line.starts_with(std::string(margin) + "[[topics]]");
    inside = begins || (inside && (line.starts_with(margin) || line.empty() || line == "#"));
    if (inside) tables += (line.size() < margin.size() ? "" : line.substr(margin.size())) + "\n";
  }
  return tables;
}

TEST(TopicNamespaces, TheExamplesCanBeCopied) {
  EXPECT_THAT(read(example_of("README.md", "    ")).namespaces, Not(IsEmpty()));
  EXPECT_THAT(read(example_of("systemd/tocsin.toml", "#   ")).namespaces, Not(IsEmpty()));
}

}  // namespace
}  // namespace tocsin::tools
