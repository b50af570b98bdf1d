// Connecting: the ramp, the request, the response's head.
#include <netdb.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "proto/sse/event_id.h"
#include "tools/load/subscribers/receiver_impl.h"

namespace tocsin::load {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr std::uint64_t kSecondNs = 1'000'000'000;
// A stream that was refused, or that the server ended, tries again so much later.
constexpr std::uint64_t kReturnNs = kSecondNs;
// Without it, one that never answers would hold its place among those in flight for good.
constexpr std::uint64_t kHeadTimeoutS = 30;

Refusal socket_error(int error) {
  std::string kind = fmt::format("socket: {}", std::strerror(error));
  if (error != EMFILE) return {kind, kind};
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  std::string why =
      fmt::format("{}: a thread has {} descriptors (ulimit -n); more threads hold more streams",
                  kind, limit.rlim_cur);
  return {std::move(kind), std::move(why)};
}

// EADDRNOTAVAIL, from connect() because of IP_BIND_ADDRESS_NO_PORT: no port is left on the address.
Refusal connect_error(int error) {
  std::string kind = fmt::format("connect: {}", std::strerror(error));
  if (error != EADDRNOTAVAIL) return {kind, kind};
  std::string why = kind +
                    ": the ports of a source address are used up (net.ipv4.ip_local_port_range, "
                    "TIME_WAIT); more source addresses have more";
  return {std::move(kind), std::move(why)};
}

}  // namespace

std::string Receiver::Impl::resolve() {
  const net::Url& url = options_.subscribe.url;
  addrinfo hints{};
  // Source addresses are IPv4.
  hints.ai_family = options_.subscribe.sources.is_empty() ? AF_UNSPEC : AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(url.port);
  if (const int failed = getaddrinfo(url.host.c_str(), port.c_str(), &hints, &found); failed != 0) {
    return fmt::format("{}: {}", url.host, gai_strerror(failed));
  }
  std::memcpy(&server_, found->ai_addr, found->ai_addrlen);
  server_size_ = found->ai_addrlen;
  freeaddrinfo(found);
  return {};
}

bool Receiver::Impl::may_connect() const {
  return openings_.size() < options_.subscribe.connects_in_flight;
}

void Receiver::Impl::start_connects(std::uint64_t now) {
  while (!returns_.empty() && returns_.front().due_ns <= now) {
    free_slots_.push_back(returns_.front().slot);
    returns_.pop_front();
  }
  while (!free_slots_.empty() && may_connect()) {
    connect_one(free_slots_.front(), now);
    free_slots_.pop_front();
  }
  const std::uint32_t wanted = wanted_.load(kRelaxed);
  while ((next_ < wanted || !cut_slots_.empty()) && may_connect() && pace_.take(now)) {
    if (cut_slots_.empty()) {
      connect_one(next_++, now);
    } else {
      connect_one(cut_slots_.front(), now);
      cut_slots_.pop_front();
    }
  }
}

void Receiver::Impl::connect_one(std::uint32_t slot, std::uint64_t now) {
  Stream& stream = streams_[slot];
  ++stream.attempt;
  stream.state = State::connecting;
  if (openings_.empty()) next_check_ns_ = now + kSecondNs;
  openings_.emplace(slot, Opening{.started_ns = net::now_ns(), .response = nullptr});
  if (const auto refusal = open_socket(slot)) return refuse(slot, *refusal);
  // On loopback the handshake is over by now, unless the listener's backlog is full.
  if (send_request(slot)) {
    poller_->watch(token_of(slot), stream.fd);
  } else if (stream.fd >= 0) {
    poller_->watch_connect(token_of(slot), stream.fd);
  }
}

