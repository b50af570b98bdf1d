// The program that runs the hub as its publisher, and as the one who makes and removes topics.
#include <algorithm>
#include <future>
#include <utility>
#include <vector>

#include "net/base/clock.h"
#include "net/server.h"
#include "net/shard/routed_streams.h"
#include "net/shard/shard.h"
#include "net/state/event_publisher.h"
#include "net/state/server_state.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

using Reason = PublishFailure::Reason;

core::TimeMs now_ms() {
  return SteadyClock{}.now_us() / 1000;
}

constexpr const char* kStreamEnded = "the stream has ended";

PublishFailure closed_failure(const char* message) {
  return {.reason = Reason::closed, .error = {.message = message}};
}

// The rules of POST /publish; the data of a base64 topic may be anything.
std::optional<proto::InputError> check(SharedHub& hub, proto::EventView event) {
  const bool any_bytes = hub.has_data_forms() && hub.with([&](const core::Hub& shared) {
    return shared.data_form(event.topic).base64;
  });
  if (any_bytes) {
    if (event.data.size() > limits::kMaxRequestBody / 2) {
      return proto::InputError{.field = "data", .message = "is too long", .too_large = true};
    }
    event.data = "base64";
  }
  return proto::check(event);
}

// Buffers between calls, as a shard has them for its publishers.
thread_local EventPublisher t_publisher;

PublishResult publish_once(ServerState& state, std::span<const proto::EventView> events) {
  if (state.phase.load() == Phase::stopping) {
    return std::unexpected(closed_failure("the hub has ended"));
  }
  return t_publisher.publish(state.hub, events, SteadyClock{}.now_us());
}

// What a receipt says besides what became of the batch.
struct Submitted {
  explicit Submitted(std::span<const proto::EventView> events)
      : size(events.size()), first_id(events.front().id), last_id(events.back().id) {}

  std::size_t size;
  std::string first_id;  // the publisher's own; empty: it named none
  std::string last_id;
};

// REQUIRES: it is not pending.
PublishOutcome receipt_of(ServerState& state, const Submitted& batch,
                          const PublishResult& published) {
  if (!published) return std::unexpected(published.error());
  TOCSIN_ASSERT(!published->pending());
  if (!published->repeated) state.events_published += batch.size;
  return PublishReceipt{
      .first_id = receipt_id(batch.first_id, {published->epoch, published->first}),
      .last_id = receipt_id(batch.last_id, {published->epoch, published->last})};
}

// Of a batch of this thread's publisher that nobody waits for, whatever is still to come.
PublishOutcome receipt_for_now(ServerState& state, const Submitted& batch,
                               const PublishResult& published) {
  if (!published || !published->pending()) return receipt_of(state, batch, published);
  state.hub.ask(published->ticket(), [&state, batch](PublishResult&& became) {
    (void)receipt_of(state, batch, became);  // it counts
  });
  return PublishReceipt{.first_id = {}, .last_id = {}, .pending = true};
}

// publish_once() has refused the batch as busy, or the store has it.
bool is_to_come(const PublishResult& published) {
  return published ? published->pending() : published.error().reason == Reason::busy;
}

// `done` is told what becomes of such a batch. With `memory`: see EventPublisher::wait.
void await(ServerState& state, RequestMemory* memory, const PublishResult& published,
           PublishDone done) {
  TOCSIN_ASSERT(is_to_come(published));
  if (published) {
    state.hub.ask(published->ticket(), std::move(done));
  } else if (!t_publisher.wait(state.hub, memory, std::move(done))) {
    done(PublishResult(published));
  }
}

// With their topics named, or why they cannot be published.
std::expected<std::vector<proto::EventView>, PublishFailure> checked(
    SharedHub& hub, std::span<const proto::EventView> events) {
  std::vector<proto::EventView> named(events.begin(), events.end());
  if (named.empty()) {
    return std::unexpected(PublishFailure{.error = {.field = "body", .message = "no events"}});
  }
  for (std::size_t i = 0; i < named.size(); ++i) {
    if (named[i].topic.empty()) named[i].topic = proto::kDefaultTopic;
    if (auto error = check(hub, named[i])) {
      if (named.size() > 1) error->line = i + 1;
      return std::unexpected(PublishFailure{.error = std::move(*error)});
    }
  }
  return named;
}

}  // namespace

