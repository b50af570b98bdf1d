#include "bench/micro/null_kernel.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "proto/assert.h"

namespace tocsin::bench {
namespace {

constexpr std::string_view kTopic = "events";
constexpr std::string_view kSubscribe =
    "GET /events?stream=events&framing=chunked HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view kSubscribeClose =
    "GET /events?stream=events&framing=close HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view kProbe = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";

net::ServerOptions options() {
  net::ServerOptions options;
  options.heartbeat_s = 0;  // nothing but what a benchmark asks for
  return options;
}

}  // namespace

void NullIo::connect(std::size_t count, std::string_view request) {
  waiting_.push_back({count, request});
  receiving_.resize(receiving_.size() + count + 1);
}

void NullIo::ask(int fd, std::string_view request) {
  net::Token& armed = receiving_[static_cast<std::size_t>(fd)];
  TOCSIN_ASSERT(armed.op == net::Op::receive);
  // Nobody writes to it: these hubs are open.
  const std::span<char> bytes(const_cast<char*>(request.data()), request.size());
  ready_.push_back({.token = armed, .result = static_cast<int>(request.size()), .data = bytes});
  armed = {};
}

void NullIo::accept(int, net::Token token) {
  accepting_ = token;
}

void NullIo::cancel_accept(int) {
  ready_.push_back({.token = accepting_, .result = -ECANCELED, .data = {}});
}

bool NullIo::refuse(int, std::string_view) {
  return false;
}

// The first time a connection is read it has its request; afterwards what ask() gives it.
void NullIo::receive(int fd, net::Token token) {
  net::Token& armed = receiving_[static_cast<std::size_t>(fd)];
  const bool is_new = armed.op == net::Op::accept;
  armed = token;
  if (!is_new) return;
  ask(fd, requests_.front());
  requests_.pop_front();
}

void NullIo::watch(int, net::Token) {}

void NullIo::send(std::span<net::SendRequest> requests) {
  for (net::SendRequest& request : requests) {
    request.result = static_cast<std::int64_t>(request.bytes);
    bytes_ += request.bytes;
  }
  sends_ += requests.size();
}

std::int64_t NullIo::receive_now(int, std::span<char>) {
  return -EAGAIN;
}

void NullIo::limit_receive_buffer(int, std::uint32_t) {}

net::IpAddress NullIo::peer_ip(int) {
  return {};
}

void NullIo::shut_down_sending(int) {}

// A request that is armed completes, as the shard waits for it before it closes.
void NullIo::shut_down(int, bool) {}

void NullIo::close(int) {}

void NullIo::wait(std::uint32_t, std::vector<net::Completion>& completions) {
  for (std::size_t i = 0; i < kAcceptsATurn && !waiting_.empty(); ++i) {
    receiving_[static_cast<std::size_t>(next_fd_)].op = net::Op::accept;
    completions.push_back({.token = accepting_, .result = next_fd_++, .data = {}});
    requests_.push_back(waiting_.front().request);
    if (--waiting_.front().count == 0) waiting_.pop_front();
  }
  for (; !ready_.empty(); ready_.pop_front()) completions.push_back(ready_.front());
}

NullShard::NullShard(std::size_t subscribers, proto::Framing framing)
    : subscribers_(subscribers), state_(1, 1, options()), shard_(0, state_, io_, clock_, {0}, 1) {
  state_.phase = net::Phase::running;
  shard_.start_accepting();
  if (subscribers > 0) {
    io_.connect(subscribers, framing == proto::Framing::chunked ? kSubscribe : kSubscribeClose);
  }
  expected_ = subscribers;
  bool good = turn_until_sends(expected_);
  io_.connect(1, kProbe);
  good = good && turn_until_sends(++expected_);
  publisher_ = io_.last_fd();
  if (good) return;
  std::fputs("the streams do not open\n", stderr);
  std::exit(1);
}

NullShard::~NullShard() = default;

void NullShard::publish(std::string_view body) {
  const core::NewEvent event{.topic = kTopic, .id = {}, .body = body};
  const auto published =
      state_.hub.with([&](core::Hub& hub) { return hub.publish({&event, 1}, 1); });
  TOCSIN_ASSERT(published.has_value());
  state_.hub.wake(published->wake);
}

bool NullShard::deliver() {
  expected_ += subscribers_;
  return turn_until_sends(expected_);
}

bool NullShard::post(std::string_view request) {
  io_.ask(publisher_, request);
  expected_ += 1 + subscribers_;
  return turn_until_sends(expected_);
}

void NullShard::subscribe(std::string_view topic) {
  const std::string request = "GET /events?stream=" + std::string{topic} +
                              "&framing=chunked HTTP/1.1\r\nHost: h\r\n\r\n";
  io_.connect(1, request);
  const bool good = turn_until_sends(++expected_);
  TOCSIN_ASSERT(good);
}

bool NullShard::post_to_topics(std::string_view requests, std::size_t events) {
  const net::Counter& deliveries = state_.metrics[0]->deliveries;
  const std::uint64_t wanted = deliveries.get() + events;
  io_.ask(publisher_, requests);
  for (std::uint64_t i = 0; i < kMostTurns && deliveries.get() < wanted; ++i) shard_.turn();
  expected_ = io_.sends();
  return deliveries.get() == wanted;
}

bool NullShard::turn_until_sends(std::uint64_t sends) {
  for (std::uint64_t i = 0; i < kMostTurns && io_.sends() < sends; ++i) shard_.turn();
  return io_.sends() == sends;
}

}  // namespace tocsin::bench
