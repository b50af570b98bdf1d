// Later: see net/application.h. LaterAuthentication: see net/auth/authentication.h.
#include <atomic>
#include <memory>
#include <utility>

#include "net/application.h"
#include "net/auth/authentication.h"
#include "net/state/server_state.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

// Shared by the copies of a handle; the last of them says `Nothing` if nobody has said more.
template <typename Nothing>
struct Answering {
  explicit Answering(const Deferral& deferral)
      : state(deferral.state.shared_from_this()), ticket(deferral.ticket) {}
  ~Answering() {
    if (!given) state->post({.ticket = ticket, .value = Nothing{}});
  }
  Answering(const Answering&) = delete;
  Answering& operator=(const Answering&) = delete;

  // False: somebody has answered before.
  template <typename Value>
  bool answer(Value&& value) {
    if (given.exchange(true)) return false;
    state->post({.ticket = ticket, .value = std::forward<Value>(value)});
    return true;
  }

  const std::shared_ptr<ServerState> state;
  const RequestTicket ticket;
  std::atomic<bool> given{false};
};

}  // namespace

struct Later::Promise : Answering<NoAnswer> {
  using Answering::Answering;
};

Later::Later(const RouteRequest& request) : promise_(std::make_shared<Promise>(request.deferral)) {}

bool Later::answer(Response response) const {
  return promise_->answer(std::move(response));
}

struct LaterAuthentication::Promise : Answering<NoAuthentication> {
  using Answering::Answering;
};

LaterAuthentication::LaterAuthentication(const AuthenticationRequest& request)
    : promise_(std::make_shared<Promise>(request.deferral)) {}

bool LaterAuthentication::give(Authenticated result) const {
  TOCSIN_ASSERT(!result || *result != nullptr);
  return promise_->answer(std::move(result));
}

}  // namespace tocsin::net
