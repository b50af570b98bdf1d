#include "net/shard/outbox.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <climits>

#include "net/shard/past/replays.h"
#include "net/state/past/past_page.h"

namespace tocsin::net {
namespace {

// Distinct stretches that a lookup goes through, newest first: a broadcast has one or two.
constexpr std::size_t kSharedReads = 4;
// Stretches kept between batches; a herd of replays has as many as connections.
constexpr std::size_t kMaxReads = 64;
// Vectors of one send: what is owed and the log, half each; of single frames there may be more.
constexpr std::size_t kOwedVectors = limits::kMaxPieces / 2;
constexpr std::size_t kLogVectors = limits::kMaxPieces - kOwedVectors;
constexpr std::size_t kMostVectors = kOwedVectors + std::max(kLogVectors, limits::kMaxFrames);
constexpr std::size_t kBatchVectors = limits::kSendBatch * limits::kMaxPieces;
static_assert(kMostVectors < kBatchVectors && kMostVectors <= IOV_MAX);

Owed copy_of(std::string_view bytes) {
  const auto copy = std::make_shared_for_overwrite<char[]>(bytes.size());
  std::ranges::copy(bytes, copy.get());
  return {.keep = copy, .bytes = {copy.get(), bytes.size()}};
}

}  // namespace

Outbox::Outbox(ConnectionTable& table, LocalTopics& topics, SharedHub& hub,
               Replays& replays, Io& io, const Clock& clock, ShardMetrics& metrics, Owner& owner)
    : table_(table),
      topics_(topics),
      hub_(hub),
      replays_(replays),
      io_(io),
      clock_(clock),
      metrics_(metrics),
      owner_(owner) {
  vectors_.reserve(kBatchVectors);
}

void Outbox::begin_turn(std::uint32_t now_ds) {
  TOCSIN_ASSERT(batch_ == 0 && used_ == 0);
  now_ds_ = now_ds;
}

void Outbox::end_turn() {
  TOCSIN_ASSERT(batch_ == 0);
  forget_reads();
  held_.clear();
}

void Outbox::push(std::uint32_t slot) {
  auto& [peer, stream] = table_[slot];
  TOCSIN_DEBUG_ASSERT(!peer.blocked && !peer.batched);
  if (peer.owes() && peer.extra().owed.front().pin) {
    core::PageRef page = peer.extra().owed.front().pin->hold();
    if (page == nullptr) {
      owner_.on_delivery(slot, Delivery::lost);
      return;
    }
    held_.push_back(std::move(page));
  }
  std::size_t read = kNoRead;
  core::ReadStatus status = core::ReadStatus::end;
  if (peer.is_stream()) read = read_for(stream, peer.body(), status);
  if (stream.replaying) {
    if (status == core::ReadStatus::gap) {
      read = read_past(slot, stream, peer.body(), status);
    } else {
      replays_.end(slot, stream);
    }
  }
  if (status == core::ReadStatus::gap) {
    owner_.on_delivery(slot, Delivery::gap);
    return;
  }
  if (read == kNoRead && !peer.owes()) {
    owner_.on_delivery(slot, Delivery::done);
    return;
  }
  add(slot, peer, read);
  if (batch_ == limits::kSendBatch || vectors_.size() + kMostVectors > kBatchVectors) flush();
}

std::size_t Outbox::read_for(const Stream& stream, StreamBody body, core::ReadStatus& status) {
  if (stream.many_topics()) return read_log(topics_.cursors(stream), stream.cursor, body, status);
  core::Topic* topic = topics_[stream.topic].topic;
  const std::size_t newest = used_;
  for (std::size_t i = newest; i > 0 && i + kSharedReads > newest; --i) {
    const Read& read = reads_[i - 1];
    if (read.topic == topic && read.body == body && read.above <= stream.cursor &&
        stream.cursor < read.first) {
      return i - 1;
    }
  }
  const core::TopicCursor at{topic, 0};
  return read_log({&at, 1}, stream.cursor, body, status);
}

std::size_t Outbox::read_log(std::span<const core::TopicCursor> topics, core::Sequence cursor,
                             StreamBody body, core::ReadStatus& status) {
  pieces_.clear();
  status = hub_.with([&](const core::Hub& hub) {
    return hub.read(topics, cursor, limits::kMaxSendBytes, kLogVectors, pieces_);
  });
  if (pieces_.empty()) return kNoRead;
  const std::size_t index = note_read(body, status == core::ReadStatus::more);
  if (topics.size() == 1) {
    reads_[index].topic = topics.front().topic;
    reads_[index].above = reads_[index].pieces.front().above;
  }
  return index;
}

// Of a stream that replays, where the log lacks something for it. It waits for a page: there is
// nothing to send. Its page has no more for it: a gap.
std::size_t Outbox::read_past(std::uint32_t slot, Stream& stream, StreamBody body,
                              core::ReadStatus& status) {
  const PastPage* page = replays_.page(slot);
  if (page == nullptr) {
    if (replays_.waits(slot)) status = core::ReadStatus::end;
    return kNoRead;
  }
  pieces_.clear();
  const auto topics = topics_.cursors(stream);
  // The store has lost what stands before the page. Of some topics the log may have that.
  if (stream.cursor < page->above()) {
    hub_.with([&](const core::Hub& hub) {
      hub.read_whole(topics, stream.cursor, page->above(), limits::kMaxSendBytes, kLogVectors,
                     pieces_);
    });
    if (pieces_.empty()) stream.cursor = page->above();
  }
  const bool past = pieces_.empty();
  if (past) {
    page->read(topics, stream.cursor, limits::kMaxSendBytes, limits::kMaxFrames, pieces_);
  }
  if (pieces_.empty()) return kNoRead;
  status = core::ReadStatus::more;
  const std::size_t index = note_read(body, true);
  reads_[index].past = past;
  return index;
}

// What is in pieces_.
std::size_t Outbox::note_read(StreamBody body, bool more) {
  if (used_ == reads_.size()) reads_.emplace_back();
  Read& read = reads_[used_++];
  read.topic = nullptr;
  read.past = false;
  read.body = body;
  read.bytes = 0;
  read.events = 0;
  read.vectors.clear();
  read.first = pieces_.front().first_sequence();
  read.received = pieces_.front().first_received();
  read.live_sends = 0;
  read.pieces.swap(pieces_);
  const bool cut = body.gather(read.pieces, read.vectors);
  read.more = cut || more;
  for (const iovec& vector : read.vectors) read.bytes += vector.iov_len;
  for (const core::Piece& piece : read.pieces) read.events += piece.last - piece.first;
  read.last = read.pieces.back().last_sequence();
  return used_ - 1;
}

void Outbox::forget(const core::Topic& topic) {
  for (std::size_t i = 0; i < used_; ++i) {
    if (reads_[i].topic == &topic) reads_[i].topic = nullptr;
  }
}

// Lets go of the pages and keeps the vectors: in the steady state nothing is allocated (I7).
void Outbox::forget_reads() {
  for (std::size_t i = 0; i < used_; ++i) reads_[i].pieces.clear();
  used_ = 0;
}

void Outbox::add(std::uint32_t slot, Peer& peer, std::size_t read) {
  SendRequest& request = requests_[batch_];
  request = {.fd = peer.fd, .pieces = {}, .bytes = 0, .result = 0};
  if (!peer.owes()) {
    request.pieces = reads_[read].vectors;
    request.bytes = reads_[read].bytes;
  } else {
    const std::size_t begin = vectors_.size();
    const auto& owed = peer.extra().owed;
    for (std::size_t i = 0; i < std::min(owed.size(), kOwedVectors); ++i) {
      vectors_.push_back(vector_of(owed[i].bytes));
      request.bytes += owed[i].bytes.size();
    }
    if (owed.size() > kOwedVectors) read = kNoRead;  // first things first
    if (read != kNoRead) {
      vectors_.insert(vectors_.end(), reads_[read].vectors.begin(), reads_[read].vectors.end());
      request.bytes += reads_[read].bytes;
    }
    request.pieces = {vectors_.data() + begin, vectors_.size() - begin};
  }
  items_[batch_] = {slot, read};
  peer.batched = true;
  ++batch_;
}

void Outbox::flush() {
  if (batch_ == 0) return;
  io_.send({requests_.data(), batch_});
  for (std::size_t i = 0; i < batch_; ++i) {
    Connection& connection = table_[items_[i].slot];
    connection.peer.batched = false;
    const Delivery outcome = settle(connection, items_[i], requests_[i]);
    owner_.on_delivery(items_[i].slot, outcome);
  }
  record_latency();
  batch_ = 0;
  vectors_.clear();
  held_.clear();
  if (used_ > kMaxReads) forget_reads();
}

bool Outbox::send_end(const Peer& peer, std::string_view last) {
  std::array<iovec, kOwedVectors + 2> pieces;
  SendRequest request{.fd = peer.fd, .pieces = {}, .bytes = 0, .result = 0};
  std::size_t count = 0;
  const auto add = [&](std::string_view bytes) {
    pieces[count++] = vector_of(bytes);
    request.bytes += bytes.size();
  };
  core::PageRef held;
  if (peer.owes()) {
    const auto& owed = peer.extra().owed;
    if (owed.size() > kOwedVectors) return false;
    if (owed.front().pin && (held = owed.front().pin->hold()) == nullptr) return false;
    for (const Owed& one : owed) add(one.bytes);
  }
  const std::string_view body_end = peer.body().end();
  for (const std::string_view bytes : {last, body_end}) {
    if (!bytes.empty()) add(bytes);
  }
  if (count == 0) return !peer.blocked;
  request.pieces = {pieces.data(), count};
  io_.send({&request, 1});
  metrics_.sends.add();
  if (request.result > 0) metrics_.bytes_sent.add(static_cast<std::uint64_t>(request.result));
  return request.result == static_cast<std::int64_t>(request.bytes);
}

Delivery Outbox::settle(Connection& connection, const Item& item, const SendRequest& request) {
  const Peer& peer = connection.peer;
  if (peer.is_stream()) {
    metrics_.sends.add();
    if (request.result > 0) metrics_.bytes_sent.add(static_cast<std::uint64_t>(request.result));
  }
  if (request.result == static_cast<std::int64_t>(request.bytes)) {
    take_all(connection, item);
    const bool more = peer.owes() || (item.read != kNoRead && reads_[item.read].more);
    return more ? Delivery::more : Delivery::done;
  }
  if (request.result >= 0) {
    metrics_.short_sends.add();
    take_part(connection, item, static_cast<std::size_t>(request.result));
    return Delivery::blocked;
  }
  switch (static_cast<int>(-request.result)) {
    case EAGAIN:
      metrics_.blocked_sends.add();
      return Delivery::blocked;
    case EINTR:
      return Delivery::more;
    case ENOBUFS:
    case ENOMEM:
      return Delivery::starved;
    default:
      return Delivery::failed;  // EPIPE, ECONNRESET, ETIMEDOUT, ...
  }
}

void Outbox::take_all(Connection& connection, const Item& item) {
  auto& [peer, stream] = connection;
  peer.last_sent_ds = now_ds_;
  peer.beat = false;
  if (peer.attachment) {
    auto& owed = peer.extra().owed;
    peer.beat = item.read == kNoRead && owed.size() == 1 && owed.front().is_heartbeat();
    const auto sent = static_cast<std::ptrdiff_t>(std::min(owed.size(), kOwedVectors));
    owed.erase(owed.begin(), owed.begin() + sent);
  }
  if (item.read == kNoRead) return;
  Read& read = reads_[item.read];
  TOCSIN_DEBUG_ASSERT(read.last > stream.cursor);
  count_live(stream, read);
  stream.cursor = read.last;
  if (read.past) metrics_.past_deliveries.add(read.events);
  metrics_.deliveries.add(read.events);
  metrics_.events_per_send.record(read.events);
}

// The cursor passes the frame that was cut, too; its rest is owed.
void Outbox::take_part(Connection& connection, const Item& item, std::size_t bytes) {
  auto& [peer, stream] = connection;
  if (bytes > 0) peer.last_sent_ds = now_ds_;
  peer.beat = false;
  bytes = take_owed(peer, bytes);
  if (item.read == kNoRead || bytes == 0) return;
  Read& read = reads_[item.read];
  count_live(stream, read);
  const StreamBody::Taken taken = read.body.take(read.pieces, bytes);
  TOCSIN_ASSERT(taken.events > 0 && taken.last > stream.cursor);
  stream.cursor = taken.last;
  if (taken.page) {
    peer.attach().owed.push_back(read.past ? owe_past_rest(taken.rest)
                                           : owe_rest(taken.page, taken.rest));
  }
  if (read.past) metrics_.past_deliveries.add(taken.events);
  metrics_.deliveries.add(taken.events);
  metrics_.events_per_send.record(taken.events);
}

void Outbox::count_live(const Stream& stream, Read& read) {
  if (!read.past && read.first > stream.opened_at) ++read.live_sends;
}

// Of the batch that has just gone out: one look at the clock for all of it.
void Outbox::record_latency() {
  core::ReceiptUs now = 0;
  for (std::size_t i = 0; i < batch_; ++i) {
    if (items_[i].read == kNoRead) continue;
    Read& read = reads_[items_[i].read];
    if (read.live_sends == 0) continue;
    if (now == 0) now = static_cast<core::ReceiptUs>(clock_.now_us());
    metrics_.delivery_latency_us.record(now - read.received, std::exchange(read.live_sends, 0));
  }
}

// Takes from what is owed; returns how many of the bytes are left for the log.
std::size_t Outbox::take_owed(Peer& peer, std::size_t bytes) {
  if (!peer.attachment) return bytes;
  auto& owed = peer.extra().owed;
  auto it = owed.begin();
  for (; it != owed.end() && bytes >= it->bytes.size(); ++it) bytes -= it->bytes.size();
  owed.erase(owed.begin(), it);
  if (owed.empty() || bytes == 0) return bytes;
  Owed& first = owed.front();
  first.bytes.remove_prefix(bytes);
  if (first.pin && first.bytes.size() <= limits::kMaxCopiedRest) first = copy_of(first.bytes);
  return 0;
}

// A page of the store's is many times as large, and hundreds of streams may each be in the middle
// of another one: the bound on what is pinned would end them. So the rest alone stays.
Owed Outbox::owe_past_rest(std::string_view rest) {
  if (rest.size() <= limits::kMaxCopiedRest) return copy_of(rest);
  const auto page = std::make_shared<core::Page>(core::Page::cost(rest.size()),
                                                 core::Page::Origin{.sequence = 1});
  page->append(rest, "", 1, 0);
  return owe_rest(page, page->frame(0));
}

Owed Outbox::owe_rest(const core::PageRef& page, std::string_view rest) {
  if (rest.size() <= limits::kMaxCopiedRest) return copy_of(rest);
  return {.keep = {},
          .bytes = rest,
          .pin = hub_.with([&](core::Hub& hub) { return hub.pin(page); })};
}

}  // namespace tocsin::net
