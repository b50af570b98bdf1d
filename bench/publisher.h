// The publishing side: POSTs numbered events and waits for the answers.
#pragma once

#include <netinet/in.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/payload.h"

namespace tocsin::bench {

enum class PublishMode : std::uint8_t {
  none,
  each,  // one event; the next when every subscriber has it (latency without any queue)
  rate,  // events_per_s, by a fixed schedule
  full,  // as fast as the answers come back
};

struct PublisherOptions {
  sockaddr_in server{};
  std::string host;
  std::string path;
  PublishMode mode = PublishMode::none;
  std::uint64_t events = 0;       // stop after so many; 0: no limit
  double seconds = 0;             // stop after so long; 0: no limit
  double events_per_s = 0;        // mode rate
  std::uint16_t connections = 1;  // each is a lane of its own
  std::uint32_t in_flight = 64;   // requests without an answer, for each connection
  std::uint32_t batch = 0;        // events in an NDJSON request; 0: a text body with one event
  std::uint64_t ahead = 0;        // events published beyond the mean delivered; 0: no limit
  std::uint32_t subscribers = 0;
  double each_timeout_s = 10;
};

struct PublishResult {
  std::vector<std::uint64_t> published;  // for each lane
  std::uint64_t events = 0;              // their sum
  std::uint64_t requests = 0;
  std::uint64_t refused = 0;      // answers that are not 2xx
  std::uint64_t timeouts = 0;     // mode each: events that did not reach all in time
  std::uint64_t duration_ns = 0;  // first send to last answer
  std::string error;              // the first refusal, or why publishing ended early
  std::uint64_t cpu_ns = 0;       // of the publishing thread
};

// Answers on one connection, cut anywhere: counts them by status class. Needs Content-Length or a
// status without a body.
class AnswerReader {
 public:
  // False: the bytes are no such answers; text() shows them.
  [[nodiscard]] bool feed(std::string_view bytes);
  [[nodiscard]] std::uint64_t good() const { return good_; }
  [[nodiscard]] std::uint64_t bad() const { return bad_; }
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] const std::string& first_bad() const { return first_bad_; }

 private:
  std::string text_;  // not yet understood
  std::string first_bad_;
  std::uint64_t good_ = 0;
  std::uint64_t bad_ = 0;
};

// Runs to the end on the calling thread. `delivered` tells how many deliveries all subscribers
// together have had; `count` is raised with every event, for others to watch.
[[nodiscard]] PublishResult publish(const PublisherOptions& options, const PayloadFormat& format,
                                    const std::function<std::uint64_t()>& delivered,
                                    std::atomic<std::uint64_t>& count);

}  // namespace tocsin::bench
