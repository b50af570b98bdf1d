#include "net/state/server_state.h"

#include <utility>
#include <variant>

#include "net/auth/access.h"
#include "net/state/stream_inquiry.h"

namespace tocsin::net {

core::TimeMs age_limit_ms(std::uint32_t seconds) {
  return seconds == 0 ? UINT64_MAX / 2 : std::uint64_t{seconds} * 1000;
}

core::TopicSettings topic_settings(const TopicOptions& options) {
  core::TopicSettings settings{.history_count = options.history_count,
                               .history_bytes = options.history_bytes,
                               .backlog_bytes = options.slow_bytes,
                               .slow_policy = options.slow_policy,
                               .max_event_bytes = options.max_event_bytes,
                               .auto_replay = options.auto_replay,
                               .data = {.base64 = options.base64, .envelope = options.envelope}};
  if (options.history_age_s) settings.history_age_ms = age_limit_ms(*options.history_age_s);
  return settings;
}

core::HubSettings hub_settings(const ServerOptions& options) {
  core::HubSettings settings;
  settings.history.count = options.history_count;
  settings.history.age_ms = age_limit_ms(options.history_age_s);
  settings.history.bytes = options.history_bytes;
  settings.backlog.bytes = options.slow_bytes;
  settings.backlog.age_ms = std::uint64_t{options.slow_seconds} * 1000;
  settings.slow_policy = options.slow_policy;
  settings.max_event_bytes = options.max_event_bytes;
  settings.total_bytes = options.history_total_bytes;
  settings.topic_idle_ms = std::uint64_t{options.topic_idle_s} * 1000;
  settings.max_topics = options.max_topics;
  settings.auto_topics = options.auto_topics;
  settings.ids_once = options.ids_once;
  settings.topics = options.topics;
  settings.envelope_topics = options.envelope_topics;
  for (const TopicNamespace& space : options.namespaces) {
    settings.namespaces.push_back({.name = space.name.empty() ? space.match : space.name,
                                   .match = space.match,
                                   .settings = topic_settings(space.options)});
  }
  return settings;
}

namespace {

// Who has an authenticator is asked what everybody may do, also where there are no rules.
std::shared_ptr<const Access> access_for(const Application& application,
                                         std::shared_ptr<const Access> access) {
  if (access != nullptr || !application.authenticate) return access;
  return std::make_shared<const Access>();
}

}  // namespace

ServerState::ServerState(proto::Epoch epoch, std::size_t shards, const ServerOptions& initial,
                         const core::HashKey& key, Application app,
                         std::shared_ptr<const Access> initial_access)
    : ServerState(std::make_unique<core::MemoryStore>(epoch), shards, initial, key, std::move(app),
                  std::move(initial_access)) {}

ServerState::ServerState(std::unique_ptr<core::Store> store, std::size_t shards,
                         const ServerOptions& initial, const core::HashKey& key, Application app,
                         std::shared_ptr<const Access> initial_access)
    : application(std::move(app)),
      admission(key),
      presence(key),
      hub(std::move(store), shards, hub_settings(initial), key),
      current_options_(std::make_shared<const ServerOptions>(initial)),
      current_access_(access_for(application, std::move(initial_access))) {
  for (std::size_t i = 0; i < shards; ++i) {
    metrics.push_back(std::make_unique<ShardMetrics>());
    mailboxes.push_back(std::make_unique<Mailbox>());
  }
}

void ServerState::post(Letter&& letter) {
  const core::ShardId shard = letter.ticket.shard;
  if (mailboxes[shard]->post(std::move(letter))) {
    hub.wake({shard});
    return;
  }
  const auto* inquiry = std::get_if<std::shared_ptr<StreamInquiry>>(&letter.value);
  if (inquiry != nullptr) (*inquiry)->add(shard, {});
}

void ServerState::set_options(const ServerOptions& options, std::shared_ptr<const Access> access) {
  access = access_for(application, std::move(access));
  {
    const MutexLock lock(options_mutex_);
    current_options_ = std::make_shared<const ServerOptions>(options);
    current_access_.swap(access);  // the old one ends behind the lock
  }
  // Some 0.2 ms with a hundred namespaces; publishers and shards have their turns in between.
  constexpr std::size_t kRenewedTopics = 256;
  core::HubSettings settings = hub_settings(options);
  if (settings.changes_data()) hub.set_data_forms();
  hub.with([&](core::Hub& shared) { shared.reconfigure(std::move(settings)); });
  while (hub.with([](core::Hub& shared) { return shared.renew_namespaces(kRenewedTopics); })) {
  }
  options_version.fetch_add(1);
}

void ServerState::set_access(std::shared_ptr<const Access> access) {
  access = access_for(application, std::move(access));
  {
    const MutexLock lock(options_mutex_);
    current_access_.swap(access);
  }
  options_version.fetch_add(1);
}

}  // namespace tocsin::net
