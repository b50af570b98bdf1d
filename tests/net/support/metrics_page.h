// Prometheus' text format, read strictly enough to find a page that a scraper would refuse.
#pragma once

#include <cstdlib>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace tocsin::net {

// The samples by name with labels.
[[nodiscard]] inline std::map<std::string, double> parse_metrics(const std::string& page) {
  std::map<std::string, double> samples;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    const auto space = line.rfind(' ');
    if (line.empty() || line.front() == '#' || space == std::string::npos) continue;
    samples[line.substr(0, space)] = std::strtod(line.c_str() + space + 1, nullptr);
  }
  return samples;
}

// The family that a sample belongs to: a histogram's samples have endings.
inline std::string family_of(const std::string& sample,
                             const std::map<std::string, std::string>& types) {
  std::string name = sample.substr(0, sample.find_first_of("{ "));
  for (const std::string ending : {"_bucket", "_count", "_sum"}) {
    if (!name.ends_with(ending)) continue;
    const std::string family = name.substr(0, name.size() - ending.size());
    const auto type = types.find(family);
    if (type != types.end() && type->second == "histogram") return family;
  }
  return name;
}

// Every family has one HELP with words and one TYPE before its samples; no sample comes twice;
// counters end in _total.
inline void check_metrics_page(const std::string& page) {
  std::map<std::string, std::string> help;
  std::map<std::string, std::string> types;
  std::set<std::string> samples;
  std::istringstream lines(page);
  ASSERT_TRUE(page.ends_with('\n'));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash, keyword, name, rest;
    if (line.starts_with("# ")) {
      words >> hash >> keyword >> name;
      std::getline(words, rest);
      auto& known = keyword == "HELP" ? help : types;
      EXPECT_TRUE(known.emplace(name, rest.empty() ? rest : rest.substr(1)).second) << line;
      EXPECT_GT(rest.size(), 1U) << line;
      continue;
    }
    const std::string family = family_of(line, types);
    EXPECT_TRUE(help.contains(family)) << line;
    ASSERT_TRUE(types.contains(family)) << line;
    EXPECT_EQ(types[family] == "counter", family.ends_with("_total")) << line;
    EXPECT_TRUE(family.starts_with("tocsin_") || family.starts_with("process_")) << line;
    EXPECT_TRUE(samples.insert(line.substr(0, line.rfind(' '))).second) << "twice: " << line;
  }
  EXPECT_GT(types.size(), 20U);
}

}  // namespace tocsin::net
