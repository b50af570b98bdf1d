// Open streams: their bytes, their ends, and those that leave, are cut or read slowly.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <iterator>
#include <utility>

#include "tools/load/subscribers/receiver_impl.h"

namespace tocsin::load {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr std::size_t kSlowRead = std::size_t{16} * 1024;

static_assert(StreamChecker::kFront <= Poller::kFront);

void close_with_reset(int fd) {
  const linger reset{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  close(fd);
}

}  // namespace

int Receiver::Impl::fd_of(PollToken token) {
  if (token.slot >= streams_.size()) return -1;
  const Stream& stream = streams_[token.slot];
  const bool is_present = (stream.attempt & kGenerationMask) == token.generation;
  return is_present && !stream.is_slow ? stream.fd : -1;
}

void Receiver::Impl::on_writable(PollToken token) {
  const std::uint32_t slot = token.slot;
  if (streams_[slot].state != State::connecting) return;
  if (send_request(slot)) {
    poller_->watch(token, streams_[slot].fd);
  } else if (streams_[slot].fd >= 0) {
    poller_->watch_connect(token, streams_[slot].fd);
  }
}

void Receiver::Impl::on_bytes(PollToken token, char* bytes, std::size_t size) {
  // One clock read for each receive: one for a whole batch would be milliseconds old under load.
  take_bytes(token.slot, bytes, size, net::now_ns());
}

void Receiver::Impl::on_end(PollToken token, int error) {
  const std::uint32_t slot = token.slot;
  if (streams_[slot].state == State::streaming) return end_stream(slot);
  if (error != 0) return refuse(slot, {std::strerror(error), std::strerror(error)});
  refuse(slot, {"closed unanswered", "the server closed the connection unanswered"});
}

void Receiver::Impl::take_bytes(std::uint32_t slot, char* bytes, std::size_t size,
                                std::uint64_t now) {
  progress_.bytes.store(progress_.bytes.load(kRelaxed) + size, kRelaxed);
  const Stream& stream = streams_[slot];
  if (stream.state != State::streaming) {
    take_head(slot, {bytes, size}, now);
  } else if (stream.coding == StreamAnswer::Coding::other) {
    take_framed(slot, {bytes, size}, now);
  } else {
    check(slot, bytes, size, now);
  }
}

// Bytes of a stream, behind kFront that may be overwritten.
void Receiver::Impl::check(std::uint32_t slot, char* bytes, std::size_t size, std::uint64_t now) {
  Stream& stream = streams_[slot];
  const bool chunked = stream.coding == StreamAnswer::Coding::chunked;
  if (chunked) {
    checker_.feed_chunks(slot, stream.chunks, {bytes, size}, now);
  } else {
    checker_.feed(slot, bytes, size, now);
  }
  const CheckTotals& totals = checker_.totals();
  progress_.delivered.store(totals.delivered, kRelaxed);
  progress_.lost.store(totals.lost, kRelaxed);
  progress_.heard.store(checker_.heard(), kRelaxed);
  // Broken in the middle of a stream is its end.
  if (chunked && stream.chunks.state() != ChunkDecoder::State::more) end_stream(slot);
}

void Receiver::Impl::take_framed(std::uint32_t slot, std::string_view bytes, std::uint64_t now) {
  std::string_view body;
  const auto state = responses_.find(slot)->second->feed(bytes, joined_, body);
  if (!body.empty()) take_body(slot, body, now);
  if (state == StreamAnswer::State::ended) end_stream(slot);
}

// `body` may lie in scratch_.
void Receiver::Impl::take_body(std::uint32_t slot, std::string_view body, std::uint64_t now) {
  if (scratch_.size() < Poller::kFront + body.size()) scratch_.resize(Poller::kFront + body.size());
  char* const at = scratch_.data() + Poller::kFront;
  std::memmove(at, body.data(), body.size());
  check(slot, at, body.size(), now);
}

// The server ended it.
void Receiver::Impl::end_stream(std::uint32_t slot) {
  progress_.dropped.fetch_add(1, kRelaxed);
  close_stream(slot);
  come_back_or_end(slot);
}

// Leaves the slot idle. Nothing if it has no connection.
void Receiver::Impl::close_stream(std::uint32_t slot) {
  Stream& stream = streams_[slot];
  if (stream.state == State::streaming) {
    progress_.connected.fetch_sub(1, kRelaxed);
    audience_of(slot).fetch_sub(1, kRelaxed);
  } else if (stream.state != State::ended) {
    openings_.erase(slot);
  }
  if (stream.fd >= 0) {
    if (!stream.is_slow) poller_->forget(token_of(slot), stream.fd);
    close_with_reset(std::exchange(stream.fd, -1));
  }
  if (stream.state != State::ended) stream.state = State::idle;
  if (stream.coding == StreamAnswer::Coding::other) responses_.erase(slot);
  stream.coding = StreamAnswer::Coding::close;
  stream.is_slow = false;
  checker_.end_of_stream(slot);
}

void Receiver::Impl::churn(std::uint64_t now) {
  if (next_churn_ns_ == 0) return;
  constexpr std::uint64_t kMaxLagNs = 1'000'000'000;  // more is not made up for
  next_churn_ns_ = std::max(next_churn_ns_, now - std::min(now, kMaxLagNs));
  std::exponential_distribution<double> interval_s(churn_per_s_);
  while (next_churn_ns_ <= now) {
    next_churn_ns_ += static_cast<std::uint64_t>(interval_s(random_) * 1e9);
    // While few are streaming, as after a cut, some leave less.
    for (int tries = 0; tries < 16 && next_ > 0; ++tries) {
      const auto slot = static_cast<std::uint32_t>(random_() % next_);
      if (streams_[slot].state != State::streaming || streams_[slot].is_slow) continue;
      leave(slot);
      break;
    }
  }
}

void Receiver::Impl::leave(std::uint32_t slot) {
  close_stream(slot);
  Stream& stream = streams_[slot];
  stream.has_left = true;
  progress_.left.fetch_add(1, kRelaxed);
  free_slots_.push_back(slot);
  const bool resumes =
      std::uniform_real_distribution<double>()(random_) < options_.subscribe.churn_resume;
  if (resumes && !checker_.last_event_id(slot).empty()) return;
  checker_.set_last_event_id(slot, {});
  checker_.settle(slot);
  checker_.lanes().expect_nothing(slot);
  stream.is_begun = false;
}

void Receiver::Impl::do_cut(double share) {
  std::vector<std::uint32_t> open;
  for (std::uint32_t slot = 0; slot < streams_.size(); ++slot) {
    if (streams_[slot].state == State::streaming) open.push_back(slot);
  }
  const double wanted = static_cast<double>(open.size()) * std::clamp(share, 0.0, 1.0);
  std::vector<std::uint32_t> chosen;
  std::ranges::sample(open, std::back_inserter(chosen), std::lround(wanted), random_);
  for (const std::uint32_t slot : chosen) {
    close_stream(slot);
    streams_[slot].was_cut = true;
    cut_slots_.push_back(slot);
  }
  poller_->flush();
}

void Receiver::Impl::read_slow_streams(std::uint64_t now) {
  if (slow_ == 0 || now < slow_pace_.next_ns()) return;
  const std::size_t bytes = slow_pace_.take(now);
  if (slow_pace_.reads_nothing()) return look_for_ends();
  if (scratch_.size() < Poller::kFront + kSlowRead) scratch_.resize(Poller::kFront + kSlowRead);
  for (std::uint32_t slot = 0; slot < slow_; ++slot) read_slow(slot, bytes);
}

// An end that stands behind unread bytes is seen where it arrived: a FIN may wait for room.
void Receiver::Impl::look_for_ends() {
  std::vector<pollfd> sockets;
  std::vector<std::uint32_t> slots;
  for (std::uint32_t slot = 0; slot < slow_; ++slot) {
    if (!streams_[slot].is_slow) continue;
    sockets.push_back({.fd = streams_[slot].fd, .events = POLLRDHUP, .revents = 0});
    slots.push_back(slot);
  }
  if (poll(sockets.data(), sockets.size(), 0) <= 0) return;
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    if (sockets[i].revents != 0) end_stream(slots[i]);
  }
}

void Receiver::Impl::read_slow(std::uint32_t slot, std::size_t bytes) {
  char* const at = scratch_.data() + Poller::kFront;
  while (bytes > 0 && streams_[slot].is_slow) {
    const ssize_t got = recv(streams_[slot].fd, at, std::min(bytes, kSlowRead), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return end_stream(slot);
    bytes -= static_cast<std::size_t>(got);
    take_bytes(slot, at, static_cast<std::size_t>(got), net::now_ns());
  }
}

}  // namespace tocsin::load
