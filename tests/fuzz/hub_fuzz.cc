// The hub against a naive model (hub_model.h): the input is read as operations of publishers,
// subscribers and shards, and after each of them hub and model must agree.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/hub.h"
#include "proto/sse/wire_id.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/hub_model.h"

namespace tocsin::fuzz {
namespace {

using core::Collected;
using core::HubSettings;
using core::NewEvent;
using core::Piece;
using core::PublishError;
using core::ReadStatus;
using core::Resume;
using core::ShardSet;
using core::Topic;

constexpr std::size_t kMaxEvents = 300;  // the model is quadratic
constexpr std::size_t kMaxReaders = 12;
constexpr std::string_view kOutsideAscii = "\xC3\xA9 50%";  // an id

class HubMachine {
 public:
  HubMachine(const std::uint8_t* data, std::size_t size)
      : in_(data, size), hub_(kEpoch, kShards, next_settings(below(4) != 0)) {}

  void run() {
    while (!in_.rest().empty() && model_.newest() < kMaxEvents) {
      step();
      model_.check(hub_, readers_);
    }
    finish();
  }

 private:
  // Chooses all but whether topics are made by use.
  const HubSettings& next_settings(bool auto_topics) {
    HubSettings result;
    result.history = {.count = pick<std::size_t>({0, 1, 3, 10, kEndless}),
                      .age_ms = pick<TimeMs>({0, 10, 1000, kEndless}),
                      .bytes = pick<std::size_t>({0, 100, 2000, kEndless})};
    result.backlog = {.bytes = pick<std::size_t>({0, 1000, kEndless}),
                      .age_ms = pick<TimeMs>({0, 100, kEndless})};
    result.total_bytes = pick<std::size_t>({kEndless, kEndless, 0, 1500, 100'000});
    result.topic_idle_ms = pick<TimeMs>({0, 50, 10'000, kEndless});
    result.auto_topics = auto_topics;
    for (std::size_t i = 0; i < kDeclared && !result.auto_topics; ++i) {
      result.topics.emplace_back(kNames[i]);
    }
    model_.capped = model_.capped || result.total_bytes != kEndless;
    model_.settings = std::move(result);
    return model_.settings;
  }

  void step() {
    switch (below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return publish();
      case 4:
      case 5:
        return subscribe();
      case 6:
      case 7:
      case 8:
        return read();
      case 9:
        return collect(static_cast<ShardId>(below(kShards)));
      case 10:
        return swept(static_cast<ShardId>(below(kShards)));
      case 11:
        return leave();
      case 12:
        model_.now += pick<TimeMs>({0, 1, 9, 10, 11, 100, 101, 5000});
        return;
      case 13:
        return maintain();
      case 14:
        return skip();
      default:
        if (below(4) == 0) hub_.reconfigure(next_settings(model_.settings.auto_topics));
    }
  }

  // --- publishing

  void publish() {
    const std::size_t count = pick<std::size_t>({1, 1, 1, 2, 5, 40});
    std::vector<std::string> bodies(count);
    std::vector<std::string> ids(count);
    std::vector<NewEvent> batch;
    std::vector<std::size_t> topics;
    std::optional<PublishError> error;
    for (std::size_t i = 0; i < count; ++i) {
      topics.push_back(below(kTopics));
      const std::size_t kind = below(32);
      if (kind < 8) ids[i] = publishers_id(kind);
      if (kind == 8) ids[i] = "unique " + std::to_string(model_.newest() + i);
      if (kind == 9) ids[i] = proto::to_string({kEpoch + 1, in_.take_byte()});
      const bool reserved = kind == 10 && count > 1;
      if (reserved) ids[i] = below(2) == 0 ? "earliest" : proto::to_string({kEpoch, 1});
      std::size_t size = pick<std::size_t>({0, 1, 20, 60, 200, 480, 2000});
      if (kind == 11 && count == 1) size = 70'000;
      bodies[i] = "data: " + std::string(size, static_cast<char>('a' + i % 26)) + "\n";
      batch.push_back({.topic = kNames[topics[i]], .id = ids[i], .body = bodies[i]});
      if (error) continue;
      if (reserved)
        error = PublishError::reserved_id;
      else if (!model_.settings.auto_topics && topics[i] >= kDeclared)
        error = PublishError::unknown_topic;
    }
    if (hub_.overloaded()) error = PublishError::busy;
    ShardSet had_news;
    for (ShardId s = 0; s < kShards; ++s) {
      if (hub_.has_news(s)) had_news.add(s);
    }
    const auto result = hub_.publish(batch, model_.now);
    require(result.has_value() == !error, "publish refuses what it must");
    if (!result) return require(result.error() == *error, "publish says why it refuses");
    require(result->first == model_.newest() + 1, "the first sequence of a batch");
    ShardSet expected_wake;
    for (std::size_t i = 0; i < count; ++i) {
      const Sequence sequence = model_.newest() + 1;
      if (ids[i].empty()) ids[i] = proto::to_string({kEpoch, sequence});
      model_.events.push_back({.topic = topics[i],
                               .id = proto::wire_id(ids[i]),
                               .frame = bodies[i] + "id: " + proto::wire_id(ids[i]) + "\n\n",
                               .time = model_.now});
      model_.bytes += proto::chunk_size(model_.events.back().frame.size());
      for (ShardId s = 0; s < kShards; ++s) {
        if (model_.pointer(s, topics[i]) == nullptr) continue;
        expected_wake.add(s);
        model_.news[s].push_back(sequence);
      }
    }
    require(result->last == model_.newest(), "the last sequence of a batch");
    require(result->wake == expected_wake - had_news, "who has to be woken");
  }

  // --- a shard's work

  void collect(ShardId shard) {
    if (model_.sweeping[shard]) return;
    Collected got;
    hub_.collect(shard, got);
    model_.sweeping[shard] = true;
    model_.collected[shard] = std::move(model_.news[shard]);
    model_.news[shard].clear();
    std::set<Topic*> expected;
    for (const Sequence s : model_.collected[shard])
      expected.insert(model_.pointer(shard, model_.event(s).topic));
    // More than expected: topics that the shard left and came back to since.
    const std::set<Topic*> named(got.topics.begin(), got.topics.end());
    require(std::includes(named.begin(), named.end(), expected.begin(), expected.end()),
            "topics with news");
    require(got.topics.size() == named.size(), "each topic with news once");
    for (const Topic* topic : named) {
      require(topic->subscribers.has(shard), "a shard is given only what it reads");
    }
    require(got.cut == model_.newest(), "the cut of a collection");
    require(!hub_.has_news(shard), "a collection takes all news");
  }

  void swept(ShardId shard) {
    hub_.swept(shard);
    model_.sweeping[shard] = false;
    model_.collected[shard].clear();
  }

  void maintain() {
    hub_.maintain(model_.now);
    const bool idle =
        std::none_of(model_.sweeping.begin(), model_.sweeping.end(), [](bool b) { return b; });
    bool news = false;
    for (ShardId s = 0; s < kShards; ++s) news |= hub_.has_news(s);
    if (!idle || news) return;
    require(hub_.unswept_bytes() == 0, "nothing is unswept");
    require(hub_.log_bytes() <= model_.settings.total_bytes, "the cap holds once all is swept");
  }

  // --- readers

  void subscribe() {
    if (readers_.size() == kMaxReaders) return;
    ModelReader reader{.shard = static_cast<ShardId>(below(kShards)), .at = {}, .topics = {}};
    std::vector<std::string_view> names;
    bool exists = true;
    for (std::size_t n = pick<std::size_t>({1, 1, 2, 3, 6}); n > 0; --n) {
      const std::size_t topic = below(kTopics);
      names.push_back(kNames[topic]);
      exists = exists && (model_.settings.auto_topics || topic < kDeclared);
      if (std::count(reader.topics.begin(), reader.topics.end(), topic) == 0) {
        reader.topics.push_back(topic);
      }
    }
    Resume resume{.kind = pick({Resume::Kind::live, Resume::Kind::earliest, Resume::Kind::after_id,
                                Resume::Kind::after_id})};
    std::vector<std::string> ids;
    if (resume.kind == Resume::Kind::after_id) {
      for (std::size_t n = pick<std::size_t>({1, 1, 2, 3}); n > 0; --n) ids.push_back(some_id());
    }
    const std::vector<std::string_view> views(ids.begin(), ids.end());
    resume.ids = views;
    auto at = hub_.subscribe(names, resume, reader.shard, model_.now);
    require(at.has_value() == exists, "a subscriber needs its topics to exist");
    if (!at) return;
    reader.at = std::move(*at);
    require(reader.at.topics.size() == reader.topics.size(), "topics without repetitions");
    for (std::size_t i = 0; i < reader.topics.size(); ++i) {
      Topic* topic = reader.at.topics[i].topic;
      require(topic->name == kNames[reader.topics[i]], "topics in the order asked for");
      auto& [known, readers] = model_.uses[{reader.shard, reader.topics[i]}];
      require(readers == 0 || known == topic, "topic pointers are stable");
      known = topic;
      ++readers;
    }
    model_.check_begin(reader, resume);
    readers_.push_back(std::move(reader));
  }

  static std::string publishers_id(std::size_t n) {
    return n == 7 ? std::string{kOutsideAscii} : "p" + std::to_string(n);
  }

  std::string some_id() {
    switch (below(8)) {
      case 0:
        return publishers_id(below(8));
      case 1:
        return "nonsense";
      case 2:
        return proto::to_string({kEpoch + 1, in_.take_byte()});
      case 3:
        return proto::to_string({kEpoch, model_.newest() + 1 + in_.take_byte()});
      case 4:
        return model_.events.empty() ? "" : model_.events[some_index()].id;
      default:
        return proto::to_string({kEpoch, model_.events.empty() ? 0 : some_index()});
    }
  }
  std::size_t some_index() { return (in_.take_byte() * 256 + in_.take_byte()) % model_.newest(); }

  void read() {
    if (readers_.empty()) return;
    ModelReader& reader = readers_[below(readers_.size())];
    const std::size_t max_bytes = pick<std::size_t>({0, 50, 300, 3000, kEndless / 2});
    const std::size_t max_pieces = pick<std::size_t>({1, 2, 5, 1000});
    std::vector<Piece> pieces;
    const auto status =
        hub_.read(reader.at.topics, reader.at.cursor, max_bytes, max_pieces, pieces);
    const std::vector<Sequence> expected = model_.owed(reader);
    if (status == ReadStatus::gap) {
      require(pieces.empty() && model_.any_gone(reader, expected), "a gap is true");
      return;
    }
    require(!model_.any_gone(reader, expected), "a gap is told");
    std::size_t n = 0;
    std::size_t bytes = 0;
    for (const Piece& piece : pieces) {
      bytes += piece.bytes().size();
      require(piece.first < piece.last, "no piece is empty");
      for (std::uint32_t i = piece.first; i < piece.last; ++i, ++n) {
        const Sequence sequence = piece.page->sequence_of(i);
        require(n < expected.size() && sequence == expected[n], "all events once and in order");
        check_frame(model_.event(sequence), piece, i);
      }
    }
    require(pieces.size() <= max_pieces && (bytes <= max_bytes || n == 1),
            "read keeps to its limits");
    require((n == 0) == expected.empty(), "read makes progress");
    require(status == (n == 0                 ? ReadStatus::end
                       : n == expected.size() ? ReadStatus::last
                                              : ReadStatus::more),
            "read says what is left");
    if (n > 0) reader.at.cursor = pieces.back().last_sequence();
  }

  static void check_frame(PublishedEvent& event, const Piece& piece, std::uint32_t i) {
    const std::string_view frame = piece.page->frame(i);
    const char* address = frame.data();
    require(frame == event.frame, "the bytes");
    require(event.address == nullptr || event.address == address, "one address for all readers");
    event.address = address;
  }

  void skip() {
    if (readers_.empty()) return;
    ModelReader& reader = readers_[below(readers_.size())];
    const std::vector<Sequence> before = model_.owed(reader);
    const Sequence cursor = reader.at.cursor;
    std::vector<Sequence> expected;
    if (below(2) == 0) {
      for (const Sequence s : before) {
        const bool newest = std::none_of(before.begin(), before.end(), [&](Sequence other) {
          return other > s && model_.event(other).topic == model_.event(s).topic;
        });
        if (newest && !model_.is_gone(reader, s)) expected.push_back(s);
      }
      reader.at.cursor = hub_.skip_to_latest(reader.at.topics, cursor).value_or(cursor);
    } else {
      std::set<std::size_t> gapped;
      for (const Sequence s : before) {
        const std::size_t i = *reader.place(model_.event(s).topic);
        if (s <= reader.dropped(i)) gapped.insert(i);
        if (!gapped.contains(i) || s > model_.floor(reader, i)) expected.push_back(s);
      }
      reader.at.cursor = hub_.skip_gap(reader.at.topics, cursor, model_.now);
    }
    require(reader.at.cursor >= cursor && reader.at.cursor <= model_.newest(),
            "a skip goes forward");
    require(model_.owed(reader) == expected && !model_.any_gone(reader, expected),
            "a skip leaves what it should");
  }

  void leave() {
    if (readers_.empty()) return;
    const std::size_t n = below(readers_.size());
    const ModelReader reader = std::move(readers_[n]);
    readers_.erase(readers_.begin() + static_cast<std::ptrdiff_t>(n));
    hub_.drop_reader(reader.at.topics);
    for (const std::size_t topic : reader.topics) {
      auto& [known, readers] = model_.uses[{reader.shard, topic}];
      if (--readers > 0) continue;
      hub_.leave(*known, reader.shard, model_.now);
      known = nullptr;
      const auto left = [&](Sequence s) { return model_.event(s).topic == topic; };
      std::erase_if(model_.news[reader.shard], left);
      std::erase_if(model_.collected[reader.shard], left);
    }
  }

  // All leave: then no memory may stay but what the limits keep.
  void finish() {
    while (!readers_.empty()) leave();
    for (ShardId s = 0; s < kShards; ++s) {
      swept(s);
      collect(s);
      swept(s);
    }
    model_.settings.history = {.count = 0, .age_ms = 0, .bytes = 0};
    model_.settings.backlog = {.bytes = 0, .age_ms = 0};
    model_.settings.topic_idle_ms = 0;
    hub_.reconfigure(model_.settings);
    model_.now += 1;
    maintain();
    require(hub_.log_bytes() == 0, "no page is left");
    require(hub_.topics() == (model_.settings.auto_topics ? 0 : kDeclared), "no topic is left");
  }

  // The input as small numbers.
  std::size_t below(std::size_t n) { return in_.take_byte() % n; }
  template <typename T>
  T pick(std::initializer_list<T> choices) {
    return choices.begin()[below(choices.size())];
  }

  Input in_;
  HubModel model_;
  core::Hub hub_;
  std::vector<ModelReader> readers_;
};

}  // namespace
}  // namespace tocsin::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tocsin::fuzz::HubMachine(data, size).run();
  return 0;
}
