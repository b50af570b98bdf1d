#include "net/state/presence.h"

#include <algorithm>
#include <utility>

#include "proto/assert.h"
#include "proto/json/json_text.h"
#include "proto/limits.h"

namespace tocsin::net {

Presence::Places Presence::join(const std::vector<std::string_view>& topics,
                                std::string_view subject) {
  TOCSIN_ASSERT(!subject.empty());
  Places places;
  const MutexLock lock(mutex_);
  for (const std::string_view name : topics) {
    auto topic = topics_.find(name);
    const bool known = topic != topics_.end() && topic->second.members.contains(subject);
    if (!known && size_ == limits::kMaxPresence) {
      ++uncounted_;
      continue;
    }
    if (topic == topics_.end()) {
      topic = topics_.emplace(name, Topic{}).first;
      topic->second.name = topic->first;
    }
    const auto [member, fresh] = topic->second.members.try_emplace(std::string(subject));
    size_ += fresh ? 1 : 0;
    TOCSIN_ASSERT(fresh == (member->second.topic == nullptr));
    member->second.topic = &topic->second;
    if (++member->second.streams == 1) {
      ++topic->second.present;
      note(member);
    }
    places.push_back(member);
  }
  return places;
}

void Presence::leave(const Places& places) {
  const MutexLock lock(mutex_);
  for (const Members::iterator member : places) {
    TOCSIN_ASSERT(member->second.streams > 0);
    if (--member->second.streams > 0) continue;
    TOCSIN_ASSERT(member->second.topic->present > 0);
    --member->second.topic->present;
    note(member);
  }
}

// Somebody has come, or has gone.
void Presence::note(Members::iterator member) {
  if (std::exchange(member->second.changed, true)) return;
  Topic& topic = *member->second.topic;
  if (topic.changes.empty()) changed_.push_back(&topic);
  topic.changes.push_back(member);
}

std::vector<Presence::News> Presence::take(std::size_t most) {
  std::vector<News> news;
  const MutexLock lock(mutex_);
  for (std::size_t left = std::min(most, changed_.size()); left > 0; --left) {
    Topic& topic = *changed_.front();
    changed_.pop_front();
    TOCSIN_ASSERT(!topic.changes.empty());
    News one = tell(topic);
    if (!one.data.empty()) news.push_back(std::move(one));
    if (!topic.changes.empty()) {
      changed_.push_back(&topic);
    } else if (topic.members.empty()) {
      topics_.erase(topics_.find(topic.name));
    }
  }
  return news;
}

// Without data: nothing came of it.
Presence::News Presence::tell(Topic& topic) {
  std::string joined;
  std::string left;
  const auto say = [](std::string& list, std::string_view subject) {
    if (!list.empty()) list += ',';
    proto::append_json_string(list, subject);
  };
  bool any = false;
  for (std::size_t n = 0; !topic.changes.empty() && n < limits::kMaxPresenceNames; ++n) {
    const Members::iterator member = topic.changes.back();
    topic.changes.pop_back();
    TOCSIN_ASSERT(member->second.changed && size_ > 0);
    member->second.changed = false;
    const bool is_there = member->second.streams > 0;
    if (is_there != member->second.told) {
      say(is_there ? joined : left, member->first);
      member->second.told = is_there;
      any = true;
    }
    if (is_there) continue;
    topic.members.erase(member);
    --size_;
  }
  if (!any) return {};
  News news{.topic = std::string(kPresencePrefix).append(topic.name), .data = "{\"topic\":"};
  proto::append_json_string(news.data, topic.name);
  news.data += ",\"joined\":[" + joined + "],\"left\":[" + left + "],\"subjects\":" +
               std::to_string(topic.present) + '}';
  return news;
}

std::uint64_t Presence::uncounted() const {
  const MutexLock lock(mutex_);
  return uncounted_;
}

std::size_t Presence::size() const {
  const MutexLock lock(mutex_);
  return size_;
}

}  // namespace tocsin::net
