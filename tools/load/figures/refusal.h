// Why streams did not open, and what was still waited for at the end.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace tocsin::load {

struct Refusal {
  std::string kind;  // short, of a few: to count by ("status 503")
  std::string why;   // for a person, with the server's own words in it as it sent them
};

struct Refusals {
  std::map<std::string, std::uint32_t> by_kind;
  std::string first;  // why the first one was, in full

  void add(const Refusal& refusal);
  void merge(const Refusals& other);
};

// "2 x no answer, 14 x status 503".
[[nodiscard]] std::string readable_kinds(const Refusals& refusals);

// Streams whose opening was under way when the run ended.
struct Unanswered {
  std::uint32_t connecting = 0;  // waited for the connection
  std::uint32_t heads = 0;       // connected, the request sent: waited for the response's head
  std::uint64_t longest_ns = 0;  // since the connect

  [[nodiscard]] std::uint32_t count() const { return connecting + heads; }
  void merge(const Unanswered& other);
};

// What was waited for and how long, a sentence.
[[nodiscard]] std::string readable_wait(const Unanswered& unanswered);

}  // namespace tocsin::load
