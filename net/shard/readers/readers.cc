#include "net/shard/readers/readers.h"

#include <algorithm>
#include <utility>

#include "proto/assert.h"

namespace tocsin::net {

static_assert(Principal::kMaxSubject <= NameStore::kMaxName);

void Readers::note(std::uint32_t slot, const Outcome& wanted, const IpAddress& client) {
  if (shard_.access == nullptr) return;
  if (slot >= readers_.size()) readers_.resize(shard_.table.size());
  TOCSIN_ASSERT(find(slot) == nullptr);
  Reader& reader = readers_[slot];
  reader = Reader(right_of(wanted));
  reader.begin(shard_.now_s());
  const bool named = wanted.principal != nullptr && !wanted.principal->subject.empty();
  reader.subject = named ? names_.add(wanted.principal->subject) : NameStore::kNone;
  if (client.is_known()) {
    if (slot >= clients_.size()) clients_.resize(shard_.table.size());
    clients_[slot] = client;
  }
  if (named) join_presence(slot, wanted);
}

void Readers::join_presence(std::uint32_t slot, const Outcome& wanted) {
  if (shard_.options->namespaces.empty()) return;
  std::vector<std::string_view> told;
  for (const std::string& topic : wanted.topics) {
    const bool repeated = std::ranges::find(told, topic) != told.end();
    if (!repeated && has_presence(*shard_.options, topic)) told.push_back(topic);
  }
  if (told.empty()) return;
  Presence::Places places = shard_.state.presence.join(told, wanted.principal->subject);
  if (!places.empty()) present_.emplace(slot, std::move(places));
}

void Readers::leave_presence(std::uint32_t slot) {
  if (present_.empty()) return;
  if (const auto places = present_.extract(slot)) shard_.state.presence.leave(places.mapped());
}

void Readers::forget(std::uint32_t slot) {
  const Reader* reader = find(slot);
  if (reader == nullptr) return;
  if (reader->subject != NameStore::kNone) names_.remove(reader->subject);
  readers_[slot] = Reader();
  if (slot < clients_.size()) clients_[slot] = IpAddress();
  leave_presence(slot);
}

void Readers::forget_all() {
  for (const auto& [slot, places] : present_) shard_.state.presence.leave(places);
  present_.clear();
  std::deque<Reader>().swap(readers_);
  std::deque<IpAddress>().swap(clients_);
  names_ = NameStore();
}

std::string_view Readers::subject(std::uint32_t slot) const {
  const Reader* reader = find(slot);
  if (reader == nullptr || reader->subject == NameStore::kNone) return {};
  return names_[reader->subject];
}

std::optional<std::uint32_t> Readers::age_s(std::uint32_t slot) const {
  const Reader* reader = find(slot);
  if (reader == nullptr) return std::nullopt;
  return reader->age_s(shard_.now_s());
}

StreamRight Readers::right_of(const Outcome& wanted) {
  if (wanted.route) return StreamRight::of_route(wanted.principal.get(), wanted.place);
  if (wanted.principal == nullptr) return {};
  const std::vector<std::string_view> topics(wanted.topics.begin(), wanted.topics.end());
  return {*wanted.principal, wanted.place, topics};
}

bool Readers::has_right(std::uint32_t slot, const Stream& stream) {
  std::vector<std::string_view> topics;
  for (const core::TopicCursor& at : shard_.topics.cursors(stream)) {
    if (!at.topic->is_direct()) topics.push_back(at.topic->name);
  }
  StreamRight right;
  if (const Reader* reader = find(slot)) right = *reader;
  return right.holds(shard_.access.get(), *shard_.options, topics);
}

}  // namespace tocsin::net
