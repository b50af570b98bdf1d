// Bounds of the hub: units, derivation, and how they depend on each other. A bound that is one
// file's own business (a pause, the size of its table) stands in that file.
// These are the limits of the implementation. What an operator sets (history, connections,
// timeouts) lives in core/settings.h and net/server_options.h and must stay within them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tocsin::limits {

inline constexpr std::size_t kKiB = 1024;
inline constexpr std::size_t kMiB = 1024 * kKiB;

// --- requests ---

// Request line and header fields together. Browsers' cookies reach 8 KiB; nginx defaults to 4 x 8
// KiB.
inline constexpr std::size_t kMaxRequestHead = 16 * kKiB;

// Bytes of Access-Control-Request-Headers that a preflight's answer repeats: some fifty names.
inline constexpr std::size_t kMaxPreflightNames = 1 * kKiB;

// One publish request's body.
inline constexpr std::size_t kMaxRequestBody = 4 * kMiB;

// Events in one batch (JSON array or NDJSON).
inline constexpr std::size_t kMaxBatchEvents = 16'384;

// Topics that one batch may bring into being, and its encoded bytes (line ends grow): both are
// worked off under the hub's lock, where a few milliseconds are the most that others should wait.
inline constexpr std::size_t kMaxNewTopics = 1024;
inline constexpr std::size_t kMaxEncodedBatch = 8 * kMiB;
static_assert(kMaxNewTopics <= kMaxBatchEvents);

// Epochs of a history whose ids are still known; each fork of it adds one.
inline constexpr std::size_t kMaxEpochs = 64;

// Arrays and objects inside one another in an event's JSON data; each costs a stack frame to check.
inline constexpr std::size_t kMaxJsonDepth = 128;

// Pairs in one URL's query: twice what kMaxTopicsPerSubscriber needs.
inline constexpr std::size_t kMaxQueryPairs = 256;

// Topics that one subscriber or one URL may name.
inline constexpr std::size_t kMaxTopicsPerSubscriber = 128;

// Positions of one URL's query that are looked up, each in every topic, under the hub's lock. More
// than a page and a polyfill name only who goes on appending; the last ones count.
inline constexpr std::size_t kMaxPositions = 8;

// Bytes of a topic's name, an event's type, a publisher-set id.
inline constexpr std::size_t kMaxTopicName = 512;
inline constexpr std::size_t kMaxEventType = 256;
inline constexpr std::size_t kMaxEventId = 256;
// The last on the wire, where each of its bytes may be percent-encoded (proto/sse/wire_id.h).
inline constexpr std::size_t kMaxWireId = 3 * kMaxEventId;

// Bytes of one event's data. Line ends grow on the wire ("data: " per line), at most 7-fold.
inline constexpr std::size_t kMaxEventData = 1 * kMiB;
static_assert(kMaxEventData < kMaxRequestBody);

// A client's reconnection time in milliseconds (`retry:`): one day.
inline constexpr std::uint32_t kMaxRetryMs = 86'400'000;

// Seconds that a stream may ask to be silent at most (`heartbeat=`). Each heartbeat costs a send.
// Below what the kernel waits for before it asks after a silent peer itself (kKeepAliveIdleS).
inline constexpr std::uint32_t kMinHeartbeatS = 1;
inline constexpr std::uint32_t kMaxHeartbeatS = 120;

// --- shards and connections ---

// Shards of one hub: a multiple of 64, because every topic holds two sets of them, a bit for each
// (32 bytes of a topic). One shard a core; more than cores where a hard RLIMIT_NOFILE bounds what
// one shard can hold.
inline constexpr std::size_t kMaxShards = 128;

// Slots of one shard: a slot is 32 bits of a completion's token, and a table of 16 M records (1
// GiB) is beyond what a shard's core can serve.
inline constexpr std::uint32_t kMaxSlots = 1U << 24;

// Sends handed to the kernel in one go. Long enough to pay for the system call, short enough that
// accepts and reads wait less than a millisecond (kernel floor: 3 to 4 us a send).
inline constexpr std::size_t kSendBatch = 128;