std::optional<Refusal> Receiver::Impl::open_socket(std::uint32_t slot) {
  if (!no_server_.empty()) return Refusal{"no address", no_server_};
  Stream& stream = streams_[slot];
  const int one = 1;
  stream.fd = socket(server_.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (stream.fd < 0) return socket_error(errno);
  if (slot < slow_) {
    const int bytes = SlowPace::kBufferBytes;
    setsockopt(stream.fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  }
  if (!options_.subscribe.sources.is_empty()) {
    sockaddr_in from{};
    from.sin_family = AF_INET;
    from.sin_addr = options_.subscribe.sources.of(setup_.first_index + slot, stream.attempt - 1);
    // Otherwise bind() would choose the port, for all destinations alike, and search long for it.
    setsockopt(stream.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(stream.fd, reinterpret_cast<const sockaddr*>(&from), sizeof from) < 0) {
      const std::string why = fmt::format("bind to a source address: {}", std::strerror(errno));
      return Refusal{why, why};
    }
  }
  const auto* to = reinterpret_cast<const sockaddr*>(&server_);
  if (connect(stream.fd, to, server_size_) < 0 && errno != EINPROGRESS) {
    return connect_error(errno);
  }
  return std::nullopt;
}

// False: not connected yet, or refused.
bool Receiver::Impl::send_request(std::uint32_t slot) {
  Stream& stream = streams_[slot];
  std::string_view id = checker_.last_event_id(slot);
  // Tocsin's word for everything that is kept.
  if (id.empty() && wants_history_) id = proto::kEarliest;
  const std::string request = request_.text(setup_.first_index + slot, id);
  // A fresh socket's send buffer takes a request of some hundred bytes whole.
  const ssize_t sent = send(stream.fd, request.data(), request.size(), MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN)) return false;
  if (sent != static_cast<ssize_t>(request.size())) {
    refuse(slot, sent < 0 ? connect_error(errno)
                          : Refusal{"long request", "the request does not fit a send buffer"});
    return false;
  }
  stream.state = State::reading_head;
  return true;
}

void Receiver::Impl::take_head(std::uint32_t slot, std::string_view bytes, std::uint64_t now) {
  const auto found = openings_.find(slot);
  std::unique_ptr<StreamAnswer>& place = found->second.response;
  if (!place) place = std::make_unique<StreamAnswer>();
  std::string_view body;
  const StreamAnswer::State state = place->feed(bytes, joined_, body);
  if (state == StreamAnswer::State::need_more) return;
  if (state == StreamAnswer::State::refused) return refuse(slot, place->refusal());

  std::unique_ptr<StreamAnswer> response = std::move(place);
  progress_.connect_latency.record(now - found->second.started_ns);
  openings_.erase(found);
  on_good_head(slot);
  streams_[slot].coding = response->coding();
  streams_[slot].chunks = ChunkDecoder();
  if (response->coding() == StreamAnswer::Coding::other) {
    responses_.emplace(slot, std::move(response));
  }
  if (!body.empty()) take_body(slot, body, now);
  if (state == StreamAnswer::State::ended) end_stream(slot);
}

void Receiver::Impl::on_good_head(std::uint32_t slot) {
  Stream& stream = streams_[slot];
  stream.state = State::streaming;
  stream.has_left = false;
  begin(slot);
  end_outage(slot, net::now_ns());
  count_first_try(slot);
  progress_.connected.fetch_add(1, kRelaxed);
  audience_of(slot).fetch_add(1, kRelaxed);
  if (stream.was_cut) progress_.reconnects.fetch_add(1, kRelaxed);
  stream.was_cut = false;
  if (slot < slow_) {
    poller_->forget(token_of(slot), stream.fd);
    stream.is_slow = true;
  }
}

// A stream that resumes goes on where it was.
void Receiver::Impl::begin(std::uint32_t slot) {
  if (streams_[slot].is_begun) return;
  streams_[slot].is_begun = true;
  if (wants_history_) {
    checker_.lanes().expect_all(slot);
  } else {
    checker_.lanes().expect_from_now(slot, *setup_.published);
  }
}

// Nothing is expected of a stream that was never accepted: begin() was not called for it.
void Receiver::Impl::refuse(std::uint32_t slot, const Refusal& refusal) {
  refusals_.add(refusal);
  count_first_try(slot);
  progress_.refused.fetch_add(1, kRelaxed);
  if (comes_back_ && streams_[slot].is_begun) progress_.refused_meanwhile.fetch_add(1, kRelaxed);
  close_stream(slot);
  come_back_or_end(slot);
}

void Receiver::Impl::come_back_or_end(std::uint32_t slot) {
  if (!comes_back_) {
    streams_[slot].state = State::ended;
    return;
  }
  const std::uint64_t now = net::now_ns();
  returns_.push_back({.due_ns = now + kReturnNs, .slot = slot});
  if (streams_[slot].is_begun && away_.emplace(slot, now).second) {
    progress_.away.fetch_add(1, kRelaxed);
  }
}

void Receiver::Impl::end_outage(std::uint32_t slot, std::uint64_t now) {
  if (away_.empty()) return;
  const auto found = away_.find(slot);
  if (found == away_.end()) return;
  progress_.outage.record(now - found->second);
  away_.erase(found);
  progress_.away.fetch_sub(1, kRelaxed);
}

void Receiver::Impl::count_first_try(std::uint32_t slot) {
  if (streams_[slot].attempt == 1) progress_.tried.fetch_add(1, kRelaxed);
}

void Receiver::Impl::check_openings(std::uint64_t now) {
  if (openings_.empty() || now < next_check_ns_) return;
  next_check_ns_ = now + kSecondNs;
  std::vector<std::uint32_t> late;
  for (const auto& [slot, opening] : openings_) {
    if (opening.started_ns + (kHeadTimeoutS * kSecondNs) < now) late.push_back(slot);
  }
  for (const std::uint32_t slot : late) {
    const bool connecting = streams_[slot].state == State::connecting;
    refuse(slot,
           {"no answer",
            fmt::format("{} waited {} s for the {}", connecting ? "a stream" : "a connected stream",
                        kHeadTimeoutS, connecting ? "connection" : "response's head")});
  }
}

}  // namespace tocsin::load
