// Numbers that documents and the unit repeat are those of the code.
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/server/system_check.h"
#include "proto/limits.h"
#include "tests/net/support/temporary_folder.h"

namespace tocsin::tools {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// White space as one blank, so that line breaks do not matter.
std::string document(const std::string& name) {
  std::ifstream file(TOCSIN_SOURCE_DIR "/" + name);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  EXPECT_FALSE(text.empty()) << name;
  return std::regex_replace(text, std::regex("\\s+(# )?"), " ");
}

// The number behind `words`, as in TasksMax=256.
std::uint64_t number_behind(const std::string& text, const std::string& words) {
  const std::size_t at = text.find(words);
  EXPECT_NE(at, std::string::npos) << words;
  return at == std::string::npos ? 0 : std::stoull(text.substr(at + words.size()));
}

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, ",");
  return text;
}

TEST(DocumentNumbers, TheUnitFitsTheCode) {
  const std::string unit = document("systemd/tocsin.service");
  const net::ServerOptions defaults;
  EXPECT_THAT(unit, HasSubstr(fmt::format("Shards (at most {})", limits::kMaxShards)));
  EXPECT_GE(number_behind(unit, "TasksMax="), limits::kMaxShards + 32);
  EXPECT_THAT(unit, HasSubstr(fmt::format("drain_timeout ({} s)", defaults.drain_timeout_s)));
  EXPECT_GT(number_behind(unit, "TimeoutStopSec="), defaults.drain_timeout_s + 10);
  const std::uint64_t descriptors = number_behind(unit, "LimitNOFILE=");
  EXPECT_THAT(unit, HasSubstr("carries 940,000 streams per shard"));
  EXPECT_LE(net::descriptors_per_shard(940'000, 1), descriptors);
  EXPECT_GT(net::descriptors_per_shard(950'000, 1), descriptors);
  const std::string readme = document("systemd/README.md");
  EXPECT_THAT(readme, HasSubstr(fmt::format("stands still for {} seconds",
                                            number_behind(unit, "WatchdogSec="))));
  EXPECT_THAT(document("docs/proxies.md"),
              HasSubstr(fmt::format("`heartbeat` ({} s)", defaults.heartbeat_s)));
}

TEST(DocumentNumbers, TheReadmeNamesTheLimits) {
  const std::string readme = document("README.md");
  EXPECT_THAT(readme,
              HasSubstr(fmt::format(
                  "{} topics of a stream, names of {} bytes, ids of {}, {} MiB of data in an "
                  "event; in a request {} events, {} MiB, {} MiB of frames on the wire and {} "
                  "topics that are new",
                  limits::kMaxTopicsPerSubscriber, limits::kMaxTopicName, limits::kMaxEventId,
                  limits::kMaxEventData / limits::kMiB, grouped(limits::kMaxBatchEvents),
                  limits::kMaxRequestBody / limits::kMiB, limits::kMaxEncodedBatch / limits::kMiB,
                  grouped(limits::kMaxNewTopics))));
  EXPECT_THAT(document("DECISIONS.md"),
              HasSubstr(fmt::format("up to {} shards", limits::kMaxShards)));
}

// A machine with the package's kernel settings is short of none of them for a million streams.
TEST(DocumentNumbers, TheKernelSettingsSufficeForAMillionStreams) {
  const TemporaryFolder root;
  std::ifstream file(TOCSIN_SOURCE_DIR "/systemd/90-tocsin.conf");
  std::size_t settings = 0;
  for (std::string line; std::getline(file, line);) {
    const std::size_t equals = line.find(" = ");
    if (line.starts_with('#') || equals == std::string::npos) continue;
    std::string key = line.substr(0, equals);
    std::ranges::replace(key, '.', '/');
    root.write("proc/sys/" + key, line.substr(equals + 3) + '\n');
    ++settings;
  }
  EXPECT_GT(settings, 5U);
  for (const std::uint32_t shards : {1U, 2U, 56U}) {
    EXPECT_THAT(net::check_system({}, {.streams = 1'000'000}, shards, root.path()), IsEmpty())
        << shards;
  }
  EXPECT_EQ(net::check_system({}, {.streams = 100'000'000}, 1, root.path()).size(), 3U)
      << "they are looked at";
}

}  // namespace
}  // namespace tocsin::tools
