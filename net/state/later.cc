// Later: see net/application.h.
#include <atomic>
#include <memory>
#include <utility>

#include "net/application.h"
#include "net/state/server_state.h"

namespace tocsin::net {

// Shared by the copies of a Later; the last of them answers if nobody has.
struct Later::Promise {
  explicit Promise(const Deferral& deferral)
      : state(deferral.state.shared_from_this()), ticket(deferral.ticket) {}
  ~Promise() {
    if (!given) state->post({.ticket = ticket, .value = NoAnswer{}});
  }
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;

  const std::shared_ptr<ServerState> state;
  const RequestTicket ticket;
  std::atomic<bool> given{false};
};

Later::Later(const RouteRequest& request) : promise_(std::make_shared<Promise>(request.deferral)) {}

bool Later::answer(Response response) const {
  if (promise_->given.exchange(true)) return false;
  promise_->state->post({.ticket = promise_->ticket, .value = std::move(response)});
  return true;
}

}  // namespace tocsin::net
