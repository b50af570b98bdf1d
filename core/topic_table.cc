#include "core/topic_table.h"

#include <algorithm>
#include <utility>

#include "proto/assert.h"

namespace tocsin::core {

std::size_t TopicTable::Part::find(std::size_t hash, std::string_view name) const {
  std::size_t at = hash & mask();
  for (; places_[at].topic != nullptr; at = (at + 1) & mask()) {
    if (places_[at].hash == hash && places_[at].topic->name == name) break;
  }
  return at;
}

void TopicTable::Part::place(Place&& moved) {
  std::size_t at = moved.hash & mask();
  while (places_[at].topic != nullptr) at = (at + 1) & mask();
  places_[at] = std::move(moved);
}

void TopicTable::Part::grow() {
  std::vector<Place> old(places_.empty() ? 4 : 2 * places_.size());
  old.swap(places_);
  for (Place& taken : old) {
    if (taken.topic != nullptr) place(std::move(taken));
  }
}

Topic& TopicTable::Part::insert(std::size_t hash, std::unique_ptr<Topic> topic) {
  if (4 * (size_ + 1) > 3 * places_.size()) grow();
  Topic& inserted = *topic;
  place({.hash = hash, .topic = std::move(topic)});
  ++size_;
  return inserted;
}

// What follows moves up, if it is behind where its search begins: no search ends too early, and
// nothing is left that would make others longer.
std::unique_ptr<Topic> TopicTable::Part::extract(std::size_t at) {
  std::unique_ptr<Topic> taken = std::move(places_[at].topic);
  --size_;
  for (std::size_t next = (at + 1) & mask(); places_[next].topic != nullptr;
       next = (next + 1) & mask()) {
    const std::size_t from_begin = (next - places_[next].hash) & mask();
    if (from_begin < ((next - at) & mask())) continue;
    places_[at] = std::move(places_[next]);
    at = next;
  }
  return taken;
}

Topic* TopicTable::find(std::string_view name) const {
  const std::size_t hashed = hash(name);
  const Part& part = parts_[part_of(hashed)];
  return part.empty() ? nullptr : part.at(part.find(hashed, name));
}

Topic& TopicTable::insert(std::unique_ptr<Topic> topic) {
  TOCSIN_DEBUG_ASSERT(find(topic->name) == nullptr);
  const std::size_t hashed = hash(topic->name);
  return parts_[part_of(hashed)].insert(hashed, std::move(topic));
}

std::size_t TopicTable::largest_part() const {
  return std::ranges::max_element(parts_, {}, &Part::size)->size();
}

std::unique_ptr<Topic> TopicTable::extract(const Topic& topic) {
  const std::size_t hashed = hash(topic.name);
  Part& part = parts_[part_of(hashed)];
  TOCSIN_ASSERT(!part.empty());
  const std::size_t at = part.find(hashed, topic.name);
  TOCSIN_ASSERT(part.at(at) == &topic);
  return part.extract(at);
}

}  // namespace tocsin::core
