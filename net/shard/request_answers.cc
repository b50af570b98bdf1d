// What goes out to connections that are no streams: answers in the order of the requests, refusals,
// and room for others.
#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "net/shard/requests.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

// How long a closing connection's peer may take to read the last answer and close its side.
constexpr std::uint64_t kLingerMs = 2000;
// For bytes of a request that are there and have yet to be read when its time is up.
constexpr std::uint64_t kUnreadMs = 1000;

}  // namespace

// --- answers ---

// What is in reply_ goes out, behind answers that come later.
void Requests::owe_reply(std::uint32_t slot, Connection& connection) {
  if (reply_.empty()) return;
  Exchange& exchange = *connection.extra().exchange;
  if (!exchange.answers.empty()) {
    exchange.answers.append(reply_);
    exchange.count();
    reply_.clear();
    return;
  }
  owe(connection, std::exchange(reply_, {}));
  shard_.ready.add(slot, connection);
}

void Requests::take_mail() {
  Mailbox& mailbox = *shard_.state.mailboxes[shard_.id];
  if (mailbox.empty()) return;
  mailbox.take(letters_);
  for (Letter& letter : letters_) on_letter(std::move(letter));
  letters_.clear();
}

// What a request was pending for is there: answers it, unless its client has gone.
void Requests::on_letter(Letter&& letter) {
  const RequestTicket ticket = letter.ticket;
  if (const auto* published = std::get_if<PublishResult>(&letter.value); published && *published) {
    shard_.metrics.count_published((*published)->last - (*published)->first + 1);
  }
  Connection* found = shard_.table.find(
      ConnectionTable::Handle{.slot = ticket.slot, .generation = ticket.generation});
  std::string out;
  const bool known = found != nullptr && found->state == State::request &&
                     found->extra().exchange->answers.finish(std::move(letter), out);
  if (!known) {
    shard_.metrics.stale_answers.add();
    return;
  }
  found->extra().exchange->answered = true;
  found->extra().exchange->count();
  if (out.empty()) return;  // others are in front of it
  owe(*found, std::move(out));
  shard_.ready.add(ticket.slot, *found);
  on_answered(ticket.slot, *found);
}

// Answers have left the queue.
void Requests::on_answered(std::uint32_t slot, Connection& connection) {
  Exchange& exchange = *connection.extra().exchange;
  if (!exchange.answers.empty()) {
    if (!exchange.is_full()) go_on_later(slot, connection);
    return;
  }
  if (exchange.stream) {
    const std::unique_ptr<Outcome> wanted = std::move(exchange.stream);
    reply_.clear();
    open_stream(slot, connection, *wanted);
    return;
  }
  if (connection.extra().close_when_sent) {
    if (!connection.blocked) lifecycle_.progress(slot, connection, kLingerMs);
    return;
  }
  if (!connection.blocked && !exchange.parser.mid_message()) {
    lifecycle_.progress(slot, connection, std::uint64_t{shard_.options->keep_alive_s} * 1000);
  }
  go_on_later(slot, connection);
}

// Everything owed is sent.
void Requests::on_sent(std::uint32_t slot, Connection& connection) {
  if (connection.state != State::request) return;
  Attachment& extra = connection.extra();
  if (extra.exchange->untaken > 0) count_untaken(slot, connection);
  if (!extra.close_when_sent) {
    if (!extra.exchange->unread.empty()) {
      go_on_later(slot, connection);
    } else if (!extra.exchange->receiving && !extra.exchange->is_full()) {
      receive(slot, connection);  // it was not read while it was blocked
    }
    return;
  }
  if (extra.exchange->awaits()) return;
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
  exchange.unread.clear();
  exchange.stream.reset();
  connection.extra().close_when_sent = true;
  if (exchange.awaits()) {
    connection.extra().deadline_ms = 0;
  } else {
    lifecycle_.progress(slot, connection, kLingerMs);
  }
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
    return exchange.parser.mid_message() || exchange.awaits();
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
  if (extra.exchange->awaits() || extra.starved) return true;
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
