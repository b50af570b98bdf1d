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
void Requests::owe_reply(std::uint32_t slot, Peer& peer) {
  if (reply_.empty()) return;
  Exchange& exchange = *peer.extra().exchange;
  if (!exchange.answers.empty()) {
    exchange.answers.append(reply_);
    exchange.count();
    reply_.clear();
    return;
  }
  peer.owe(std::exchange(reply_, {}));
  shard_.ready.add(slot, peer);
}

void Requests::take_mail() {
  Mailbox& mailbox = *shard_.state.mailboxes[shard_.id];
  if (mailbox.empty()) return;
  mailbox.take(letters_);
  read_letters();
}

void Requests::close_mail() {
  shard_.state.mailboxes[shard_.id]->close(letters_);
  read_letters();
}

void Requests::read_letters() {
  for (Letter& letter : letters_) on_letter(std::move(letter));
  letters_.clear();
}

// What a request was pending for is there: answers it, unless its client has gone.
void Requests::on_letter(Letter&& letter) {
  if (auto* inquiry = std::get_if<std::shared_ptr<StreamInquiry>>(&letter.value)) {
    walks_.begin(std::move(*inquiry));
    return;
  }
  const RequestTicket ticket = letter.ticket;
  if (auto* turn = std::get_if<PastTurn>(&letter.value)) {
    replays_.take({.slot = ticket.slot, .generation = ticket.generation}, std::move(*turn));
    return;
  }
  if (const auto* published = std::get_if<PublishResult>(&letter.value); published && *published) {
    shard_.metrics.count_published((*published)->events(), (*published)->repeated);
  }
  Connection* found = shard_.table.find(
      ConnectionTable::Handle{.slot = ticket.slot, .generation = ticket.generation});
  if (std::holds_alternative<Authenticated>(letter.value) ||
      std::holds_alternative<NoAuthentication>(letter.value)) {
    const bool waits = found != nullptr && found->peer.state == State::request &&
                       found->peer.extra().exchange->held &&
                       found->peer.extra().exchange->answers.number() == ticket.number;
    if (waits) {
      on_authenticated(ticket.slot, found->peer, std::move(letter));
    } else {
      shard_.metrics.stale_answers.add();
    }
    return;
  }
  std::string out;
  const bool known = found != nullptr && found->peer.state == State::request &&
                     found->peer.extra().exchange->answers.finish(std::move(letter), out);
  if (!known) {
    shard_.metrics.stale_answers.add();
    return;
  }
  Peer& peer = found->peer;
  peer.extra().exchange->answered = true;
  peer.extra().exchange->count();
  if (out.empty()) return;  // others are in front of it
  peer.owe(std::move(out));
  shard_.ready.add(ticket.slot, peer);
  on_answered(ticket.slot, peer);
}

// It is known who makes the request in the parser, which is whole or begins with a body.
void Requests::on_authenticated(std::uint32_t slot, Peer& peer, Letter&& letter) {
  Exchange& exchange = *peer.extra().exchange;
  TOCSIN_ASSERT(exchange.held && exchange.stream == nullptr);
  exchange.held = false;
  reply_.clear();
  const bool whole = !exchange.parser.mid_message();
  const auto head =
      http_.on_authenticated(exchange.parser, *shard_.options, exchange.asked, std::move(letter),
                             reply_);
  if (head == Dispatcher::Head::refused && !whole) {
    refuse_and_linger(slot, peer);
    return;
  }
  if (whole && head == Dispatcher::Head::taken) {
    on_request(slot, peer);
  } else if (whole) {
    obey(slot, peer, {});  // it was answered
  }
  if (peer.state != State::request) return;
  owe_reply(slot, peer);
  if (!peer.blocked && !exchange.awaits() && !peer.extra().close_when_sent) {
    const std::uint32_t time_s =
        whole ? shard_.options->keep_alive_s : shard_.options->request_timeout_s;
    lifecycle_.progress(slot, peer, std::uint64_t{time_s} * 1000);
  }
  if (!exchange.is_full()) go_on_later(slot, peer);
}

