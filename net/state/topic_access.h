// Who may publish to a topic, or read it, by a request: the first namespace that matches it says so
// (ServerOptions::namespaces). The program that runs the hub may always, and so may its routes.
//
// The hub knows no token yet, so where one is asked for nobody is let in.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "net/server_options.h"
#include "net/state/shared_hub.h"

namespace tocsin::net {

// What somebody wants: &TopicNamespace::publish or &TopicNamespace::subscribe.
using AccessMember = std::optional<Access> TopicNamespace::*;

// For one request, which may name many topics. Threads: one.
class TopicAccess {
 public:
  // All outlive it.
  TopicAccess(SharedHub& hub, const ServerOptions& options, AccessMember wanted);

  // Why a client may not, in words for it; empty: it may. A refusal is counted at the namespace.
  [[nodiscard]] std::string fault(std::string_view topic) {
    if (!restricted_ || topic == allowed_) return {};
    return look(topic);
  }

 private:
  [[nodiscard]] std::string look(std::string_view topic);

  SharedHub& hub_;
  const ServerOptions& options_;
  const AccessMember wanted_;
  const bool restricted_;     // some topics are not open: else there is nothing to look up
  std::string_view allowed_;  // the last that was: most batches are of one topic
};

}  // namespace tocsin::net
