// What an operator sets for `tocsin serve`, with defaults and units.
//
// A plain value: filled by the programs (tools/serve/options.h: defaults < file < flags), checked
// there for range, then handed to the server, which keeps its own copy. Hard limits of the
// implementation are in proto/limits.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/slow_policy.h"
#include "net/log_format.h"

namespace tocsin::net {

// How the shards talk to the kernel.
enum class IoChoice : std::uint8_t {
  automatic,  // io_uring if the kernel allows it and passes the probe, else epoll
  uring,      // io_uring or refuse to start
  epoll,
};

using core::SlowPolicy;

// Of a history in a file: what is on the disk when a publish is answered. Each survives the end of
// the process; these are about the end of the machine.
enum class HistorySync : std::uint8_t {
  full,    // its events
  normal,  // all but the newest events: it is synced when some megabytes have gathered
  off,     // what the kernel has written by itself, usually all that is half a minute old
};

// What holds for a topic in place of the hub's options: of one topic (Server::create_topic), or of
// all whose names match (TopicNamespace). Of both the topic's own count. Nothing: as in
// ServerOptions. `true` holds where either says so.
struct TopicOptions {
  std::optional<std::uint32_t> history_count{};
  std::optional<std::uint32_t> history_age_s{};
  std::optional<std::uint64_t> history_bytes{};
  // A subscriber without a Last-Event-ID gets what is kept, too. One with it always resumes.
  bool auto_replay = false;
  // Data is sent as base64 (RFC 4648, 4), so that it may be any bytes: the rule that it must be
  // UTF-8 does not hold for Server::publish then. Ids are of the encoded event.
  bool base64 = false;
  // Data is sent as {"topic":NAME,"data":…}, encoded once like everything. JSON stays JSON in it,
  // text becomes a string; of base64 it is the text.
  bool envelope = false;
  // A stream of several topics is disconnected if any of them says so, and may be behind as far as
  // the most generous allows.
  std::optional<SlowPolicy> slow_policy{};
  std::optional<std::uint64_t> slow_bytes{};
  std::optional<std::uint64_t> max_event_bytes{};

  [[nodiscard]] bool operator==(const TopicOptions&) const = default;
};

// Who may do something with a topic by a request; the program that runs the hub may always.
enum class TopicAccess : std::uint8_t {
  open,    // everybody
  token,   // whoever a credential says it of; nobody, where the hub asks for none
  nobody,  // no client
};

// Options of the topics whose names match: `[[topics]]` of the configuration.
struct TopicNamespace {
  // A name, or with a * at its end all that begin so; "*": all.
  std::string match{};
  // What /metrics calls it; empty: as `match`. Several of one name are counted together.
  std::string name{};
  // Nothing: open, or token where the hub asks for credentials.
  std::optional<TopicAccess> publish{};
  std::optional<TopicAccess> subscribe{};
  // Who comes to one of its topics and who goes is told on the topic "presence/TOPIC", once a
  // second at most: subjects of credentials. Holds for streams that open from then on.
  bool presence = false;
  TopicOptions options{};

  [[nodiscard]] bool operator==(const TopicNamespace&) const = default;
};

struct ServerOptions {
  // --- listening

  // ADDR:PORT, IPv6 as [ADDR]:PORT. Port 0 lets the kernel choose. Every shard listens on each.
  std::vector<std::string> listen{"127.0.0.1:8080"};
  // 0: one per core that the process may run on (its affinity mask); at most limits::kMaxShards.
  std::uint32_t shards = 0;
  IoChoice io = IoChoice::automatic;
  // Each shard's thread stays on one core.
  bool pin_shards = true;
  // Every shard has a descriptor table of its own (unshare(CLONE_FILES)): no lock between shards,
  // and RLIMIT_NOFILE limits a shard, not the process. Only for a program that is a hub and nothing
  // else: its routes and hooks do not see descriptors opened after the start (the same number may
  // be a client's connection there), and what was open at the start stays open until the server has
  // ended, even if the program closes it. `tocsin serve` sets it.
  bool private_descriptors = false;
  // Bytes for SO_SNDBUF of a stream: what a slow client can pin in the kernel (which doubles the
  // value for its bookkeeping). 0: the kernel's own, growing choice.
  std::uint32_t send_buffer = 64 * 1024;
  // Bytes for SO_RCVBUF; a stream's client has nothing more to say. 0: the kernel's own choice.
  std::uint32_t receive_buffer = 8 * 1024;