// Answers have left the queue.
void Requests::on_answered(std::uint32_t slot, Peer& peer) {
  Exchange& exchange = *peer.extra().exchange;
  if (!exchange.answers.empty()) {
    if (!exchange.is_full()) go_on_later(slot, peer);
    return;
  }
  if (exchange.held) return;
  if (exchange.stream) {
    const std::unique_ptr<Outcome> wanted = std::move(exchange.stream);
    reply_.clear();
    if (const auto denial = streams_.deny_by_now(*wanted)) {
      proto::Request& request = exchange.parser.request();
      request.keep_alive = false;
      (void)http_.answers().deny(request, *denial, reply_);
      refuse_and_linger(slot, peer);
      return;
    }
    open_stream(slot, *wanted);
    return;
  }
  if (peer.extra().close_when_sent) {
    if (!peer.blocked) lifecycle_.progress(slot, peer, kLingerMs);
    return;
  }
  if (!peer.blocked && !exchange.parser.mid_message()) {
    lifecycle_.progress(slot, peer, std::uint64_t{shard_.options->keep_alive_s} * 1000);
  }
  go_on_later(slot, peer);
}

// Its deadline was that of a full socket: now it has time for whatever it is that it has to do.
void Requests::on_room(std::uint32_t slot, Peer& peer) {
  TOCSIN_ASSERT(!peer.blocked);
  const Exchange& exchange = *peer.extra().exchange;
  const bool closes = peer.extra().close_when_sent;
  if (exchange.parser.mid_message() && !exchange.held && !closes) {
    lifecycle_.progress(slot, peer, std::uint64_t{shard_.options->request_timeout_s} * 1000);
  } else if (exchange.awaits()) {
    peer.extra().deadline_ms = 0;  // it waits for us
  } else if (closes) {
    lifecycle_.progress(slot, peer, kLingerMs);
  } else {
    lifecycle_.progress(slot, peer, std::uint64_t{shard_.options->keep_alive_s} * 1000);
  }
}

// Everything owed is sent.
void Requests::on_sent(std::uint32_t slot, Peer& peer) {
  if (peer.state != State::request) return;
  Attachment& extra = peer.extra();
  if (extra.exchange->untaken > 0) count_untaken(slot, peer);
  if (!extra.close_when_sent) {
    if (!extra.exchange->unread.empty()) {
      go_on_later(slot, peer);
    } else if (!extra.exchange->receiving && !extra.exchange->is_full()) {
      receive(slot, peer);  // it was not read while it was blocked
    }
    return;
  }
  if (extra.exchange->awaits()) return;
  if (extra.exchange->peer_finished) {
    lifecycle_.terminate(slot, false);
    return;
  }
  // Not close(2) yet: bytes that the peer still sends would make it a reset, and the answer is
  // lost.
  shard_.io.shut_down_sending(peer.fd);
  const bool receiving = extra.exchange->receiving;
  lifecycle_.begin_linger(slot, peer);
  lifecycle_.progress(slot, peer, kLingerMs);
  if (!receiving) receive(slot, peer);
}

// The socket took a part of the answers, or now the last of them.
void Requests::count_untaken(std::uint32_t slot, Peer& peer) {
  Exchange& exchange = *peer.extra().exchange;
  exchange.untaken = 0;
  for (const Owed& owed : peer.extra().owed) exchange.untaken += owed.bytes.size();
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
    Peer& holder = shard_.table[oldest].peer;
    if (holder.ready || (!holder.blocked && shard_.io.has_unread(holder.fd))) {
      lifecycle_.holders().renew(oldest);
      continue;
    }
    if (holder.blocked) {  // who does not take its answers would not take one more
      shard_.metrics.count(Rejection::request_memory);
      lifecycle_.terminate(oldest, true);
      continue;
    }
    std::string own = std::exchange(reply_, {});  // answers to `but`
    turn_away(oldest, holder, {.why = Rejection::request_memory});
    reply_ = std::move(own);
  }
  return shard_.memory.fit();
}

