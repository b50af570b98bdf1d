#include "core/topic_table.h"

#include <algorithm>
#include <utility>

#include "proto/assert.h"

namespace tocsin::core {

Topic* TopicTable::find(std::string_view name) const {
  const Name wanted = named(name);
  const Part& part = parts_[part_of(wanted.hash)];
  const auto it = part.find(wanted);
  return it == part.end() ? nullptr : it->topic.get();
}

Topic& TopicTable::insert(std::unique_ptr<Topic> topic) {
  const Name name = named(topic->name);
  Part& part = parts_[part_of(name.hash)];
  TOCSIN_DEBUG_ASSERT(!part.contains(name));
  const auto [it, inserted] = part.insert({name.hash, std::move(topic)});
  TOCSIN_ASSERT(inserted);
  return *it->topic;
}

std::size_t TopicTable::largest_part() const {
  return std::ranges::max_element(parts_, {}, &Part::size)->size();
}

std::unique_ptr<Topic> TopicTable::extract(const Topic& topic) {
  const Name name = named(topic.name);
  Part& part = parts_[part_of(name.hash)];
  const auto it = part.find(name);
  TOCSIN_ASSERT(it != part.end());
  return std::move(part.extract(it).value().topic);
}

}  // namespace tocsin::core