PublishOutcome Server::publish(const proto::EventView& event) {
  return publish(std::span{&event, 1});
}

PublishOutcome Server::publish(std::span<const proto::EventView> events) {
  const auto named = checked(state_->hub, events);
  if (!named) return std::unexpected(named.error());
  const PublishResult result = publish_once(*state_, *named);
  if (!is_to_come(result) || Shard::runs_here()) {
    return receipt_for_now(*state_, Submitted(*named), result);
  }
  std::promise<PublishResult> promise;  // of who tells us, and may be done with it after us
  std::future<PublishResult> later = promise.get_future();
  await(*state_, nullptr, result, [p = std::move(promise)](PublishResult&& became) mutable {
    p.set_value(std::move(became));
  });
  return receipt_of(*state_, Submitted(*named), later.get());
}

void Server::publish(std::span<const proto::EventView> events,
                     std::move_only_function<void(PublishOutcome)> done) {
  const auto named = checked(state_->hub, events);
  if (!named) {
    done(std::unexpected(named.error()));
    return;
  }
  const PublishResult result = publish_once(*state_, *named);
  if (!is_to_come(result)) {
    done(receipt_of(*state_, Submitted(*named), result));
    return;
  }
  await(*state_, &state_->request_memory, result,
        [&state = *state_, batch = Submitted(*named),
         done = std::move(done)](PublishResult&& became) mutable {
          done(receipt_of(state, batch, became));
        });
}

PublishOutcome Server::try_publish(const proto::EventView& event) {
  return try_publish(std::span{&event, 1});
}

PublishOutcome Server::try_publish(std::span<const proto::EventView> events) {
  const auto named = checked(state_->hub, events);
  if (!named) return std::unexpected(named.error());
  return receipt_for_now(*state_, Submitted(*named), publish_once(*state_, *named));
}

// --- topics ---

bool Server::create_topic(std::string_view name, const TopicOptions& options) {
  if (!proto::is_topic_name(name)) return false;
  const core::TopicSettings settings = topic_settings(options);
  if (settings.data.changes_data()) state_->hub.set_data_forms();
  return state_->hub.with([&](core::Hub& hub) { return hub.create(name, settings, now_ms()); });
}

bool Server::remove_topic(std::string_view name) {
  if (!proto::is_topic_name(name)) return false;
  const auto wake = state_->hub.with([&](core::Hub& hub) { return hub.remove(name); });
  if (wake) state_->hub.wake(*wake);
  return wake.has_value();
}

bool Server::topic_exists(std::string_view name) {
  return proto::is_topic_name(name) &&
         state_->hub.with([&](const core::Hub& hub) { return hub.exists(name); });
}

// --- one stream ---

std::expected<void, PublishFailure> StreamWriter::publish(const proto::EventView& event) const {
  proto::EventView own = event;
  own.topic = proto::kDefaultTopic;  // checked as any event; then sent to the stream alone
  own.envelope = false;
  if (auto error = proto::check(own)) {
    return std::unexpected(PublishFailure{.error = std::move(*error)});
  }
  if (closed()) return std::unexpected(closed_failure(kStreamEnded));
  TOCSIN_ASSERT(core::Topic::is_direct_name(target_->topic));
  own.topic = target_->topic;
  const auto result = receipt_for_now(*target_->state, Submitted(std::span{&own, 1}),
                                      publish_once(*target_->state, {&own, 1}));
  if (result) return {};
  // The topic goes with the stream.
  const bool gone = result.error().reason == Reason::no_topic;
  return std::unexpected(gone ? closed_failure(kStreamEnded) : result.error());
}

void StreamWriter::close() const {
  if (target_->closed.exchange(true)) return;
  SharedHub& hub = target_->state->hub;
  const auto wake = hub.with([&](core::Hub& shared) { return shared.remove(target_->topic); });
  if (wake) hub.wake(*wake);
}

bool StreamWriter::closed() const {
  return target_->closed;
}

}  // namespace tocsin::net