  // --- admission; existing streams are never closed in favour of new ones

  // Streams of the whole hub; the next one is answered 503 with Retry-After.
  std::uint32_t max_connections = 1'000'000;
  // New streams per second for the whole hub; more are answered 503. 0: no limit. To browsers'
  // EventSource and many other clients a 503 is final, also when they come back from a cut: a rate
  // that a crowd of them meets loses those that are over it; with full_retry_ms
  // they come again.
  std::uint32_t accept_rate = 0;
  // A stream that is refused for now, because the hub is full or by a limit on its client, is
  // answered 200 with this reconnection time in milliseconds, jittered, and ends: what a browser
  // takes for a cut. 0: it is answered 503 or 429, which a browser takes for final.
  std::uint32_t full_retry_ms = 0;

  // --- limits on one client, an address (of IPv6 a /64) or a subject (Principal::subject); past
  // them it is answered 429. 0: no limit. Rates hold over time; limits::kClientBurstS seconds'
  // worth may come at once. None of them holds for access keys of the configuration, which are no
  // strangers, but for connections, which are counted before they ask. A client without a subject
  // is limited by its address alone.

  // Streams. Of an address other connections are counted beside them, at most as many, but at least
  // limits::kMinRequestsPerAddress.
  std::uint32_t max_per_address = 0;
  std::uint32_t max_per_subject = 0;
  // Streams opened a second.
  std::uint32_t open_rate_per_address = 0;
  std::uint32_t open_rate_per_subject = 0;
  // Events published a second, and bytes of the bodies and queries that publish.
  std::uint32_t publish_rate_per_address = 0;
  std::uint32_t publish_rate_per_subject = 0;
  std::uint64_t publish_bytes_per_address = 0;
  std::uint64_t publish_bytes_per_subject = 0;
  // Topics of one stream; more are answered 400, as they would be the next time.
  std::uint32_t max_topics_per_stream = 128;  // limits::kMaxTopicsPerSubscriber
  // Networks of the proxies in front, whose X-Forwarded-For says which address a request is from
  // (net/state/trusted_proxies.h): 10.0.0.0/8, ::1. They must write it, and only they may reach the
  // hub from there. Their own connections are not counted. None: all of a proxy's clients have its
  // address.
  std::vector<std::string> trusted_proxies{};

  // --- streams

  // Seconds of silence after which a comment is sent, give or take a quarter; to a stream that asks
  // for an interval of its own (limits::kMinHeartbeatS) by that. 0: never; a client
  // that vanished is then found by the next event, or by the kernel, which asks after its peer when
  // a connection was silent for two minutes (limits::kKeepAliveIdleS) and ends it 15 s later, or
  // slow_seconds + 10 where that is longer. Below 30 s the defaults of all proxies but Envoy
  // suffice (docs/proxies.md).
  std::uint32_t heartbeat_s = 15;
  // Reconnection time sent as `retry:`, milliseconds; jittered per stream by the server.
  std::uint32_t retry_ms = 3000;
  // Seconds after which a stream is ended so that clients spread over hubs again; jittered. A new
  // value is for streams that open from then on. 0: never. Behind proxies an hour or so is right:
  // some never let go of a stream whose client has left (docs/proxies.md), and this ends it.
  std::uint32_t max_stream_age_s = 0;
  SlowPolicy slow_policy = SlowPolicy::disconnect;
  // A stream is slow once it is this many bytes behind, or has accepted nothing for this long.
  std::uint64_t slow_bytes = 2ULL * 1024 * 1024;
  std::uint32_t slow_seconds = 30;

  // --- topics and their history; the first limit that is reached trims. By default a topic keeps
  // twice what a slow stream may be behind, so that one that was disconnected resumes without a
  // gap.