// Pieces of memory in one send, and the bytes it may carry. A socket takes its send buffer's worth;
// more is only looked up in vain.
inline constexpr std::size_t kMaxPieces = 64;
inline constexpr std::size_t kMaxSendBytes = 256 * kKiB;

// Frames in one send to a stream that gets each as a piece of its own (net/shard/stream_body.h).
// The kernel takes 1,024 pieces (IOV_MAX).
inline constexpr std::size_t kMaxFrames = 512;

// Receive buffers of a shard: only connections in the request phase use one, for the length of a
// turn. They are taken in rounds, so all of them are in memory: 1 MiB, with a hundred shards 100.
inline constexpr std::size_t kReceiveBuffer = 4 * kKiB;
inline constexpr std::size_t kReceiveBuffers = 256;
static_assert((kReceiveBuffers & (kReceiveBuffers - 1)) == 0, "the kernel wants a power of two");

// Completions that a shard's ring holds: a burst of every receive buffer, a backlog of accepts,
// hang-ups of a dying network. Overflow is not loss (the kernel keeps it) but slow, and it ends
// multishot requests.
inline constexpr std::uint32_t kCompletions = 16'384;
static_assert(kCompletions >= 4 * kReceiveBuffers);

// What one publisher's connection may bring in per turn of the loop.
inline constexpr std::size_t kMaxReadPerTurn = 256 * kKiB;

// Answers owed to a client that pipelines requests. Past it, its next requests wait until it has
// read.
inline constexpr std::size_t kMaxPendingReply = 64 * kKiB;

// Requests of a pipelining client that are pending: those whose answers come later, as a publish
// that waits for the shards. Past it, its next requests wait.
inline constexpr std::size_t kMaxPendingAnswers = 32;

// Bytes of publishes that a store has and has yet to answer; once there are so many, the next ones
// are answered 503. Some of the largest batches, so that one is taken while others are committed.
inline constexpr std::size_t kMaxPendingPublishes = 64 * kMiB;
static_assert(kMaxPendingPublishes >= 4 * kMaxEncodedBatch);

// Bytes of events that a durable store commits together, or one batch that is larger: a second or
// so of a slow disk. Those who publish meanwhile wait for the next one.
inline constexpr std::size_t kMaxCommit = 8 * kMiB;
static_assert(kMaxCommit >= kMaxEncodedBatch);

// One reply of a Redis server. A page of its stream is sixteen commits of the largest kind at most,
// each some bytes more than a batch on the wire.
inline constexpr std::size_t kMaxRedisReply = 512 * kMiB;
static_assert(kMaxRedisReply >=
              16 * (kMaxEncodedBatch + kMaxBatchEvents * (kMaxTopicName + kMaxEventId + 16)));

// What a publish that is pending takes besides its events: its entries in tables, and what its
// answer will say.
inline constexpr std::size_t kPendingPublish = 1 * kKiB;

// Keys of publishes that are known for who repeats them (core/publish/published_keys.h): memory of
// all, and what one takes. That is 209,715 of them; past it the oldest goes, and who repeats that
// one publishes anew.
inline constexpr std::size_t kMaxPublishKeys = 32 * kMiB;
inline constexpr std::size_t kPublishKey = 160;

// Of a name whose publishes are numbered: the last ones. Those that a connection may have under
// way, as any of them may be repeated.
inline constexpr std::uint64_t kKeptNumbers = kMaxPendingAnswers;

// Bytes of the name of a Publish-Id, and of an Idempotency-Key; and the largest number, which
// programs that count in doubles know exactly.
inline constexpr std::size_t kMaxPublishName = 256;
inline constexpr std::uint64_t kMaxPublishNumber = (1ULL << 53) - 1;

// Milliseconds after which nobody waits for a store's answer any more: what became of the publish
// is then unknown. A disk that stalls is back by then, and publishers still wait for theirs.
inline constexpr std::uint64_t kMaxStoreAnswerMs = 10'000;

