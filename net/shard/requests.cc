#include "net/shard/requests.h"

#include <cerrno>
#include <memory>
#include <utility>

#include "proto/assert.h"

namespace tocsin::net {

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
    const bool waits = exchange.awaits() || connection.owes();
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
    return !exchange.is_full() && exchange.unread.empty() && !connection.extra().close_when_sent;
  };
  std::size_t total = 0;
  while (more_to_read && wants_more() && total < limits::kMaxReadPerTurn && !had_their_slice()) {
    const std::int64_t n = shard_.io.receive_now(connection.fd, shard_.scratch);
    if (n <= 0) break;  // the end or an error comes again, as a completion
    total += static_cast<std::size_t>(n);
    more_to_read = static_cast<std::size_t>(n) == shard_.scratch.size();
    consume(slot, connection, {shard_.scratch.data(), static_cast<std::size_t>(n)});
  }
  if (connection.state != State::request || connection.extra().exchange->receiving) return;
  // Who awaits an answer may leave: what else comes is dropped.
  const Exchange& exchange = *connection.extra().exchange;
  const bool may_leave = connection.extra().close_when_sent && exchange.awaits() &&
                         !exchange.peer_finished && !connection.blocked;
  if (wants_more() || may_leave) receive(slot, connection);
}

// Handles the requests in the bytes, in their order. What is behind more answers than a client
// should be owed, or behind the first when time is up, is kept in `unread`.
void Requests::consume(std::uint32_t slot, Connection& connection, std::string_view bytes) {
  Exchange& exchange = *connection.extra().exchange;
  if (exchange.is_full() || !exchange.unread.empty()) {
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
    if (exchange.is_full() || enough) {
      exchange.unread.assign(bytes);
      exchange.count();
      // Nothing may be sent meanwhile, after which it would go on.
      if (exchange.awaits() && !exchange.is_full()) go_on_later(slot, connection);
      break;
    }
  }
  owe_reply(slot, connection);
  if (connection.blocked) return;  // SlowReaders set its deadline
  const bool between = !exchange.parser.mid_message();
  if (between && exchange.awaits()) {
    connection.extra().deadline_ms = 0;  // it waits for us
  } else if (between && answered) {
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
  proto::Request& request = exchange.parser.request();
  if (shard_.is_draining()) request.keep_alive = false;
  TOCSIN_ASSERT(exchange.endpoint != nullptr);
  const RequestTicket ticket{.shard = shard_.id,
                             .slot = slot,
                             .generation = connection.generation,
                             .number = exchange.answers.number()};
  obey(slot, connection,
       http_.on_request(*exchange.endpoint, request, *shard_.options, shard_.now_us, ticket,
                        reply_));
}

void Requests::obey(std::uint32_t slot, Connection& connection, Outcome&& outcome) {
  Exchange& exchange = *connection.extra().exchange;
  const proto::Request& request = exchange.parser.request();
  switch (outcome.kind) {
    case Outcome::Kind::replied:
      if (!request.keep_alive) connection.extra().close_when_sent = true;
      exchange.answered = true;
      break;
    case Outcome::Kind::pending:
      owe_reply(slot, connection);
      exchange.answers.defer(request, std::move(outcome.finish));
      if (!request.keep_alive) connection.extra().close_when_sent = true;
      break;
    case Outcome::Kind::refused:
      refuse_and_linger(slot, connection);
      return;
    case Outcome::Kind::stream:
      if (exchange.answers.empty()) {
        open_stream(slot, connection, outcome);
      } else {
        exchange.stream = std::make_unique<Outcome>(std::move(outcome));
      }
      return;
  }
  exchange.answers.next();
  exchange.begin();
}

void Requests::open_stream(std::uint32_t slot, Connection& connection, const Outcome& wanted) {
  if (const auto refused = streams_.open(slot, connection, wanted, reply_)) {
    refuse_stream(slot, connection, *refused);
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

// --- connections of which more was received than handled

void Requests::go_on_later(std::uint32_t slot, Connection& connection) {
  Exchange& exchange = *connection.extra().exchange;
  if (exchange.goes_on) return;
  exchange.goes_on = true;
  going_on_.push_back(shard_.table.handle(slot));
}

void Requests::go_on() {
  if (going_on_.empty()) return;
  begin_slice();
  std::vector<ConnectionTable::Handle> now;
  now.swap(going_on_);
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (i > 0 && had_their_slice()) {  // the first ones in the next turn
      going_on_.insert(going_on_.begin(), now.begin() + static_cast<std::ptrdiff_t>(i), now.end());
      return;
    }
    Connection* connection = shard_.table.find(now[i]);
    if (connection == nullptr || connection->state != State::request) continue;
    connection->extra().exchange->goes_on = false;
    go_on(now[i].slot, *connection);
  }
}

void Requests::go_on(std::uint32_t slot, Connection& connection) {
  if (connection.blocked) return;  // on_sent() goes on
  const std::string unread = std::exchange(connection.extra().exchange->unread, {});
  if (!connection.extra().close_when_sent && !unread.empty()) consume(slot, connection, unread);
  if (connection.state == State::request) read_on(slot, connection, true);
}

}  // namespace tocsin::net
