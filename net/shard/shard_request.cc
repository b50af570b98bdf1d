// From received bytes to an answer: publishers, probes, and subscribers until their stream opens.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "net/shard/shard.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

// How long a closing connection's peer may take to read the last answer and close its side.
constexpr std::uint64_t kLingerMs = 2000;

}  // namespace

void Shard::receive(std::uint32_t slot, Connection& connection) {
  TOCSIN_DEBUG_ASSERT(connection.state == State::request || connection.state == State::linger);
  if (connection.state == State::request) connection.extra().exchange->receiving = true;
  ++connection.armed;
  io_.receive(connection.fd, token(Op::receive, slot));
}

void Shard::on_received(std::uint32_t slot, Connection& connection, const Completion& completion) {
  Exchange& exchange = *connection.extra().exchange;
  exchange.receiving = false;
  const int result = completion.result;
  if (result == -ENOBUFS || result == -EINTR || result == -EAGAIN) {
    receive(slot, connection);  // the kernel had no buffer left this turn
    return;
  }
  if (result < 0) {
    terminate(slot, connection, false);
    return;
  }
  if (result == 0) {
    // A peer that has said all it wants may still want its answers.
    exchange.peer_finished = true;
    const bool waits = exchange.complete || connection.owes();
    connection.extra().close_when_sent = true;
    if (!waits) terminate(slot, connection, false);
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
void Shard::read_on(std::uint32_t slot, Connection& connection, bool more_to_read) {
  const auto wants_more = [&] {
    if (connection.state != State::request || connection.blocked) return false;
    const Exchange& exchange = *connection.extra().exchange;
    return !exchange.complete && exchange.unread.empty() && !connection.extra().close_when_sent;
  };
  std::size_t total = 0;
  while (more_to_read && wants_more() && total < limits::kMaxReadPerTurn &&
         !requests_had_their_slice()) {
    const std::int64_t n = io_.receive_now(connection.fd, scratch_);
    if (n <= 0) break;  // the end or an error comes again, as a completion
    total += static_cast<std::size_t>(n);
    more_to_read = static_cast<std::size_t>(n) == scratch_.size();
    consume(slot, connection, {scratch_.data(), static_cast<std::size_t>(n)});
  }
  if (wants_more() && !connection.extra().exchange->receiving) receive(slot, connection);
}

// Answers the requests in the bytes, in their order. What is behind one that waits, behind more
// answers than a client should be owed, or behind the first when time is up, is kept in `unread`.
void Shard::consume(std::uint32_t slot, Connection& connection, std::string_view bytes) {
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
                        (fed == Fed::answered && !bytes.empty() && requests_had_their_slice());
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
    on_progress(slot, connection, std::uint64_t{options_->keep_alive_s} * 1000);
  } else if (!between && (was_between || answered)) {
    on_progress(slot, connection, std::uint64_t{options_->request_timeout_s} * 1000);
  }
}

// One step of the parser, and what follows from it.
Shard::Fed Shard::feed(std::uint32_t slot, Connection& connection, std::string_view& bytes) {
  using ParserState = proto::RequestParser::State;
  Exchange& exchange = *connection.extra().exchange;
  const proto::RequestParser::Step step = exchange.parser.feed(bytes);
  bytes.remove_prefix(step.consumed);
  exchange.count();
  switch (step.state) {
    case ParserState::need_more:
      if (exchange.counted > 0) holders_.renew(slot);
      if (memory_.fit() || make_memory_room(slot)) return Fed::all;
      turn_away(slot, connection, Rejection::request_memory);
      return Fed::ended;
    case ParserState::failed:
      handler_.on_bad_request(exchange.parser, reply_);
      refuse_and_linger(slot, connection);
      return Fed::ended;
    case ParserState::head_complete: {
      const Outcome outcome = handler_.on_head(exchange.parser.request(), *options_, reply_);
      if (outcome.kind != Outcome::Kind::refused) return Fed::some;
      refuse_and_linger(slot, connection);
      return Fed::ended;
    }
    case ParserState::message_complete:
      holders_.remove(slot);
      on_request(slot, connection);
      return connection.state == State::request ? Fed::answered : Fed::ended;
  }
  return Fed::ended;
}

void Shard::on_request(std::uint32_t slot, Connection& connection) {
  Exchange& exchange = *connection.extra().exchange;
  if (!exchange.complete) exchange.received_us = now_us_;
  proto::Request& request = exchange.parser.request();
  if (state_.phase.load(std::memory_order_relaxed) >= Phase::draining) request.keep_alive = false;
  Outcome outcome = handler_.on_request(request, *options_, exchange.received_us, reply_);
  obey(slot, connection, outcome);
}

void Shard::obey(std::uint32_t slot, Connection& connection, Outcome& outcome) {
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
      open_stream(slot, connection, outcome);
      return;
    case Outcome::Kind::busy:
      park(slot, connection);
      return;
  }
}

// --- publishers that wait for the shards (never for a subscriber) ---

void Shard::park(std::uint32_t slot, Connection& connection) {
  Exchange& exchange = *connection.extra().exchange;
  if (!exchange.complete && !exchange.waited) metrics_.publish_waits.add();
  exchange.complete = exchange.waited = true;
  connection.extra().deadline_ms = 0;
  parked_.push_back(handle_of(slot));
}