// Bytes of requests that wait for what other servers say of who makes them (net/outbound): their
// credentials, and kInquiry each besides. Once there are so many, the next ones are answered 503.
// Each waits for seconds at most, so a hub bears some thousand of them a second whose back end
// hangs.
inline constexpr std::size_t kMaxInquiries = 16 * kMiB;
inline constexpr std::size_t kInquiry = 1 * kKiB;
static_assert(kMaxInquiries >= 64 * (kMaxRequestHead + kInquiry));

// URLs of issuers' keys in a configuration: each is a connection and a timer.
inline constexpr std::size_t kMaxKeySources = 64;

// What the hub's connections that are no streams hold together: unfinished bodies, requests that
// are behind others, answers that a peer does not take. Past it the one that has stood still for
// the longest is answered 503, or ended where it takes no answer. Shards take their part in
// portions and keep fewer than two that they do not use.
inline constexpr std::size_t kMaxRequestMemory = 256 * kMiB;
inline constexpr std::size_t kRequestMemoryPortion = 256 * kKiB;
static_assert(kMaxRequestMemory >= 16 * kMaxRequestBody);
static_assert(kMaxRequestMemory % kRequestMemoryPortion == 0);
static_assert(kMaxShards * 2 * kRequestMemoryPortion <= kMaxRequestMemory / 2,
              "most of it can be used");

// Connections of a shard that are not streams (publishers, probes, requests being read). Past it
// the one that has been without progress for the longest makes room.
inline constexpr std::uint32_t kMaxRequestConnections = 8192;

// Of one address, where its streams are limited: at least so many. A backend's pool of publishers
// is one address, too, and may be larger than what a reader is allowed.
inline constexpr std::uint32_t kMinRequestsPerAddress = 256;

// Clients that have nothing open and whose rates are remembered, of addresses and of subjects so
// many: some 150 bytes each. Past it the one that was here the longest ago is forgotten.
inline constexpr std::size_t kMaxRestingClients = 65'536;

// Seconds' worth of its rate that a client may use at once: a page opens some streams together.
inline constexpr std::uint32_t kClientBurstS = 10;

// The last descriptors that a shard can have are not for streams: when streams have taken all the
// others, publishers and probes still come in. Of a low limit an eighth.
inline constexpr std::uint64_t kRequestDescriptors = 64;
[[nodiscard]] constexpr std::uint64_t request_descriptors(std::uint64_t limit) {
  return limit / 8 < kRequestDescriptors ? limit / 8 : kRequestDescriptors;
}

// A connection on which nothing came in for so long is asked by the kernel whether its peer is
// still there (SO_KEEPALIVE), and then again and again until TCP_USER_TIMEOUT is over. It matters
// where `heartbeat` is 0 or long: else heartbeats' acknowledgements come in. Below the four minutes
// after which a NAT may forget a connection; each look of the kernel's timer costs a microsecond.
inline constexpr std::uint32_t kKeepAliveIdleS = 120;
inline constexpr std::uint32_t kKeepAliveProbeS = 15;
static_assert(kMaxHeartbeatS <= kKeepAliveIdleS);

// --- the operator ---

// A configuration file: some thousand topics with long names. It is read by the thread that heeds
// signals, which should take milliseconds.
inline constexpr std::size_t kMaxConfigFile = 4 * kMiB;

// Namespaces of a configuration. A topic that is made is compared with each (a microsecond, under
// the hub's lock), remembers its own in 15 bits, and each has a handful of series in /metrics.
inline constexpr std::size_t kMaxNamespaces = 256;
static_assert(kMaxNamespaces < 1U << 15);

// --- the admin API ---

// Entries of a page of a list: what is asked for at most, and what is given to who asks for no
// number. A page ends as well when it has so many bytes: one of names that are as long as can be.
inline constexpr std::size_t kMaxAdminEntries = 1000;
inline constexpr std::size_t kUsualAdminEntries = 100;
inline constexpr std::size_t kMaxAdminPage = 256 * kKiB;

