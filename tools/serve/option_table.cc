#include "tools/serve/option_table.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "net/http/cors.h"
#include "net/io/listen_address.h"
#include "net/server/history_choice.h"
#include "net/server/system_check.h"
#include "net/state/trusted_proxies.h"
#include "proto/limits.h"
#include "proto/sse/event.h"
#include "proto/text/name_pattern.h"

namespace tocsin::tools {
namespace {

constexpr std::array<std::string_view, 3> kIoWords{"auto", "uring", "epoll"};
constexpr std::array<std::string_view, 2> kSlowWords{"disconnect", "latest"};
constexpr std::array<std::string_view, 5> kLevelWords{"trace", "debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 4> kFormatWords{"auto", "human", "logfmt", "json"};

constexpr std::array<std::string_view, 3> kSyncWords{"full", "normal", "off"};

constexpr std::uint64_t kDay = 86'400;  // seconds
constexpr std::uint64_t kMiB = limits::kMiB;
constexpr std::uint64_t kGiB = 1024 * kMiB;
constexpr std::uint64_t kMaxRate = 10'000'000;  // a second
constexpr std::uint64_t kMaxStreams = std::uint64_t{limits::kMaxSlots} * limits::kMaxShards;

constexpr ValueRange at_most(std::uint64_t most) {
  return {0, most, true};
}
constexpr ValueRange between(std::uint64_t least, std::uint64_t most) {
  return {least, most, false};
}
constexpr ValueRange off_or(std::uint64_t least, std::uint64_t most) {
  return {least, most, true};
}

constexpr TimeMember seconds(std::uint32_t ServerOptions::* member, ValueRange range) {
  return {member, 1000, range};
}

std::string check_address(std::string_view text) {
  const auto address = net::parse_listen_address(text);
  return address ? std::string() : address.error();
}

std::string check_topic(std::string_view text) {
  return proto::is_topic_name(text) ? ""
                                    : "is not a topic's name (1 to 512 bytes of UTF-8 without "
                                      "control characters)";
}

std::string check_topics(std::string_view text) {
  return proto::is_name_pattern(text) && proto::is_topic_name(text)
             ? ""
             : "is not a topic's name, with or without a * at its end";
}

std::string check_parameter(std::string_view text) {
  return proto::is_name_pattern(text) && proto::is_topic_name(text)
             ? ""
             : "is not a parameter's name, with or without a * at its end";
}

std::string automatic_shards(const ServerOptions& options) {
  return options.shards != 0 ? "" : fmt::format("{} on this machine", net::shard_count(0));
}

constexpr std::string_view kListening = "Listening";
constexpr std::string_view kAdmission = "Admission";
constexpr std::string_view kClients = "Limits on one client; past them it is answered 429";
constexpr std::string_view kStreams = "Streams";
constexpr std::string_view kTopics = "Topics and history";
constexpr std::string_view kRequests = "Requests";
constexpr std::string_view kProcess = "Process";

using S = ServerOptions;
constexpr auto kTable = std::to_array<Option>({
    {"listen", kListening, "Addresses and ports; port 0 lets the kernel choose.", Change::restart,
     ListMember{&S::listen, check_address}},
    {"shards", kListening, "Threads; 0: one per core that the process may use.", Change::restart,
     NumberMember{&S::shards, at_most(limits::kMaxShards)}, automatic_shards},
    {"pin-shards", kListening, "Keep each shard's thread on one core.", Change::restart,
     FlagMember{&S::pin_shards}},
    {"io", kListening, "How to talk to the kernel; auto: io_uring where it works, else epoll.",
     Change::restart, ChoiceMember{&S::io, kIoWords}},
    {"send-buffer", kListening,
     "SO_SNDBUF of a stream: what a slow client can pin in the kernel; 0: kernel's choice.",
     Change::restart, SizeMember{&S::send_buffer, off_or(4096, 64 * kMiB)}},
    {"receive-buffer", kListening, "SO_RCVBUF of a connection; 0: kernel's choice.",
     Change::restart, SizeMember{&S::receive_buffer, off_or(2048, 64 * kMiB)}},

    {"max-connections", kAdmission, "Streams of the whole hub; the next one is answered 503.",
     Change::reload, NumberMember{&S::max_connections, between(1, kMaxStreams)}},
    {"accept-rate", kAdmission,
     "New streams per second; more are answered 503, which is final to many clients; 0: no limit.",
     Change::reload, NumberMember{&S::accept_rate, at_most(kMaxRate)}},
    {"full-retry", kAdmission,
     "Tell a stream that is refused for now to come back after this, jittered (200 and retry:), "
     "where 503 and 429 are final to browsers; 0: say 503 or 429.",
     Change::reload, TimeMember{&S::full_retry_ms, 1, off_or(100, limits::kMaxRetryMs)}},

    {"max-per-address", kClients,
     "Streams from one client address, and other connections, of these at least 256; 0: no limit.",
     Change::reload, NumberMember{&S::max_per_address, at_most(kMaxStreams)}},
    {"max-per-subject", kClients, "Streams of one subject of [auth]; 0: no limit.", Change::reload,
     NumberMember{&S::max_per_subject, at_most(kMaxStreams)}},
    {"open-rate-per-address", kClients,
     "Streams that one address may open per second; 0: no limit.", Change::reload,
     NumberMember{&S::open_rate_per_address, at_most(kMaxRate)}},
    {"open-rate-per-subject", kClients, "The same of one subject.", Change::reload,
     NumberMember{&S::open_rate_per_subject, at_most(kMaxRate)}},
    {"publish-rate-per-address", kClients,
     "Events that one address may publish per second; 0: no limit.", Change::reload,
     NumberMember{&S::publish_rate_per_address, at_most(kMaxRate)}},
    {"publish-rate-per-subject", kClients, "The same of one subject.", Change::reload,
     NumberMember{&S::publish_rate_per_subject, at_most(kMaxRate)}},
    {"publish-bytes-per-address", kClients,
     "Bytes of requests that one address may publish per second; 0: no limit.", Change::reload,
     SizeMember{&S::publish_bytes_per_address, at_most(64 * kGiB)}},
    {"publish-bytes-per-subject", kClients, "The same of one subject.", Change::reload,
     SizeMember{&S::publish_bytes_per_subject, at_most(64 * kGiB)}},
    {"max-topics-per-stream", kClients, "Topics of one stream; more are answered 400.",
     Change::reload,
     NumberMember{&S::max_topics_per_stream, between(1, limits::kMaxTopicsPerSubscriber)}},
    {"trusted-proxies", kClients,
     "Networks of the proxies whose X-Forwarded-For says the client's address; without them all of "
     "a proxy's clients have its own.",
     Change::reload, ListMember{&S::trusted_proxies, net::proxy_fault}},

    {"heartbeat", kStreams,
     "Silence after which a comment is sent; 0: never, and the kernel finds vanished clients. "
     "Some proxies bear no 30s.",
     Change::reload, seconds(&S::heartbeat_s, at_most(3600))},
    {"retry", kStreams, "Reconnection time that clients are told, jittered per stream.",
     Change::reload, TimeMember{&S::retry_ms, 1, between(10, limits::kMaxRetryMs)}},
    {"max-stream-age", kStreams,
     "Streams are ended after this, jittered; 0: never. Behind a proxy 1h is right: some keep a "
     "stream whose client has left.",
     Change::reload, seconds(&S::max_stream_age_s, off_or(10, 30 * kDay))},
    {"slow-policy", kStreams, "What happens to a stream that is too far behind.", Change::reload,
     ChoiceMember{&S::slow_policy, kSlowWords}},
    {"slow-bytes", kStreams, "Too far behind: this many bytes.", Change::reload,
     SizeMember{&S::slow_bytes, between(64 * limits::kKiB, 64 * kGiB)}},
    {"slow-time", kStreams, "Too far behind: nothing accepted for this long.", Change::reload,
     seconds(&S::slow_seconds, between(1, 3600))},

    {"history-count", kTopics, "Events kept per topic; 0: no history.", Change::reload,
     NumberMember{&S::history_count, at_most(100'000'000)}},
    {"history-age", kTopics, "How long events are kept; 0: no limit.", Change::reload,
     seconds(&S::history_age_s, at_most(365 * kDay))},
    {"history-bytes", kTopics, "Bytes kept per topic.", Change::reload,
     SizeMember{&S::history_bytes, at_most(1024 * kGiB)}},
    {"history-total-bytes", kTopics, "Bytes kept by the whole hub.", Change::reload,
     SizeMember{&S::history_total_bytes, between(kMiB, 1024 * kGiB)}},
    {"history", kTopics,
     "Where the history is kept: with the process; or in a file, with which ids go on and clients "
     "resume behind a restart; or in a Redis or Valkey server, with which several hubs have one.",
     Change::restart,
     TextMember{&S::history, net::history_fault,
                "memory|sqlite:PATH|redis://HOST/NAME"}},
    {"history-sync", kTopics,
     "What is on the disk when a publish is answered: its events, all but the newest ones, or what "
     "the kernel has written.",
     Change::restart, ChoiceMember{&S::history_sync, kSyncWords}},
    {"history-file-bytes", kTopics, "Bytes that the file or the server keeps.", Change::restart,
     SizeMember{&S::history_file_bytes, between(64 * kMiB, 1024 * 1024 * kGiB)}},
    {"history-file-age", kTopics, "How long it keeps events; 0: no limit.", Change::restart,
     seconds(&S::history_file_age_s, at_most(365 * 10 * kDay))},
    {"auto-topics", kTopics, "A topic exists once somebody subscribes or publishes to it.",
     Change::reload, FlagMember{&S::auto_topics}},
    {"topics", kTopics, "Topics that exist from the start and are never forgotten.", Change::reload,
     TopicsMember{{&S::topics, check_topic}, &S::namespaces}},
    {"envelope-topics", kTopics,
     "Topics whose data is sent as {\"topic\":...,\"data\":...}; NAME* for a prefix.",
     Change::reload, ListMember{&S::envelope_topics, check_topics}},
    {"max-event-bytes", kTopics,
     "One event's frame on the wire, its fields' names and line ends included; a larger one is "
     "answered 413. Some clients stop for ever at more than 64KiB.",
     Change::reload,
     SizeMember{&S::max_event_bytes, between(limits::kKiB, limits::kMaxEncodedBatch)}},
    {"max-topics", kTopics, "Topics in memory; more are answered 503.", Change::reload,
     NumberMember{&S::max_topics, between(1, 100'000'000)}},
    {"topic-idle", kTopics, "An unused topic without history is forgotten after this.",
     Change::reload, seconds(&S::topic_idle_s, between(1, 365 * kDay))},

    {"request-timeout", kRequests, "A request's head and body must arrive within this.",
     Change::reload, seconds(&S::request_timeout_s, between(1, 600))},
    {"keep-alive", kRequests, "A connection may stay open this long between requests.",
     Change::reload, seconds(&S::keep_alive_s, between(1, 3600))},
    {"get-publish", kRequests, "GET /publish?msg=... publishes.", Change::reload,
     FlagMember{&S::get_publish}},
    {"ids-once", kRequests,
     "An event that is published again with the same id and data, while it is kept, is not sent "
     "again.",
     Change::reload, FlagMember{&S::ids_once}},
    {"cors-origins", kRequests,
     "Pages that may read the answers; *: all, without credentials, and with [auth] none; "
     "scheme://host[:port]: these, with credentials.",
     Change::reload, ListMember{&S::cors_origins, net::origin_fault}},
    {"ignored-parameters", kRequests,
     "Query parameters of /events and /publish that are not refused; NAME* for a prefix.",
     Change::reload, ListMember{&S::ignored_parameters, check_parameter}},

    {"drain-timeout", kProcess,
     "At a stop, streams are ended spread over this time; who connects waits for the next process.",
     Change::reload, seconds(&S::drain_timeout_s, at_most(3600))},
    {"log-level", kProcess,
     "The least severe level that is logged; the hub says nothing below info.", Change::reload,
     ChoiceMember{&S::log_level, kLevelWords}},
    {"log-format", kProcess, "auto: human on a terminal, else logfmt.", Change::restart,
     ChoiceMember{&S::log_format, kFormatWords}},
});

}  // namespace

std::span<const Option> option_table() {
  return kTable;
}

const Option* find_option(std::string_view key) {
  const auto found = std::ranges::find(kTable, key, &Option::key);
  return found == kTable.end() ? nullptr : &*found;
}

bool is_list(const Option& option) {
  return std::holds_alternative<ListMember>(option.member) ||
         std::holds_alternative<TopicsMember>(option.member);
}

std::string Option::key() const {
  std::string text(name);
  for (char& c : text) {
    if (c == '-') {
      c = '_';
    }
  }
  return text;
}

}  // namespace tocsin::tools