void Shard::retry_parked() {
  if (parked_.empty()) return;
  resume_requests_ = false;
  begin_requests();
  std::vector<Handle> parked;
  parked.swap(parked_);
  for (std::size_t i = 0; i < parked.size(); ++i) {
    if (i > 0 && requests_had_their_slice()) {  // the first ones in the next turn
      parked_.insert(parked_.begin(), parked.begin() + static_cast<std::ptrdiff_t>(i),
                     parked.end());
      resume_requests_ = true;
      return;
    }
    const Handle handle = parked[i];
    Connection* connection = find(handle);
    if (connection == nullptr || connection->state != State::request) continue;
    Exchange& exchange = *connection->extra().exchange;
    if (exchange.complete) {
      reply_.clear();
      on_request(handle.slot, *connection);
      if (connection->state != State::request || exchange.complete) continue;
      owe_reply(handle.slot, *connection);
      on_progress(handle.slot, *connection, std::uint64_t{options_->keep_alive_s} * 1000);
    }
    const std::string unread = std::exchange(exchange.unread, {});
    if (!connection->extra().close_when_sent && !unread.empty()) {
      consume(handle.slot, *connection, unread);
    }
    if (connection->state == State::request) read_on(handle.slot, *connection, true);
  }
}

// --- answers ---

void Shard::owe_reply(std::uint32_t slot, Connection& connection) {
  if (reply_.empty()) return;
  const auto bytes = std::make_shared<const std::string>(std::exchange(reply_, {}));
  connection.extra().owed.push_back({bytes, *bytes});
  make_ready(slot, connection);
}

// Everything owed is sent.
void Shard::reply_done(std::uint32_t slot, Connection& connection) {
  if (connection.state != State::request) return;
  Attachment& extra = connection.extra();
  if (extra.exchange->untaken > 0) count_untaken(slot, connection);
  if (extra.exchange->complete) return;
  if (!extra.close_when_sent) {
    if (!extra.exchange->unread.empty()) {
      parked_.push_back(handle_of(slot));
      resume_requests_ = true;
    } else if (!extra.exchange->receiving) {
      receive(slot, connection);  // it was not read while it was blocked
    }
    return;
  }
  if (extra.exchange->peer_finished) {
    terminate(slot, connection, false);
    return;
  }
  // Not close(2) yet: bytes that the peer still sends would make it a reset, and the answer is
  // lost.
  io_.shut_down_sending(connection.fd);
  const bool receiving = extra.exchange->receiving;
  change_state(connection, State::linger);
  extra.exchange.reset();
  on_progress(slot, connection, kLingerMs);
  if (!receiving) receive(slot, connection);
}

// The socket took a part of the answers, or now the last of them.
void Shard::count_untaken(std::uint32_t slot, Connection& connection) {
  Exchange& exchange = *connection.extra().exchange;
  exchange.untaken = 0;
  for (const Owed& owed : connection.extra().owed) exchange.untaken += owed.bytes.size();
  exchange.count();
  if (exchange.counted > 0) {
    holders_.renew(slot);
  } else {
    holders_.remove(slot);
  }
}

// There is no room for what requests and their answers hold: of this shard's connections the one
// with which nothing moved for the longest goes, before `but`, whose request has just grown. False:
// that one has to go, or nobody can.
bool Shard::make_memory_room(std::uint32_t but) {
  constexpr int kLooks = 16;
  for (int i = 0; i < kLooks && !memory_.fit(); ++i) {
    const std::uint32_t oldest = holders_.oldest();
    if (oldest == but || oldest == AgeList::kNone) return false;
    Connection& holder = table_[oldest];
    if (holder.ready || (!holder.blocked && io_.has_unread(holder.fd))) {
      holders_.renew(oldest);
      continue;
    }
    if (holder.blocked) {  // who does not take its answers would not take one more
      metrics_.count(Rejection::request_memory);
      terminate(oldest, holder, true);
      continue;
    }
    std::string own = std::exchange(reply_, {});  // answers to `but`
    turn_away(oldest, holder, Rejection::request_memory);
    reply_ = std::move(own);
  }
  return memory_.fit();
}

// The answer is in reply_, and nothing behind the request can be read safely.
void Shard::refuse_and_linger(std::uint32_t slot, Connection& connection) {
  Exchange& exchange = *connection.extra().exchange;
  holders_.remove(slot);
  exchange.begin();
  exchange.complete = false;
  exchange.unread.clear();
  connection.extra().close_when_sent = true;
  on_progress(slot, connection, kLingerMs);
  owe_reply(slot, connection);
}

// 503, where the request can be answered and no more.
void Shard::turn_away(std::uint32_t slot, Connection& connection, Rejection why) {
  proto::Request& request = connection.extra().exchange->parser.request();
  request.keep_alive = false;
  handler_.unavailable(request, why, reply_);
  refuse_and_linger(slot, connection);
}

void Shard::on_linger(std::uint32_t slot, Connection& connection, const Completion& completion) {
  const bool retry = completion.result == -ENOBUFS || completion.result == -EAGAIN;
  if (completion.token.op == Op::receive && (completion.result > 0 || retry)) {
    receive(slot, connection);  // read and dropped, until the deadline
    return;
  }
  terminate(slot, connection, false);
}

}  // namespace tocsin::net