// Subjects that are revoked at a time: some 25 MB if each name is as long as can be. Past it one
// more is refused (503), until others have ended.
inline constexpr std::size_t kMaxRevocations = 65'536;

// Questions to all shards about their streams that have yet to be answered. Past it the next one is
// answered 503.
inline constexpr std::uint32_t kMaxStreamInquiries = 16;

// Subjects on topics whose presence is told, of all of them together: some 200 bytes each. Past it
// one more is not counted, which /metrics says.
inline constexpr std::size_t kMaxPresence = 1'000'000;

// Topics that one second tells of, and the subjects of one event. What is more comes with the next
// second: a publish each, and an event of a few kilobytes.
inline constexpr std::size_t kMaxPresenceTopics = 1000;
inline constexpr std::size_t kMaxPresenceNames = 200;

// The body of a request: a few names.
inline constexpr std::size_t kMaxAdminBody = 16 * kKiB;

// --- the clients ---

// What an EventReader takes from its socket at once, and only when the program asks for an event
// and none is left: what it holds back are the events in there. Some dozens of usual ones.
inline constexpr std::size_t kReaderBuffer = 16 * kKiB;

// --- the log ---

// A topic's pages double from the smallest to the largest; an event larger than that gets its own.
inline constexpr std::size_t kMinPage = 512;
inline constexpr std::size_t kMaxPage = 64 * kKiB;

// Bytes appended but not yet swept by every shard. Past it publishers' requests wait (for the hub's
// own cores, never for a subscriber).
inline constexpr std::size_t kMaxUnswept = 16 * kMiB;
// The bound follows the backlog that a slow connection is allowed, down to this.
inline constexpr std::size_t kMinUnswept = 64 * kKiB;

// The rest of a frame that a full socket cut is copied up to this size: a few percent of what the
// kernel holds for such a socket, where its page may be sixteen times as much.
inline constexpr std::size_t kMaxCopiedRest = 4 * kKiB;
static_assert(kMaxCopiedRest * 16 <= kMaxPage);

// A larger rest keeps its page, which many readers may share, when the log drops it: within this
// part of the hub's memory for events (1 in ...), and as many pages as one walk may look at under
// the hub's lock. Past either the oldest goes, and its readers end as slow.
inline constexpr std::size_t kPinnedShare = 4;
inline constexpr std::size_t kMaxPinnedPages = 4096;

// --- what is older than memory, and read from the store

// Streams that have a page of it at a time; the others wait in turn. A page is about one send's
// worth, so a stream has it for a turn or two of its shard.
inline constexpr std::size_t kMaxReplays = 64;
// Events of a page, which is one transaction of the store: what reads for long keeps SQLite's log
// from becoming shorter. And their bytes; an event that is larger has a page of its own.
inline constexpr std::size_t kMaxReplayEvents = 1000;
inline constexpr std::size_t kMaxReplayPage = 256 * kKiB;
// Bytes of all pages that streams have: while it is reached no more are given.
inline constexpr std::size_t kMaxReplayBytes = 64 * kMiB;
static_assert(kMaxReplayBytes >= 2 * kMaxReplays * kMaxReplayPage);
// Of those that stay when nobody has them any more, for who asks for the same.
inline constexpr std::size_t kMaxReplayCache = 16 * kMiB;
static_assert(kMaxReplayCache >= 2 * kMaxEncodedBatch);
// Topics that were removed and that a store has events of, which nobody is to get any more. Past it
// nobody gets anything that is older than the last removal.
inline constexpr std::size_t kMaxRemovedTopics = 65'536;
// Of commits that a store's reader keeps decoded while pages are made of them: one may be many
// pages. The last one stays, however large it is.
inline constexpr std::size_t kMaxReplayRows = 32 * kMiB;
static_assert(kMaxReplayRows >= 2 * kMaxCommit);

// One encoded frame must fit a page's 32-bit offsets with room to spare.
static_assert(kMaxEventData * 8 < (1ULL << 31));

}  // namespace tocsin::limits
