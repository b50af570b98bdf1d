#include "net/shard/requests.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "proto/assert.h"

namespace tocsin::net {
namespace {

// How long a closing connection's peer may take to read the last answer and close its side.
constexpr std::uint64_t kLingerMs = 2000;
// For bytes of a request that are there and have yet to be read when its time is up.
constexpr std::uint64_t kUnreadMs = 1000;

}  // namespace

void Requests::receive(std::uint32_t slot, Connection& connection) {
  TOCSIN_DEBUG_ASSERT(connection.state == State::request || connection.state == State::linger);
  if (connection.state == State::request) connection.extra().exchange->receiving = true;
  ++connection.armed;
  shard_.io.receive(connection.fd, shard_.table.token(Op::receive, slot));
}

void Requests::on_received(std::uint32_t slot, Connection& connection,
                           const Completion& completion) {
  Exchange& exchange = *connection.extra().exchange;
  exchange.receiving = false;
  const int result = completion.result;
  if (result == -ENOBUFS || result == -EINTR || result == -EAGAIN) {
    receive(slot, connection);  // the kernel had no buffer left this turn
    return;
  }
  if (result < 0) {
    lifecycle_.terminate(slot, connection, false);
    return;
  }
  if (result == 0) {
    // A peer that has said all it wants may still want its answers.
    exchange.peer_finished = true;
    const bool waits = exchange.complete || connection.owes();
    connection.extra().close_when_sent = true;
    if (!waits) lifecycle_.terminate(slot, connection, false);
    return;
  }
  if (connection.extra().close_when_sent) {
    receive(slot, connection);  // behind the last request: dropped
    return;
  }
  const std::string_view bytes{completion.data.data(), completion.data.size()};
  consume(slot, connection, bytes);
  if (connection.state != State::request) return;
  read_on(slot, connection, bytes.size() == limits::kReceiveBuffer);
}

// After the bytes of a completion: a publisher at full speed has more in its socket; taking it now
// makes larger batches for the sweep. Then waits for the next.
void Requests::read_on(std::uint32_t slot, Connection& connection, bool more_to_read) {
  const auto wants_more = [&] {
    if (connection.state != State::request || connection.blocked) return false;
    const Exchange& exchange = *connection.extra().exchange;
    return !exchange.complete && exchange.unread.empty() && !connection.extra().close_when_sent;
  };
  std::size_t total = 0;
  while (more_to_read && wants_more() && total < limits::kMaxReadPerTurn && !had_their_slice()) {
    const std::int64_t n = shard_.io.receive_now(connection.fd, shard_.scratch);
    if (n <= 0) break;  // the end or an error comes again, as a completion
    total += static_cast<std::size_t>(n);
    more_to_read = static_cast<std::size_t>(n) == shard_.scratch.size();
    consume(slot, connection, {shard_.scratch.data(), static_cast<std::size_t>(n)});
  }
  if (wants_more() && !connection.extra().exchange->receiving) receive(slot, connection);
}

// Answers the requests in the bytes, in their order. What is behind one that waits, behind more
// answers than a client should be owed, or behind the first when time is up, is kept in `unread`.
void Requests::consume(std::uint32_t slot, Connection& connection, std::string_view bytes) {
  Exchange& exchange = *connection.extra().exchange;
  if (exchange.complete || !exchange.unread.empty()) {
    exchange.unread += bytes;
    exchange.count();
    return;
  }
  reply_.clear();
  const bool was_between = !exchange.parser.mid_message();
  bool answered = false;
  while (!bytes.empty() && !connection.extra().close_when_sent) {
    const Fed fed = feed(slot, connection, bytes);
    if (fed == Fed::ended) return;
    if (fed == Fed::all) break;
    answered = answered || fed == Fed::answered;
    const bool enough = reply_.size() > limits::kMaxPendingReply ||
                        (fed == Fed::answered && !bytes.empty() && had_their_slice());
    if (exchange.complete || enough) {
      exchange.unread.assign(bytes);
      exchange.count();
      break;
    }
  }
  owe_reply(slot, connection);
  if (exchange.complete || connection.blocked) return;  // blocked: block() set its deadline
  const bool between = !exchange.parser.mid_message();
  if (between && answered) {
    lifecycle_.progress(slot, connection, std::uint64_t{shard_.options->keep_alive_s} * 1000);
  } else if (!between && (was_between || answered)) {
    lifecycle_.progress(slot, connection, std::uint64_t{shard_.options->request_timeout_s} * 1000);
  }
}

// One step of the parser, and what follows from it.
Requests::Fed Requests::feed(std::uint32_t slot, Connection& connection, std::string_view& bytes) {
  using ParserState = proto::RequestParser::State;
  Exchange& exchange = *connection.extra().exchange;
  const proto::RequestParser::Step step = exchange.parser.feed(bytes);
  bytes.remove_prefix(step.consumed);
  exchange.count();
  switch (step.state) {
    case ParserState::need_more:
      if (exchange.counted > 0) lifecycle_.holders().renew(slot);
      if (shard_.memory.fit() || make_memory_room(slot)) return Fed::all;
      turn_away(slot, connection, Rejection::request_memory);
      return Fed::ended;
    case ParserState::failed:
      http_.on_bad_request(exchange.parser, reply_);
      refuse_and_linger(slot, connection);
      return Fed::ended;
    case ParserState::head_complete:
      exchange.endpoint = http_.on_head(exchange.parser, *shard_.options, reply_);
      if (exchange.endpoint != nullptr) return Fed::some;
      refuse_and_linger(slot, connection);
      return Fed::ended;
    case ParserState::message_complete:
      lifecycle_.holders().remove(slot);
      on_request(slot, connection);
      return connection.state == State::request ? Fed::answered : Fed::ended;
  }
  return Fed::ended;
}

void Requests::on_request(std::uint32_t slot, Connection& connection) {
  Exchange& exchange = *connection.extra().exchange;
  if (!exchange.complete) exchange.received_us = shard_.now_us;
  proto::Request& request = exchange.parser.request();
  if (shard_.is_draining()) request.keep_alive = false;
  TOCSIN_ASSERT(exchange.endpoint != nullptr);
  const Outcome outcome = http_.on_request(*exchange.endpoint, request, *shard_.options,
                                           exchange.received_us, reply_);
  obey(slot, connection, outcome);
}

void Requests::obey(std::uint32_t slot, Connection& connection, const Outcome& outcome) {
  Exchange& exchange = *connection.extra().exchange;
  exchange.complete = false;
  switch (outcome.kind) {
    case Outcome::Kind::replied:
      if (!exchange.parser.request().keep_alive) connection.extra().close_when_sent = true;
      exchange.begin();
      exchange.waited = false;
      exchange.answered = true;
      return;
    case Outcome::Kind::refused:
      refuse_and_linger(slot, connection);
      return;
    case Outcome::Kind::stream:
      if (const auto refused = streams_.open(slot, connection, outcome, reply_)) {
        refuse_stream(slot, connection, *refused);
      }
      return;
    case Outcome::Kind::busy:
      park(slot, connection);
      return;
  }
}

void Requests::refuse_stream(std::uint32_t slot, Connection& connection,
                             const Streams::Refusal& refusal) {
  if (refusal.why != Rejection::not_found) {
    turn_away(slot, connection, refusal.why);
    return;
  }
  http_.answers().refuse(connection.extra().exchange->parser.request(), 404, refusal.why,
                         refusal.detail, reply_);
  refuse_and_linger(slot, connection);
}

// --- publishers that wait for the shards (never for a subscriber) ---

void Requests::park(std::uint32_t slot, Connection& connection) {
  Exchange& exchange = *connection.extra().exchange;
  if (!exchange.complete && !exchange.waited) shard_.metrics.publish_waits.add();
  exchange.complete = exchange.waited = true;
  connection.extra().deadline_ms = 0;
  parked_.push_back(shard_.table.handle(slot));
}

void Requests::resume() {
  if (parked_.empty()) return;
  resume_ = false;
  begin_slice();
  std::vector<ConnectionTable::Handle> parked;
  parked.swap(parked_);
  for (std::size_t i = 0; i < parked.size(); ++i) {
    if (i > 0 && had_their_slice()) {  // the first ones in the next turn
      parked_.insert(parked_.begin(), parked.begin() + static_cast<std::ptrdiff_t>(i),
                     parked.end());
      resume_ = true;
      return;
    }
    Connection* connection = shard_.table.find(parked[i]);
    if (connection == nullptr || connection->state != State::request) continue;
    resume(parked[i].slot, *connection);
  }
}

void Requests::resume(std::uint32_t slot, Connection& connection) {
  Exchange& exchange = *connection.extra().exchange;
  if (exchange.complete) {
    reply_.clear();
    on_request(slot, connection);
    if (connection.state != State::request || exchange.complete) return;
    owe_reply(slot, connection);
    lifecycle_.progress(slot, connection, std::uint64_t{shard_.options->keep_alive_s} * 1000);
  }
  const std::string unread = std::exchange(exchange.unread, {});
  if (!connection.extra().close_when_sent && !unread.empty()) consume(slot, connection, unread);
  if (connection.state == State::request) read_on(slot, connection, true);
}

// --- answers ---

void Requests::owe_reply(std::uint32_t slot, Connection& connection) {
  if (reply_.empty()) return;
  owe(connection, std::exchange(reply_, {}));
  shard_.ready.add(slot, connection);
}

// Everything owed is sent.
void Requests::on_sent(std::uint32_t slot, Connection& connection) {
  if (connection.state != State::request) return;
  Attachment& extra = connection.extra();
  if (extra.exchange->untaken > 0) count_untaken(slot, connection);
  if (extra.exchange->complete) return;
  if (!extra.close_when_sent) {
    if (!extra.exchange->unread.empty()) {
      parked_.push_back(shard_.table.handle(slot));
      resume_ = true;
    } else if (!extra.exchange->receiving) {
      receive(slot, connection);  // it was not read while it was blocked
    }
    return;
  }
  if (extra.exchange->peer_finished) {
    lifecycle_.terminate(slot, connection, false);
    return;
  }
  // Not close(2) yet: bytes that the peer still sends would make it a reset, and the answer is
  // lost.
  shard_.io.shut_down_sending(connection.fd);
  const bool receiving = extra.exchange->receiving;
  lifecycle_.begin_linger(slot, connection);
  lifecycle_.progress(slot, connection, kLingerMs);
  if (!receiving) receive(slot, connection);
}

// The socket took a part of the answers, or now the last of them.
void Requests::count_untaken(std::uint32_t slot, Connection& connection) {
  Exchange& exchange = *connection.extra().exchange;
  exchange.untaken = 0;
  for (const Owed& owed : connection.extra().owed) exchange.untaken += owed.bytes.size();
  exchange.count();
  if (exchange.counted > 0) {
    lifecycle_.holders().renew(slot);
  } else {
    lifecycle_.holders().remove(slot);
  }
}

// There is no room for what requests and their answers hold: of this shard's connections the one
// with which nothing moved for the longest goes, before `but`, whose request has just grown. False:
// that one has to go, or nobody can.
bool Requests::make_memory_room(std::uint32_t but) {
  constexpr int kLooks = 16;
  for (int i = 0; i < kLooks && !shard_.memory.fit(); ++i) {
    const std::uint32_t oldest = lifecycle_.holders().oldest();
    if (oldest == but || oldest == AgeList::kNone) return false;
    Connection& holder = shard_.table[oldest];
    if (holder.ready || (!holder.blocked && shard_.io.has_unread(holder.fd))) {
      lifecycle_.holders().renew(oldest);
      continue;
    }
    if (holder.blocked) {  // who does not take its answers would not take one more
      shard_.metrics.count(Rejection::request_memory);
      lifecycle_.terminate(oldest, holder, true);
      continue;
    }
    std::string own = std::exchange(reply_, {});  // answers to `but`
    turn_away(oldest, holder, Rejection::request_memory);
    reply_ = std::move(own);
  }
  return shard_.memory.fit();
}

// The answer is in reply_, and nothing behind the request can be read safely.
void Requests::refuse_and_linger(std::uint32_t slot, Connection& connection) {
  Exchange& exchange = *connection.extra().exchange;
  lifecycle_.holders().remove(slot);
  exchange.begin();
  exchange.complete = false;
  exchange.unread.clear();
  connection.extra().close_when_sent = true;
  lifecycle_.progress(slot, connection, kLingerMs);
  owe_reply(slot, connection);
}

// 503, where the request can be answered and no more.
void Requests::turn_away(std::uint32_t slot, Connection& connection, Rejection why) {
  proto::Request& request = connection.extra().exchange->parser.request();
  request.keep_alive = false;
  http_.answers().unavailable(request, why, reply_);
  refuse_and_linger(slot, connection);
}

void Requests::on_linger(std::uint32_t slot, Connection& connection, const Completion& completion) {
  const bool retry = completion.result == -ENOBUFS || completion.result == -EAGAIN;
  if (completion.token.op == Op::receive && (completion.result > 0 || retry)) {
    receive(slot, connection);  // read and dropped, until the deadline
    return;
  }
  lifecycle_.terminate(slot, connection, false);
}

// --- time, and room for others ---

void Requests::begin(std::uint32_t slot, Connection& connection) {
  lifecycle_.begin_request(connection);
  lifecycle_.progress(slot, connection, std::uint64_t{shard_.options->request_timeout_s} * 1000);
  receive(slot, connection);
}

void Requests::on_deadline(std::uint32_t slot, Connection& connection) {
  if (connection.blocked || connection.extra().close_when_sent) {
    lifecycle_.terminate(slot, connection, true);
  } else if (shard_.io.has_unread(connection.fd)) {  // it is the hub that is late
    shard_.deadlines.set(slot, connection, shard_.now_ms + kUnreadMs);
  } else if (connection.extra().exchange->parser.mid_message()) {
    reply_.clear();
    http_.answers().refuse(connection.extra().exchange->parser.request(), 408, Rejection::timeout,
                           "the request did not arrive in time", reply_);
    refuse_and_linger(slot, connection);
  } else {
    lifecycle_.terminate(slot, connection, false);
  }
}

bool Requests::end(std::uint32_t slot, Connection& connection, Rejection why) {
  const auto asks = [](const Exchange& exchange) {
    return exchange.parser.mid_message() || exchange.complete;
  };
  const bool told = connection.state == State::request && !connection.blocked &&
                    asks(*connection.extra().exchange);
  if (told) {
    std::string refusal;
    http_.answers().turn_away(why, refusal);
    shard_.io.send_last(connection.fd, refusal);
  }
  lifecycle_.terminate(slot, connection, connection.blocked);
  return told;
}

bool Requests::waits_for_us(const Connection& connection) const {
  if (connection.state != State::request) return false;
  const Attachment& extra = connection.extra();
  if (extra.exchange->complete || extra.starved) return true;
  if (connection.blocked) return false;  // its peer does not read
  return connection.owes() || !extra.exchange->unread.empty() ||
         shard_.io.has_unread(connection.fd);
}

bool Requests::is_between(const Connection& connection) const {
  const Exchange& exchange = *connection.extra().exchange;
  return exchange.answered && !exchange.parser.mid_message() && !connection.owes() &&
         !waits_for_us(connection);
}

}  // namespace tocsin::net
