// Who is on the topics of namespaces that want it told (TopicNamespace::presence): which subjects
// have a stream there, on whatever shard. The first stream of a subject joins, the last one leaves;
// who does both between two looks was never there, nor gone.
//
// What has changed is taken some times a second by whoever publishes it (PresenceNews), on a topic
// of its own: kPresencePrefix and the topic's name.
//
// Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/keyed_hash.h"
#include "net/auth/access.h"
#include "net/base/mutex.h"

namespace tocsin::net {

inline constexpr std::string_view kPresenceEvent = "presence";

class Presence {
  struct Topic;
  struct Member {
    Topic* topic = nullptr;
    std::uint32_t streams = 0;
    bool told = false;     // others were told that it is there
    bool changed = false;  // in the topic's list of changes
  };
  using Members = std::map<std::string, Member, std::less<>>;

 public:
  explicit Presence(const core::HashKey& key) : topics_(0, Hash{key}) {}

  // Where a stream was counted, to be given back when it ends.
  using Places = std::vector<Members::iterator>;

  // A stream of the subject reads these topics, each once. Past limits::kMaxPresence subjects on
  // topics it is not counted where it would be one more.
  [[nodiscard]] Places join(const std::vector<std::string_view>& topics, std::string_view subject);
  void leave(const Places& places);

  // What has happened on a topic since it was last told: an event's data.
  struct News {
    std::string topic;  // "presence/…"
    // {"topic":…,"joined":[…],"left":[…],"subjects":n}, the last of those that are there now.
    std::string data;
  };
  // Of at most `most` topics. Of one with more than limits::kMaxPresenceNames changes the others
  // come with the next.
  [[nodiscard]] std::vector<News> take(std::size_t most);

  // Joins that were not counted as there was no room.
  [[nodiscard]] std::uint64_t uncounted() const;
  // Subjects on topics.
  [[nodiscard]] std::size_t size() const;

 private:
  struct Topic {
    std::string_view name;  // the key in topics_
    Members members;
    std::vector<Members::iterator> changes;
    std::size_t present = 0;  // members with streams
  };
  struct Hash {
    using is_transparent = void;
    core::HashKey key;
    std::size_t operator()(std::string_view name) const { return core::keyed_hash(name, key); }
  };
  using Topics = std::unordered_map<std::string, Topic, Hash, std::equal_to<>>;

  void note(Members::iterator member) TOCSIN_LOCKS(requires_capability(mutex_));
  [[nodiscard]] News tell(Topic& topic) TOCSIN_LOCKS(requires_capability(mutex_));

  mutable Mutex mutex_;
  Topics topics_ TOCSIN_LOCKS(guarded_by(mutex_));  // with members
  std::deque<Topic*> changed_ TOCSIN_LOCKS(guarded_by(mutex_));  // with changes, the oldest first
  std::size_t size_ TOCSIN_LOCKS(guarded_by(mutex_)) = 0;        // members of all
  std::uint64_t uncounted_ TOCSIN_LOCKS(guarded_by(mutex_)) = 0;
};

}  // namespace tocsin::net
