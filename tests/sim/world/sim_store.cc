#include "tests/sim/world/sim_store.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "proto/sse/wire_id.h"

namespace tocsin::sim {

using core::Place;
using core::StoreAnswer;
using Outcome = StoreAnswer::Outcome;

// --- the store

const SimStore::History& SimStore::history_of(proto::Epoch epoch) const {
  return epoch == journal_.epochs().current() ? history_ : lost_.at(epoch);
}

StoreAnswer SimStore::commit(std::span<const core::NewEvent> events,
                             const std::optional<core::PublishKey>& key) {
  std::uint64_t expected = 1;
  for (const Published& known : published_) {
    if (!key || known.key.name != key->name) continue;
    if (known.key.number == key->number) {
      if (known.key.content != key->content) return {.outcome = Outcome::differs};
      return {.outcome = Outcome::repeated, .place = known.place};
    }
    expected = known.key.number + 1;
  }
  if (key && key->number > 0 && key->number != expected) {
    return {.outcome = Outcome::hole, .expected = expected};
  }
  const Place place = journal_.next(events.size());
  journal_.follow(place);
  for (const core::NewEvent& event : events) {
    const proto::EventId own{.epoch = place.epoch, .sequence = history_.size() + 1};
    history_.push_back({.topic = std::string{event.topic},
                        .id = event.id.empty() ? proto::to_string(own) : proto::wire_id(event.id),
                        .given_id = std::string{event.id},
                        .body = std::string{event.body},
                        .received = event.received,
                        .batch = place});
  }
  if (key) published_.push_back({.key = *key, .place = place});
  return {.outcome = Outcome::committed, .place = place};
}

void SimStore::fork() {
  lost_[journal_.epochs().current()] = history_;
  for (std::uint64_t batches = random_.below(4); batches > 0 && !history_.empty(); --batches) {
    history_.resize(history_.back().batch.first - 1);
  }
  std::erase_if(published_, [this](const Published& known) {
    return known.place.last > history_.size();
  });
  journal_.fork(journal_.epochs().current() + 1, history_.size());
}

std::vector<core::NewEvent> SimStore::events_of(const Place& place) const {
  std::vector<core::NewEvent> events;
  for (Sequence s = place.first; s <= place.last; ++s) {
    const StoredEvent& event = history_[s - 1];
    events.push_back({.topic = event.topic,
                      .id = event.given_id,
                      .body = event.body,
                      .received = event.received});
  }
  return events;
}

// --- one hub's way to it

namespace {

// The hub is told of whole batches.
core::Journal beginning_of(const SimStore& store, Random& random, std::size_t keeps) {
  const Sequence newest = store.history().size();
  Sequence before = newest - std::min<Sequence>(newest, random.below(keeps + 1));
  if (before > 0) before = store.batch_of(before).last;
  return core::Journal(store.journal().epochs(), before);
}

}  // namespace

SimStoreLink::SimStoreLink(SimStore& store, Random& random, std::size_t keeps)
    : store_(store), random_(random), beginning_(beginning_of(store, random, keeps)) {}

void SimStoreLink::start(Client& client) {
  client_ = &client;
  for (Sequence told = beginning_.last(); told < store_.history().size();) {
    const Place place = store_.batch_of(told + 1);
    tell(place);
    told = place.last;
  }
}

void SimStoreLink::follow_fork(Sequence told) {
  while (told < store_.history().size()) {
    const Place place = store_.batch_of(told + 1);
    tell(place);
    told = place.last;
  }
  client_->forked(store_.journal().epochs().current());
}

StoreAnswer SimStoreLink::append(std::span<const core::NewEvent> events, core::Ticket ticket,
                                 const core::PublishKey* key) {
  if (random_.chance(5)) return {.outcome = Outcome::refused};
  appends_.push_back({.batch = core::Batch(events),
                      .ticket = ticket,
                      .key = key == nullptr ? std::nullopt : std::optional(*key)});
  return {.outcome = Outcome::pending};
}

void SimStoreLink::step(Sequence told) {
  switch (random_.below(3)) {
    case 0:
      return order_one();
    case 1:
      return answer_one();
    default:
      return bring(told);
  }
}

// Any of what it was given, and what it says then may be lost.
void SimStoreLink::order_one() {
  if (appends_.empty()) return;
  const auto it = std::next(appends_.begin(), static_cast<long>(random_.below(appends_.size())));
  const Append append = std::move(*it);
  appends_.erase(it);
  StoreAnswer answer{.outcome = Outcome::refused};
  if (random_.chance(85)) answer = store_.commit(append.batch.events(), append.key);
  // The engine's reply went lost between the two: it may have happened, or not.
  if (random_.chance(10)) answer = {.outcome = Outcome::unknown};
  const int times = random_.chance(15) ? static_cast<int>(random_.below(3)) : 1;
  replies_.push_back({.ticket = append.ticket, .answer = answer, .times = times});
}

void SimStoreLink::answer_one() {
  if (replies_.empty()) return;
  Reply& reply = random_.pick(replies_);
  if (--reply.times >= 0) client_->answered(reply.ticket, reply.answer);
  if (reply.times > 0) return;
  std::swap(reply, replies_.front());
  replies_.pop_front();
}

void SimStoreLink::tell(const Place& place) {
  const std::vector<core::NewEvent> events = store_.events_of(place);
  client_->committed(place, events, 0);
}

void SimStoreLink::bring(Sequence told) {
  const Sequence newest = store_.history().size();
  if (newest == 0) return;
  if (random_.chance(80)) {
    if (told < newest) tell(store_.batch_of(told + 1));
    return;
  }
  // Again, or before its turn; of a history that it is not; or across the end of what was told.
  const bool across = told < newest && random_.chance(20);
  Place place = store_.batch_of(across ? told + 1 : random_.between(1, newest));
  const std::vector<core::NewEvent> events = store_.events_of(place);
  if (across) {
    --place.first;
    --place.last;
  } else if (random_.chance(20)) {
    place.epoch += static_cast<proto::Epoch>(random_.between(1, 3));
  }
  client_->committed(place, events, 0);
}

// The oldest that it was given.
void SimStoreLink::commit_one() {
  const Append append = std::move(appends_.front());
  appends_.pop_front();
  replies_.push_back({.ticket = append.ticket,
                      .answer = store_.commit(append.batch.events(), append.key),
                      .times = 1});
}

bool SimStoreLink::calm_step(Sequence told) {
  if (!appends_.empty()) {
    commit_one();
  } else if (!replies_.empty()) {
    answer_one();
  } else if (told < store_.history().size()) {
    tell(store_.batch_of(told + 1));
  } else {
    return false;
  }
  return true;
}

void SimStoreLink::drop_oldest() {
  const Sequence newest = store_.history().size();
  if (floor_ < newest) floor_ = std::min(random_.between(floor_, newest), floor_ + 20);
}

std::optional<Sequence> SimStoreLink::read(Sequence after, Sequence until,
                                           const TakeEvent& take) {
  if (!calm_ && random_.chance(20)) return std::nullopt;
  const Sequence begins = std::max(after, floor_);
  std::uint64_t most = random_.between(1, 30);  // in one transaction
  for (Sequence s = begins + 1; s <= until && most > 0; ++s, --most) {
    const StoredEvent& event = store_.history()[s - 1];
    const core::NewEvent given{.topic = event.topic, .id = event.given_id, .body = event.body};
    if (!take({.epoch = event.batch.epoch, .sequence = s}, given)) break;
  }
  return std::min(begins, until);
}

void SimStoreLink::finish(Sequence told) {
  while (!appends_.empty()) order_one();
  while (!replies_.empty()) answer_one();
  while (told < store_.history().size()) {
    const Place place = store_.batch_of(told + 1);
    tell(place);
    told = place.last;
  }
}

}  // namespace tocsin::sim
