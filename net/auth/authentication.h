// Who makes a request, from a program that has its own way to know: Application::authenticate.
#pragma once

#include <expected>
#include <memory>
#include <variant>

#include "net/application.h"
#include "net/auth/denial.h"
#include "net/auth/principal.h"

namespace tocsin::net {

// The principal, never null; or why it gets no answer. A principal of the kind `webhook` has its
// streams until it expires, whatever the configuration says later but TopicAccess::nobody; one of
// the kind `anonymous`, nobody who is known, has them as far as the configuration lets such read.
using Authenticated = std::expected<PrincipalPtr, Denial>;

// The same, given later, once, from any thread. A handle, as Later is: copies are for the same
// request, and may outlive the server. Until then the request waits, and nothing of its body is
// read. If the last copy goes and nothing was given, the request is answered 500.
//
// Threads: any.
class LaterAuthentication {
 public:
  // For the authenticator that was given the request, which then returns it, or a copy.
  explicit LaterAuthentication(const AuthenticationRequest& request);
  // Returns at once. False: it was given before, and this counts for nothing.
  bool give(Authenticated result) const;

 private:
  struct Promise;
  std::shared_ptr<Promise> promise_;
};

// What an authenticator says. Declined: as if there were none, so the hub looks for a credential
// that it knows itself, or where it has no authority everybody may do everything.
struct Authentication : std::variant<Authenticated, LaterAuthentication, Declined> {
  using variant::variant;
};

}  // namespace tocsin::net
