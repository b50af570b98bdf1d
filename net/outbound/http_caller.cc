#include "net/outbound/http_caller.h"

#include <algorithm>
#include <string>
#include <utility>

#include "proto/assert.h"

namespace tocsin::net {
namespace {

using Kind = HttpError::Kind;

constexpr std::size_t kMaxHead = std::size_t{16} * 1024;

}  // namespace

void HttpCaller::start(SecretRequest request, TimePoint deadline, Done done) {
  TOCSIN_ASSERT(has_room());
  Call& call = *calls_.emplace_back(std::make_unique<Call>(
      Call{.serial = 0,
           .request = std::move(request),
           .deadline = deadline,
           .done = std::move(done)}));
  if (idle_.empty()) {
    connect(call);
    return;
  }
  call.client = std::move(idle_.back());
  idle_.pop_back();
  call.reused = true;
  call.client->submit(call.request.view(), 0);
}

void HttpCaller::connect(Call& call) {
  call.serial = ++last_serial_;
  if (auto literal = parse_literal(server_.url.host, server_.url.port)) {
    on_addresses(call.serial, std::move(*literal));
  } else {
    ask_name_(call.serial, server_.url.host, server_.url.port);
  }
}

void HttpCaller::on_addresses(std::uint64_t serial, const LookUpResult& result) {
  const auto found = std::ranges::find(calls_, serial, [](const auto& one) { return one->serial; });
  if (found == calls_.end()) return;  // it has ended meanwhile
  Call& call = **found;
  if (call.result || call.connector != nullptr || call.client != nullptr) return;
  if (!result) {
    fail(call, Kind::connect, result.error().message);
    return;
  }
  Destination destination{server_.url.host, server_.url.port, nullptr};
  if (server_.url.https) {
    auto tls = tls_for(server_.tls);
    if (!tls) {
      fail(call, Kind::connect, std::move(tls.error()));
      return;
    }
    destination.tls = *std::move(tls);
  }
  call.connector = std::make_unique<Connector>(*result, std::move(destination), call.deadline);
  step(call, 0);
}

// As far as it goes without waiting.
void HttpCaller::step(Call& call, short revents) {
  const TimePoint now = waiter_.now();
  if (call.result) return;
  if (now >= call.deadline) {
    fail(call, Kind::timeout, "no answer in time");
    return;
  }
  if (call.connector != nullptr) {
    auto made = call.connector->advance(revents, now);
    if (!made) return;
    call.connector.reset();
    if (!*made) {
      const bool late = made->error().kind == SocketError::Kind::timeout;
      fail(call, late ? Kind::timeout : Kind::connect, std::move(made->error().message));
      return;
    }
    call.client = std::make_unique<HttpClient>(
        server_.url, HttpClientOptions{.max_in_flight = 1,
                                       .max_head_bytes = kMaxHead,
                                       .max_body_bytes = limits_.max_body_bytes,
                                       .response_timeout_ms = limits_.timeout_ms,
                                       .tls = server_.tls,
                                       .waiter = &waiter_});
    call.client->adopt(std::move(**made));
    call.client->submit(call.request.view(), 0);
    revents = POLLOUT;
  }
  if (call.client == nullptr) return;
  auto outcomes = call.client->handle(revents);
  if (outcomes.empty()) return;
  HttpResult& result = outcomes.front().result;
  if (!result && call.reused && result.error().kind == Kind::closed) {
    call.client.reset();
    call.reused = false;
    connect(call);
    return;
  }
  call.result = std::move(result);
}

void HttpCaller::fail(Call& call, Kind kind, std::string message) {
  call.result = std::unexpected(HttpError{kind, true, std::move(message)});
  call.connector.reset();
  call.client.reset();
}

void HttpCaller::poll(std::vector<pollfd>& fds) const {
  for (const auto& call : calls_) {
    fds.push_back(call->connector != nullptr ? call->connector->poll_request()
                  : call->client != nullptr  ? call->client->poll_request()
                                             : pollfd{-1, 0, 0});
  }
  for (const auto& client : idle_) fds.push_back(client->poll_request());
}

TimePoint HttpCaller::deadline() const {
  TimePoint first = kNever;
  for (const auto& call : calls_) {
    if (call->result) return TimePoint{};
    first = std::min(first, call->deadline);
    if (call->connector != nullptr) first = std::min(first, call->connector->deadline());
    if (call->client != nullptr) first = std::min(first, call->client->deadline());
  }
  return first;
}

void HttpCaller::handle(std::span<const pollfd> fds) {
  TOCSIN_ASSERT(fds.size() == polled());
  const std::size_t calls = calls_.size();
  // What an idle server has to say is that it closes.
  for (std::size_t i = idle_.size(); i-- > 0;) {
    if (fds[calls + i].revents != 0) idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  for (std::size_t i = 0; i < calls; ++i) step(*calls_[i], fds[i].revents);
  finish();
}

// Whoever is told may start others.
void HttpCaller::finish() {
  std::vector<std::unique_ptr<Call>> over;
  for (auto& call : calls_) {
    if (call->result) over.push_back(std::move(call));
  }
  std::erase(calls_, nullptr);
  for (const auto& call : over) {
    const bool kept = *call->result && call->client != nullptr && call->client->is_connected();
    if (kept && idle_.size() < limits_.at_once) idle_.push_back(std::move(call->client));
  }
  for (const auto& call : over) call->done(*std::move(call->result));
}

}  // namespace tocsin::net
