// What holds for a topic: its own settings before its namespace's, and these before the hub's. And
// how the settings change.
#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/hub.h"
#include "proto/assert.h"
#include "proto/text/name_pattern.h"

namespace tocsin::core {

template <typename Value>
Value Hub::setting(const Topic& topic, std::optional<Value> TopicSettings::* one,
                   Value hubs) const {
  if (topic.settings && (*topic.settings.*one)) return *(*topic.settings.*one);
  return (namespaces_.settings(topic.space).*one).value_or(hubs);
}

HistoryLimits Hub::history_of(const Topic& topic) const {
  if (topic.is_direct()) return {.count = 0, .age_ms = 0, .bytes = 0};
  return {.count = setting(topic, &TopicSettings::history_count, settings_.history.count),
          .age_ms = setting(topic, &TopicSettings::history_age_ms, settings_.history.age_ms),
          .bytes = setting(topic, &TopicSettings::history_bytes, settings_.history.bytes)};
}

BacklogLimits Hub::backlog_of(const Topic& topic) const {
  return {.bytes = setting(topic, &TopicSettings::backlog_bytes, settings_.backlog.bytes),
          .age_ms = settings_.backlog.age_ms};
}

SlowPolicy Hub::slow_policy_of(const Topic& topic) const {
  return setting(topic, &TopicSettings::slow_policy, settings_.slow_policy);
}

bool Hub::replays_itself(const Topic& topic) const {
  return (topic.settings && topic.settings->auto_replay) ||
         namespaces_.settings(topic.space).auto_replay;
}

// Itself, or its namespace: readers go back no further than that says, whatever the store keeps.
bool Hub::bounds_history(const Topic& topic) const {
  const auto bounds = [](const TopicSettings& settings) {
    return settings.history_count || settings.history_age_ms || settings.history_bytes;
  };
  return (topic.settings && bounds(*topic.settings)) || bounds(namespaces_.settings(topic.space));
}

// --- by name, as the topic may not be there yet

// A direct topic has no name that means anything to anybody.
NamespaceId Hub::namespace_of(std::string_view name) const {
  return Topic::is_direct_name(name) ? namespaces_.other() : namespaces_.find(name);
}

void Hub::set_namespace(Topic& topic) {
  const NamespaceId space = namespace_of(topic.name);
  namespaces_.move_readers(topic.space, space, topic.readers);
  topic.space = space;
}

NamespaceCounts& Hub::counts_of(std::string_view name) {
  const Topic* topic = topics_.find(name);
  return namespaces_.counts(topic != nullptr ? topic->space : namespace_of(name));
}

DataForm Hub::data_form(std::string_view name) const {
  const Topic* topic = topics_.find(name);
  DataForm form =
      namespaces_.settings(topic != nullptr ? topic->space : namespace_of(name)).data;
  if (topic != nullptr && topic->settings) {
    form.base64 = form.base64 || topic->settings->data.base64;
    form.envelope = form.envelope || topic->settings->data.envelope;
  }
  if (Topic::is_direct_name(name)) return form;
  const auto listed = [name](const std::string& one) { return proto::matches_name(one, name); };
  form.envelope = form.envelope || std::ranges::any_of(settings_.envelope_topics, listed);
  return form;
}

std::size_t Hub::max_event_bytes(std::string_view name) const {
  if (const Topic* topic = topics_.find(name)) {
    return setting(*topic, &TopicSettings::max_event_bytes, settings_.max_event_bytes);
  }
  const TopicSettings& settings = namespaces_.settings(namespace_of(name));
  return settings.max_event_bytes.value_or(settings_.max_event_bytes);
}

// --- changes

void Hub::reconfigure(HubSettings settings) {
  const bool others = settings.namespaces != settings_.namespaces;
  settings_ = std::move(settings);
  if (others) {
    while (renew_namespaces(order_.size())) {}  // of the change before
    namespaces_.replace(settings_.namespaces);
    renew_next_ = order_.size();
    for (const auto& [pointer, topic] : removed_) set_namespace(*topic);
  }
  adopt_settings();
}

void Hub::adopt_settings() {
  const auto bound_events = [this](std::size_t bytes) {
    least_event_bound_ = std::min(least_event_bound_, bytes);
  };
  bound_events(settings_.max_event_bytes);
  for (const Namespace& space : settings_.namespaces) {
    bound_events(space.settings.max_event_bytes.value_or(SIZE_MAX));
  }
  pages_.limit_pinned(settings_.total_bytes / limits::kPinnedShare);
  for (const std::string& name : settings_.topics) make(name, 0).declared = true;
}

// From the end: a topic that is made meanwhile stands behind all others, and where one goes the
// last one takes its place, which has its number then or is met again.
bool Hub::renew_namespaces(std::size_t most) {
  if (!namespaces_.has_old()) return false;
  renew_next_ = std::min(renew_next_, order_.size());
  for (; most > 0 && renew_next_ > 0; --most) {
    set_namespace(*order_[--renew_next_]);
  }
  if (renew_next_ > 0) return true;
  namespaces_.forget_old();
  return false;
}

}  // namespace tocsin::core
