#include "net/state/topic_access.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/hub.h"
#include "proto/text/name_pattern.h"

namespace tocsin::net {

TopicAccess::TopicAccess(SharedHub& hub, const ServerOptions& options, AccessMember wanted)
    : hub_(hub),
      options_(options),
      wanted_(wanted),
      restricted_(std::ranges::any_of(options.namespaces, [wanted](const TopicNamespace& space) {
        return (space.*wanted).value_or(Access::open) != Access::open;
      })) {}

std::string TopicAccess::look(std::string_view topic) {
  const auto space = std::ranges::find_if(options_.namespaces, [topic](const TopicNamespace& one) {
    return proto::matches_name(one.match, topic);
  });
  const bool found = space != options_.namespaces.end();
  const Access access = found ? ((*space).*wanted_).value_or(Access::open) : Access::open;
  if (access == Access::open) {
    allowed_ = topic;
    return {};
  }
  hub_.with([topic](core::Hub& hub) { hub.count_refusal(topic); });
  const bool publishes = wanted_ == &TopicNamespace::publish;
  if (access == Access::nobody) {
    return fmt::format("topic {}: clients may not {}", topic,
                       publishes ? "publish here" : "read it");
  }
  return fmt::format("topic {}: {} takes a token, which this hub cannot check yet", topic,
                     publishes ? "publishing" : "reading");
}

}  // namespace tocsin::net
