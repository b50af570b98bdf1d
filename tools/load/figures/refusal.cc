#include "tools/load/figures/refusal.h"

#include <algorithm>

#include <fmt/format.h>

#include "tools/load/figures/readable.h"

namespace tocsin::load {

void Refusals::add(const Refusal& refusal) {
  ++by_kind[refusal.kind];
  if (first.empty()) first = refusal.why;
}

void Refusals::merge(const Refusals& other) {
  for (const auto& [kind, count] : other.by_kind) by_kind[kind] += count;
  if (first.empty()) first = other.first;
}

std::string readable_kinds(const Refusals& refusals) {
  std::string text;
  for (const auto& [kind, count] : refusals.by_kind) {
    text += fmt::format("{}{} x {}", text.empty() ? "" : ", ", readable_count(count), kind);
  }
  return text;
}

void Unanswered::merge(const Unanswered& other) {
  connecting += other.connecting;
  heads += other.heads;
  longest_ns = std::max(longest_ns, other.longest_ns);
}

std::string readable_wait(const Unanswered& unanswered) {
  const auto streams = [](std::uint32_t count) {
    return fmt::format("{} {}", readable_count(count), count == 1 ? "stream" : "streams");
  };
  std::string text;
  if (unanswered.connecting > 0) {
    text = streams(unanswered.connecting) + " waited for the connection (TCP)";
  }
  if (unanswered.heads > 0) {
    if (!text.empty()) text += ", ";
    text += streams(unanswered.heads) +
            " waited for the response's head (connected, no TLS, request sent)";
  }
  return fmt::format("{}, up to {}", text,
                     readable_time(static_cast<double>(unanswered.longest_ns)));
}

}  // namespace tocsin::load
