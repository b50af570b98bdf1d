#include "net/shard/requests.h"

#include <cerrno>
#include <memory>
#include <span>
#include <utility>

#include "proto/assert.h"

namespace tocsin::net {
namespace {

// When a client is to come back that knows more than this hub does. The others are told within
// milliseconds; where this hub is cut off from the history it takes longer.
constexpr std::uint32_t kBehindRetryMs = 500;

}  // namespace

void Requests::receive(std::uint32_t slot, Peer& peer) {
  TOCSIN_DEBUG_ASSERT(peer.state == State::request || peer.state == State::linger);
  if (peer.state == State::request) peer.extra().exchange->receiving = true;
  ++peer.armed;
  shard_.io.receive(peer.fd, shard_.table.token(Op::receive, slot));
}

void Requests::on_received(std::uint32_t slot, Peer& peer, const Completion& completion) {
  Exchange& exchange = *peer.extra().exchange;
  exchange.receiving = false;
  const int result = completion.result;
  if (result == -ENOBUFS || result == -EINTR || result == -EAGAIN) {
    receive(slot, peer);  // the kernel had no buffer left this turn
    return;
  }
  if (result < 0) {
    lifecycle_.terminate(slot, false);
    return;
  }
  if (result == 0) {
    // A peer that has said all it wants may still want its answers.
    exchange.peer_finished = true;
    const bool waits = exchange.awaits() || peer.owes();
    peer.extra().close_when_sent = true;
    if (!waits) lifecycle_.terminate(slot, false);
    return;
  }
  if (peer.extra().close_when_sent) {
    receive(slot, peer);  // behind the last request: dropped
    return;
  }
  const std::string_view bytes{completion.data.data(), completion.data.size()};
  consume(slot, peer, bytes);
  if (peer.state != State::request) return;
  read_on(slot, peer, bytes.size() == limits::kReceiveBuffer);
}

// After the bytes of a completion: a publisher at full speed has more in its socket; taking it now
// makes larger batches for the sweep. Then waits for the next.
void Requests::read_on(std::uint32_t slot, Peer& peer, bool more_to_read) {
  const auto wants_more = [&] {
    if (peer.state != State::request || peer.blocked) return false;
    const Exchange& exchange = *peer.extra().exchange;
    return !exchange.is_full() && exchange.unread.empty() && !peer.extra().close_when_sent;
  };
  std::size_t total = 0;
  while (more_to_read && wants_more() && total < limits::kMaxReadPerTurn && !had_their_slice()) {
    const std::int64_t n = shard_.io.receive_now(peer.fd, shard_.scratch);
    if (n <= 0) break;  // the end or an error comes again, as a completion
    total += static_cast<std::size_t>(n);
    more_to_read = static_cast<std::size_t>(n) == shard_.scratch.size();
    const std::span<char> read(shard_.scratch.data(), static_cast<std::size_t>(n));
    consume(slot, peer, {read.data(), read.size()});
    shard_.wipe(read);
  }
  if (peer.state != State::request || peer.extra().exchange->receiving) return;
  // Who awaits an answer may leave: what else comes is dropped.
  const Exchange& exchange = *peer.extra().exchange;
  const bool may_leave =
      peer.extra().close_when_sent && exchange.awaits() && !exchange.peer_finished && !peer.blocked;
  if (wants_more() || may_leave) receive(slot, peer);
}

// Handles the requests in the bytes, in their order. What is behind more answers than a client
// should be owed, or behind the first when time is up, is kept in `unread`.
void Requests::consume(std::uint32_t slot, Peer& peer, std::string_view bytes) {
  Exchange& exchange = *peer.extra().exchange;
  if (exchange.is_full() || !exchange.unread.empty()) {
    proto::append_wiping(exchange.unread, bytes);
    exchange.count();
    return;
  }
  reply_.clear();
  const bool was_between = !exchange.parser.mid_message();
  bool answered = false;
  while (!bytes.empty() && !peer.extra().close_when_sent) {
    const Fed fed = feed(slot, peer, bytes);
    if (fed == Fed::ended) return;
    if (fed == Fed::all) break;
    answered = answered || fed == Fed::answered;
    const bool enough = reply_.size() > limits::kMaxPendingReply ||
                        (fed == Fed::answered && !bytes.empty() && had_their_slice());
    if (exchange.is_full() || enough) {
      exchange.unread.assign(bytes);
      exchange.count();
      // Nothing may be sent meanwhile, after which it would go on.
      if (exchange.awaits() && !exchange.is_full()) go_on_later(slot, peer);
      break;
    }
  }
  owe_reply(slot, peer);
  if (peer.blocked) return;  // SlowReaders set its deadline
  const bool between = !exchange.parser.mid_message();
  if (exchange.held || (between && exchange.awaits())) {
    peer.extra().deadline_ms = 0;  // it waits for us
  } else if (between && answered) {
    lifecycle_.progress(slot, peer, std::uint64_t{shard_.options->keep_alive_s} * 1000);
  } else if (!between && (was_between || answered)) {
    lifecycle_.progress(slot, peer, std::uint64_t{shard_.options->request_timeout_s} * 1000);
  }
}

// One step of the parser, and what follows from it.
Requests::Fed Requests::feed(std::uint32_t slot, Peer& peer, std::string_view& bytes) {
  using ParserState = proto::RequestParser::State;
  Exchange& exchange = *peer.extra().exchange;
  const proto::RequestParser::Step step = exchange.parser.feed(bytes);
  bytes.remove_prefix(step.consumed);
  exchange.count();
  switch (step.state) {
    case ParserState::need_more:
      if (exchange.counted > 0) lifecycle_.holders().renew(slot);
      if (shard_.memory.fit() || make_memory_room(slot)) return Fed::all;
      turn_away(slot, peer, {.why = Rejection::request_memory});
      return Fed::ended;
    case ParserState::failed:
      http_.on_bad_request(exchange.parser, reply_);
      refuse_and_linger(slot, peer);
      return Fed::ended;
    case ParserState::head_complete:
      if (shard_.limited) exchange.asked.address = client_of(peer).client_key();
      switch (http_.on_head(exchange.parser, *shard_.options, exchange.asked,
                            ticket_of(slot, peer), reply_)) {
        case Dispatcher::Head::taken:
          return Fed::some;
        case Dispatcher::Head::held:
          exchange.held = true;
          return Fed::some;
        case Dispatcher::Head::refused:
          break;
      }
      refuse_and_linger(slot, peer);
      return Fed::ended;
    case ParserState::message_complete:
      lifecycle_.holders().remove(slot);
      on_request(slot, peer);
      return peer.state == State::request ? Fed::answered : Fed::ended;
  }
  return Fed::ended;
}

void Requests::on_request(std::uint32_t slot, Peer& peer) {
  Exchange& exchange = *peer.extra().exchange;
  proto::Request& request = exchange.parser.request();
  if (shard_.is_draining()) request.keep_alive = false;
  obey(slot, peer,
       http_.on_request(request, *shard_.options, exchange.asked, shard_.now_us,
                        ticket_of(slot, peer), reply_));
}

// Of the request in the parser.
RequestTicket Requests::ticket_of(std::uint32_t slot, const Peer& peer) const {
  return {.shard = shard_.id,
          .slot = slot,
          .generation = peer.generation,
          .number = peer.extra().exchange->answers.number()};
}

void Requests::obey(std::uint32_t slot, Peer& peer, Outcome&& outcome) {
  Exchange& exchange = *peer.extra().exchange;
  const proto::Request& request = exchange.parser.request();
  switch (outcome.kind) {
    case Outcome::Kind::replied:
      if (!request.keep_alive) peer.extra().close_when_sent = true;
      exchange.answered = true;
      break;
    case Outcome::Kind::pending:
      owe_reply(slot, peer);
      exchange.answers.defer(request, std::move(outcome.finish));
      if (!request.keep_alive) peer.extra().close_when_sent = true;
      break;
    case Outcome::Kind::held:
      exchange.held = true;
      return;
    case Outcome::Kind::refused:
      refuse_and_linger(slot, peer);
      return;
    case Outcome::Kind::stream:
      if (exchange.answers.empty()) {
        open_stream(slot, outcome);
      } else {
        exchange.stream = std::make_unique<Outcome>(std::move(outcome));
      }
      return;
  }
  exchange.answers.next();
  exchange.begin();
}

void Requests::open_stream(std::uint32_t slot, const Outcome& wanted) {
  const IpAddress client = client_behind(shard_.table[slot].peer);
  if (const auto refused = streams_.open(slot, wanted, client, reply_)) {
    refuse_stream(slot, shard_.table[slot].peer, wanted, *refused);
  }
}

void Requests::refuse_stream(std::uint32_t slot, Peer& peer, const Outcome& wanted,
                             const Streams::Refusal& refusal) {
  proto::Request& request = peer.extra().exchange->parser.request();
  const Rejection why = refusal.admission.why;
  const std::uint32_t retry_ms =
      why == Rejection::behind ? kBehindRetryMs : shard_.options->full_retry_ms;
  if (why == Rejection::not_found) {
    http_.answers().refuse(request, 404, why, refusal.detail, reply_);
    refuse_and_linger(slot, peer);
  } else if (retry_ms != 0) {
    request.keep_alive = false;
    http_.answers().come_back(request, wanted, why, retry_ms, reply_);
    refuse_and_linger(slot, peer);
  } else {
    turn_away(slot, peer, refusal.admission);
  }
}

IpAddress Requests::client_of(const Peer& peer) {
  TOCSIN_ASSERT(peer.state == State::request);
  Exchange& exchange = *peer.extra().exchange;
  if (!exchange.address.is_known()) exchange.address = shard_.io.peer_ip(peer.fd);
  const auto& request = exchange.parser.request();
  return shard_.proxies.client_of(exchange.address,
                                  request.header(proto::Header::x_forwarded_for));
}

IpAddress Requests::client_behind(const Peer& peer) {
  if (shard_.access == nullptr || shard_.proxies.none()) return {};
  const IpAddress client = client_of(peer);
  return client == peer.extra().exchange->address ? IpAddress() : client;
}

// --- connections of which more was received than handled

void Requests::go_on_later(std::uint32_t slot, Peer& peer) {
  Exchange& exchange = *peer.extra().exchange;
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
    if (connection == nullptr || connection->peer.state != State::request) continue;
    connection->peer.extra().exchange->goes_on = false;
    go_on(now[i].slot, connection->peer);
  }
}

void Requests::go_on(std::uint32_t slot, Peer& peer) {
  if (peer.blocked) return;  // on_sent() goes on
  std::string unread = std::exchange(peer.extra().exchange->unread, {});
  if (!peer.extra().close_when_sent && !unread.empty()) consume(slot, peer, unread);
  shard_.wipe(unread);
  if (peer.state == State::request) read_on(slot, peer, true);
}

}  // namespace tocsin::net