// The answer is in reply_, and nothing behind the request can be read safely.
void Requests::refuse_and_linger(std::uint32_t slot, Peer& peer) {
  Exchange& exchange = *peer.extra().exchange;
  lifecycle_.holders().remove(slot);
  exchange.begin();
  proto::wipe(exchange.unread);
  exchange.stream.reset();
  exchange.held = false;
  peer.extra().close_when_sent = true;
  if (!exchange.awaits()) {
    lifecycle_.progress(slot, peer, kLingerMs);
  } else if (!peer.blocked) {  // else SlowReaders set its deadline
    peer.extra().deadline_ms = 0;
  }
  owe_reply(slot, peer);
}

// 503 or 429, where the request can be answered and no more.
void Requests::turn_away(std::uint32_t slot, Peer& peer, const AdmissionRefusal& refusal) {
  proto::Request& request = peer.extra().exchange->parser.request();
  request.keep_alive = false;
  http_.answers().unavailable(request, refusal, reply_);
  refuse_and_linger(slot, peer);
}

void Requests::on_linger(std::uint32_t slot, Peer& peer, const Completion& completion) {
  const bool retry = completion.result == -ENOBUFS || completion.result == -EAGAIN;
  if (completion.token.op == Op::receive && (completion.result > 0 || retry)) {
    receive(slot, peer);  // read and dropped, until the deadline
    return;
  }
  lifecycle_.terminate(slot, false);
}

// --- time, and room for others ---

void Requests::begin(std::uint32_t slot, Peer& peer) {
  lifecycle_.begin_request(peer);
  lifecycle_.progress(slot, peer, std::uint64_t{shard_.options->request_timeout_s} * 1000);
  receive(slot, peer);
}

void Requests::on_deadline(std::uint32_t slot, Peer& peer) {
  if (peer.blocked || peer.extra().close_when_sent) {
    lifecycle_.terminate(slot, true);
  } else if (shard_.io.has_unread(peer.fd)) {  // it is the hub that is late
    shard_.deadlines.set(slot, peer, shard_.now_ms + kUnreadMs);
  } else if (peer.extra().exchange->parser.mid_message()) {
    reply_.clear();
    http_.answers().refuse(peer.extra().exchange->parser.request(), 408, Rejection::timeout,
                           "the request did not arrive in time", reply_);
    refuse_and_linger(slot, peer);
  } else {
    lifecycle_.terminate(slot, false);
  }
}

bool Requests::end(std::uint32_t slot, Peer& peer, Rejection why) {
  const auto asks = [](const Exchange& exchange) {
    return exchange.parser.mid_message() || exchange.awaits();
  };
  const bool told = peer.state == State::request && !peer.blocked && asks(*peer.extra().exchange);
  if (told) {
    std::string refusal;
    http_.answers().turn_away({.why = why}, refusal);
    shard_.io.send_last(peer.fd, refusal);
  }
  lifecycle_.terminate(slot, peer.blocked);
  return told;
}

bool Requests::waits_for_us(const Peer& peer) const {
  if (peer.state != State::request) return false;
  const Attachment& extra = peer.extra();
  if (extra.exchange->awaits() || extra.starved) return true;
  if (peer.blocked) return false;  // its peer does not read
  return peer.owes() || !extra.exchange->unread.empty() || shard_.io.has_unread(peer.fd);
}

bool Requests::is_between(const Peer& peer) const {
  const Exchange& exchange = *peer.extra().exchange;
  return exchange.answered && !exchange.parser.mid_message() && !peer.owes() && !waits_for_us(peer);
}

}  // namespace tocsin::net
