// What a shard counts. Written by the shard's thread alone, read by whoever renders /metrics.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "net/auth/denial.h"
#include "proto/assert.h"

namespace tocsin::net {

// One writer: a plain load and store, no locked instruction. Readers see some recent value.
class Counter {
 public:
  void add(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  // Of a gauge.
  void sub(std::uint64_t n = 1) {
    TOCSIN_ASSERT(get() >= n);
    value_.store(value_.load(std::memory_order_relaxed) - n, std::memory_order_relaxed);
  }
  void set(std::uint64_t n) { value_.store(n, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// Counts by powers of two: bucket i has values in (2^(i-1), 2^i], the first 0 and 1, the last the
// rest.
template <std::size_t kBuckets>
class Histogram {
 public:
  static constexpr std::size_t size() { return kBuckets; }
  // `value`, `times` times.
  void record(std::uint64_t value, std::uint64_t times = 1) {
    const auto index = value <= 1 ? 0U : static_cast<unsigned>(std::bit_width(value - 1));
    buckets_[index < kBuckets ? index : kBuckets - 1].add(times);
    sum_.add(value * times);
  }
  [[nodiscard]] std::uint64_t bucket(std::size_t i) const { return buckets_[i].get(); }
  [[nodiscard]] std::uint64_t sum() const { return sum_.get(); }

 private:
  std::array<Counter, kBuckets> buckets_;
  Counter sum_;
};

// Why a request was answered with an error, or a connection refused.
enum class Rejection : std::uint8_t {
  malformed,         // 400: not HTTP
  head_too_large,    // 431
  body_too_large,    // 413: a body, or an event of it
  timeout,           // 408
  version,           // 505
  not_found,         // 404
  method,            // 405, 501
  invalid,           // 400: a field, an event, a body; 415
  forbidden,         // 403: GET publish is off; a topic is not for clients
  connection_limit,  // 503
  accept_rate,       // 503
  topic_limit,       // 503
  unavailable,       // 503: the store took no publish
  unknown,           // 503: whether it was published is not known
  conflict,          // 409, 422: the key of a publish
  draining,          // 503
  exhausted,         // 503: no descriptors, no memory, no request slot
  request_memory,    // 503, or none: the memory for requests and answers is used up
  failed,            // 500: a route of the application
  address_limit,     // 429, and so those below: limits on one client
  address_opens,
  address_publishes,
  address_bytes,
  subject_limit,
  subject_opens,
  subject_publishes,
  subject_bytes,
  stream_topics,  // 400
  behind,         // 200: come back; other hubs have told of events that this one does not have yet
  kCount,
};
inline constexpr std::size_t kRejections = static_cast<std::size_t>(Rejection::kCount);

struct alignas(64) ShardMetrics {
  std::atomic<const char*> io_name{""};  // the backend in use; a literal

  // Gauges of the connection table, by state.
  Counter requests_open;  // being read or answered, publishers between requests
  Counter streams_open;
  Counter streams_blocked;  // of these, waiting for room in the socket
  Counter closing;

  Counter accepted;
  Counter accept_pauses;  // descriptors or memory ran out
  Counter made_room;      // connections without a whole request that were ended for newcomers
  Counter streams_opened;
  Counter resumed;  // with a Last-Event-ID
  Counter events_published;
  Counter batches_published;
  Counter repeats;  // publishes that were answered as the first time
  Counter deliveries;     // events handed to the kernel for one subscriber
  Counter bytes_sent;     // bytes of streams that the kernel took
  Counter sends;          // send requests for streams
  Counter short_sends;    // took a part
  Counter blocked_sends;  // took nothing
  Counter heartbeats;
  Counter streams_withdrawn;  // their credential expired, or their right is gone
  Counter slow_disconnects;
  Counter slow_skips;  // policy `latest`
  Counter gaps;        // gap events sent
  Counter past_deliveries;  // of the deliveries: events that the store had, and memory had not
  Counter stale_completions;
  Counter stale_answers;  // came later than their client stayed
  Counter presence_lost;  // events of who came and went that could not be published
  Counter publish_waits;  // a publisher waited for the shards
  Counter loops;          // turns of the loop: the watchdog's pulse
  std::array<Counter, kRejections> rejections;
  std::array<Counter, kDenialCauses> denials;  // of these requests none is among the rejections
  void count_published(std::uint64_t events, bool repeated) {
    if (repeated) {
      repeats.add();
      return;
    }
    events_published.add(events);
    batches_published.add();
  }
  void count(Rejection why) { rejections[static_cast<std::size_t>(why)].add(); }
  void count(DenialCause why) { denials[static_cast<std::size_t>(why)].add(); }
  Histogram<12> events_per_send;      // 1 .. 2048 and more
  Histogram<28> delivery_latency_us;  // see Outbox
  Histogram<24> turn_us;              // busy time of a turn, waiting left out
};

// What is counted of a store that answers later. Written under the hub's lock.
struct alignas(64) StoreMetrics {
  // What became of a publish.
  enum class Answer : std::uint8_t { committed, refused, unknown, kCount };
  static constexpr std::size_t kAnswers = static_cast<std::size_t>(Answer::kCount);

  Counter pending;        // gauge: publishes that it has and has yet to answer
  Counter pending_bytes;  // gauge: of these
  std::array<Counter, kAnswers> answers;
  Counter stale_answers;  // to whoever did not wait any more, or had one
  Counter stale_batches;  // of the history, that are here already, or that do not follow
  Counter shard_waits;    // a batch waited for the shards to catch up
  Counter forks;          // of the history, behind the newest event here
  Histogram<26> answer_us;  // from a publish to what became of it
  // Of the store's thread, by what it says of its commits.
  Counter commits;
  Counter commit_batches;
  Counter commit_events;
  Histogram<26> commit_us;
  Counter history_bytes;  // gauge
  // The same, of how it stands to its server.
  Counter away;  // gauge: 1, there is no connection
  Counter reconnects;
  Counter failovers;
  Counter behind;  // gauge: events that are there, and not here yet

  void count_answer(Answer answer, std::uint64_t us) {
    answers[static_cast<std::size_t>(answer)].add();
    answer_us.record(us);
  }
};

// What is counted of reading what is older than memory. Written under the reader's lock.
struct alignas(64) PastMetrics {
  Counter running;  // gauge: streams that have a page
  Counter waiting;  // gauge: streams that wait for one
  Counter pages_read;
  Counter pages_shared;  // given to one more stream without being read again
  Counter events_read;
  Counter failures;      // the store could not be read
};

// Several writers.
class SharedCounter {
 public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// What is counted of other servers that are asked who somebody is (RemoteAuthority).
struct alignas(64) OutboundMetrics {
  // What came of fetching an issuer's keys.
  enum class Fetch : std::uint8_t { fetched, failed, kCount };
  // What came of a question to the operator's back end.
  enum class Call : std::uint8_t {
    allowed,
    refused,
    failed,     // no answer, or none that means anything
    timed_out,  // none in time
    kCount,
  };
  static constexpr std::size_t kFetches = static_cast<std::size_t>(Fetch::kCount);
  static constexpr std::size_t kCalls = static_cast<std::size_t>(Call::kCount);

  std::array<SharedCounter, kFetches> fetches;
  std::array<SharedCounter, kCalls> calls;
  SharedCounter cached;      // requests whose answer was known
  SharedCounter crowded;     // requests that were refused because too many waited
  Histogram<24> call_us;     // from a call's begin to its end; one thread's

  void count(Fetch what) { fetches[static_cast<std::size_t>(what)].add(); }
  void count(Call what) { calls[static_cast<std::size_t>(what)].add(); }
};

}  // namespace tocsin::net
