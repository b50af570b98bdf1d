// What one run of `tocsin load` does: filled from a scenario's defaults, then from the flags.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "net/client/response_reader.h"
#include "net/transport/url.h"
#include "tools/load/events/workload.h"
#include "tools/load/figures/expectation.h"
#include "tools/load/options/source_address.h"

namespace tocsin::load {

enum class Scenario : std::uint8_t {
  idle,       // streams that hear nothing but heartbeats
  trickle,    // one event a second to everybody
  broadcast,  // one event at a time; the next when every subscriber has it
  saturate,   // publishers as fast as the subscribers get the events
  topics,     // a topic for each subscriber, events spread over them (Zipf)
  churn,      // subscribers leave and others come while events flow
  herd,       // everybody is cut off at once and comes back with Last-Event-ID
  slow,       // some subscribers read slowly or not at all
  replay,     // events are published first, then everybody connects and asks for all of them
  deploy,     // the server is restarted by somebody else meanwhile; who lost what, and for how long
};

enum class IoKind : std::uint8_t { automatic, uring, epoll };

struct SubscriberOptions {
  net::Url url;             // {topic} is replaced in its target
  net::HeaderList headers;  // {topic} is replaced in the values
  // Keys or tokens that stream after stream sends as Authorization: Bearer, from the first again
  // when they are used up. Each stream keeps its own. Empty: none does.
  std::vector<std::string> tokens;
  std::uint32_t count = 100;
  std::uint32_t threads = 0;  // 0: one for each core, or as many as descriptors ask for
  IoKind io = IoKind::automatic;
  double connects_per_s = 0;               // of all threads together; 0: as fast as it goes
  std::uint32_t connects_in_flight = 256;  // of a thread; below a listener's usual backlog
  SourceAddresses sources;
  // Lets a reader resume: "header" sends Last-Event-ID; otherwise the query parameter's name.
  std::string resume_by = "header";
  std::string framing;  // Tocsin's query parameter: chunked or close; empty: as it likes

  double churn_per_s = 0;       // streams that leave each second, and as many that come
  double churn_resume = 0;      // share of them (0 to 1) that come back with their Last-Event-ID
  double herd_after_s = 0;      // from the first event on; 0: never
  double herd_share = 1;        // of the streams (0 to 1)
  double slow_share = 0;        // of the streams (0 to 1)
  double slow_bytes_per_s = 0;  // what a slow one reads; 0: nothing at all
};

enum class PublishMode : std::uint8_t {
  none,
  each,  // one event; the next when every subscriber has it: latency without any queue
  rate,  // by a schedule that does not wait for the server (open loop)
  full,  // as fast as the answers come back, at most `ahead` in front of the subscribers
};

// One request's shape. Placeholders: {topic}; in the item also {data}. A batch's body is
// prefix + item + separator + item ... + suffix.
struct PublishTemplate {
  net::Url url;
  std::string method = "POST";
  net::HeaderList headers;
  std::string content_type = "text/plain";
  std::string body_prefix;
  std::string item = "{data}";
  std::string separator;
  std::string body_suffix;
  std::vector<int> success = {200, 201, 202, 204};
};

struct PublishLoad {
  PublishTemplate request;
  PublishMode mode = PublishMode::none;
  std::uint32_t connections = 1;
  std::uint32_t in_flight = 64;  // unanswered requests of a connection
  std::uint32_t batch = 1;       // events of a request
  std::uint64_t events = 0;      // stop after so many; 0: no limit
  double duration_s = 0;         // stop after so long; 0: no limit
  Schedule schedule;             // mode rate
  std::uint64_t ahead = 0;       // mode full: events beyond the mean delivered; 0: no limit
  double each_timeout_s = 10;    // without any delivery; what is missing is then waited for no more
  std::uint64_t history = 0;     // events published before anybody connects (replay)
};

struct LoadOptions {
  Scenario scenario = Scenario::broadcast;
  SubscriberOptions subscribe;
  PublishLoad publish;
  Workload workload;  // topics and sizes

  std::uint32_t warmup = 0;  // subscribers that connect before anything is measured
  double settle_s = 0;       // after connecting, before memory is read
  double idle_s = 0;         // window without events in which CPU is measured
  double drain_s = 10;       // without any progress: what is missing then is lost
  double linger_s = 0.05;    // after the last delivery, for what comes twice

  std::vector<pid_t> server_pids;
  std::string server_unit;     // systemd unit whose main process is measured
  bool kernel_memory = false;  // read (and as root shrink) the kernel's caches
  // At the streams' host: where the server says how many streams it has; empty: nowhere.
  std::string counters_target;

  std::vector<Expectation> expectations;
  std::string json_path;    // "-": standard output
  std::string report_path;  // HTML
  bool quiet = false;       // no progress
  std::vector<std::string> command_line;
};

}  // namespace tocsin::load