  std::uint32_t history_count = 100'000;                     // events per topic; 0: no history
  std::uint32_t history_age_s = 300;                         // seconds; 0: no limit by age
  std::uint64_t history_bytes = 4ULL * 1024 * 1024;          // encoded bytes per topic
  std::uint64_t history_total_bytes = 256ULL * 1024 * 1024;  // for the whole hub
  // Where the history is kept. "memory": it ends with the hub. "sqlite:PATH": in a file, which one
  // hub at a time has open; what fits into memory is there again at the next start. "redis://...":
  // net/redis/redis_url.h, in a server, for several hubs. With both ids go on, and clients resume.
  std::string history = "memory";
  HistorySync history_sync = HistorySync::full;
  // Of the file: the oldest events go past it. It may become a quarter larger, and beside it there
  // are a log (64 MiB, and a commit) and a reserve for a full disk (128 MiB).
  std::uint64_t history_file_bytes = 512ULL * 1024 * 1024;
  std::uint32_t history_file_age_s = 0;  // seconds that events stay in the file; 0: no limit
  // A topic exists once somebody subscribes or publishes to it; false: only those in `topics`.
  bool auto_topics = true;
  // Topics that exist from the start and are never forgotten.
  std::vector<std::string> topics{};
  // Topics whose data is sent as {"topic":…,"data":…}, for those who read several; with a * at its
  // end a name stands for all that begin so.
  std::vector<std::string> envelope_topics{};
  // Options by topic, in order: the first that matches counts. At most limits::kMaxNamespaces.
  std::vector<TopicNamespace> namespaces{};
  // Bytes of one event's frame on the wire: its lines `event:`, `retry:`, `data:` and `id:` with
  // their line ends, and the empty line, in the form in which it is sent (envelope, base64); the
  // hub's own id counts 29 bytes. A larger one is refused (413), alone or with its batch. The frame
  // is counted, because that, or a line of it, is what clients put into a buffer that has an end:
  // some stop for ever, and without a word, at an event over 64 KiB. By default only the hub's own
  // bounds hold (1 MiB of data: limits::kMaxEventData): what suits depends on who reads.
  std::uint64_t max_event_bytes = 8 * 1024 * 1024;  // limits::kMaxEncodedBatch
  // Topics in memory; past it requests for new ones are answered 503.
  std::uint32_t max_topics = 2'000'000;
  // Seconds after which a topic without subscribers and history is forgotten.
  std::uint32_t topic_idle_s = 60;

  // --- requests

  // Seconds within which a request's head and body must have arrived.
  std::uint32_t request_timeout_s = 10;
  // Seconds that a connection may stay open between requests.
  std::uint32_t keep_alive_s = 75;
  // `GET /publish?msg=...` publishes, for clients that can do no better.
  bool get_publish = true;
  // An event with an id that is the same as the newest one of this id in its topic, which is still
  // kept, is answered as that one was, and not published again: a proxy or a client has repeated
  // the request. With other data it is another event, as where an id names a thing. A request with
  // a Publish-Id or an Idempotency-Key is known by that alone. A batch is repeated if all events of
  // it are.
  bool ids_once = true;
  // Pages that may read the answers: `*`, any, without credentials; or origins as browsers write
  // them (scheme://host[:port]: net/http/cors.h), each of which may also send credentials (cookies,
  // which a proxy in front may ask for). None: no page of another origin. It does not keep pages
  // from publishing: what a form may send needs no leave, only the answer cannot be read. Where the
  // hub asks for credentials `*` counts for nothing, and the pages that are named may publish with
  // a cookie (net/http/credentials.h).
  std::vector<std::string> cors_origins{"*"};
  // Query parameters that /events and /publish ignore besides the cache busters and trackers that
  // they know (net/http/query_parameters.cc): those of a proxy in front or of routes that decline.
  // NAME, or NAME* for all that begin so. Every other unknown one is answered 400.
  std::vector<std::string> ignored_parameters{};

  // --- the process

  // Seconds over which streams are ended at a stop. Their clients come back spread over the times
  // of `retry_ms` as well, and whoever comes meanwhile waits for the next process: less than the
  // shortest of these (half of retry_ms) is right, unless they are to go elsewhere.
  std::uint32_t drain_timeout_s = 1;
  // Of `tocsin serve`; a program that embeds the hub: net/log.h.
  LogLevel log_level = LogLevel::info;
  LogFormat log_format = LogFormat::automatic;

  [[nodiscard]] bool operator==(const ServerOptions&) const = default;
};

}  // namespace tocsin::net
