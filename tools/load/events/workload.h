// What is published: over which topics, of which size, and when. Pure: time is an argument.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin::load {

// "200", "100-2000" (uniform), or "200:0.9,4000:0.1" (weighted choices).
class SizeDistribution {
 public:
  SizeDistribution() = default;  // 200 bytes
  [[nodiscard]] static std::expected<SizeDistribution, std::string> parse(std::string_view text);

  [[nodiscard]] std::size_t draw(std::mt19937_64& random) const;
  [[nodiscard]] std::size_t largest() const;
  [[nodiscard]] double mean() const;

 private:
  struct Choice {
    std::size_t first;
    std::size_t last;  // inclusive
    double up_to;      // cumulative weight, the last one is 1
  };
  std::vector<Choice> choices_ = {{200, 200, 1.0}};
};

// Topics and lanes. There are max(topics, connections) lanes: lane L belongs to topic L % topics
// and is published on connection L % connections, so each lane has one order, and all lanes of a
// connection's requests are its own.
struct Workload {
  std::uint32_t topics = 1;
  double zipf = 0;  // exponent of the topics' popularity; 0: all the same
  SizeDistribution sizes;
  std::string topic_prefix = "load";  // the only topic's name; with several: prefix-NUMBER
  std::uint64_t seed = 0;             // 0: random, and told

  [[nodiscard]] std::uint32_t lanes(std::uint32_t connections) const;
  [[nodiscard]] std::string topic_name(std::uint32_t topic) const;
  // Of subscriber number `index`.
  [[nodiscard]] std::uint32_t topic_of(std::uint32_t index) const { return index % topics; }
};

// Draws lanes for one connection by the topics' popularity, in constant or logarithmic time for a
// million topics. Topic number t has the weight 1 / (t + 1)^zipf, shared by its lanes.
class LaneChooser {
 public:
  LaneChooser(const Workload& workload, std::uint32_t connections, std::uint32_t connection);
  [[nodiscard]] std::uint32_t draw(std::mt19937_64& random);
  // The sum of its lanes' weights: its share of all events, together with the other connections'.
  [[nodiscard]] double weight() const { return weight_; }

 private:
  [[nodiscard]] std::uint32_t lane(std::size_t index) const {
    return connection_ + (static_cast<std::uint32_t>(index) * connections_);
  }

  std::uint32_t connections_;
  std::uint32_t connection_;
  std::size_t count_;               // of its lanes
  std::vector<double> cumulative_;  // empty: uniform, taken in turn
  double weight_ = 0;
  std::size_t turn_ = 0;
};

// The open-loop schedule: when event number n of a connection is due, whatever the server does.
struct Schedule {
  double events_per_s = 1;  // of all connections together
  bool poisson = false;     // otherwise evenly spaced
  std::uint32_t burst = 1;  // events that are due at the same moment
};

class Ticker {
 public:
  // Connection `connection` of `connections`, which share the rate and start out of step. Evenly
  // spaced, event n is due at a multiple of the interval, not at a sum of intervals: nothing
  // drifts. REQUIRES: a rate above 0.
  Ticker(const Schedule& schedule, std::uint32_t connections, std::uint32_t connection,
         std::uint64_t start_ns, std::uint64_t seed);
  [[nodiscard]] std::uint64_t due_ns() const { return due_ns_; }  // of the next event
  void advance();

 private:
  Schedule schedule_;
  double interval_ns_;  // between two bursts of this connection
  double offset_ns_;    // from start_ns_: the first burst's (even), the last one's (Poisson)
  std::uint64_t start_ns_;
  std::uint64_t bursts_ = 0;
  std::uint64_t due_ns_;
  std::uint32_t in_burst_ = 0;
  std::mt19937_64 random_;
};

}  // namespace tocsin::load
