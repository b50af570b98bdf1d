#include "tests/sim/world/store_world.h"

#include <algorithm>
#include <utility>

#include "proto/sse/event_id.h"

namespace tocsin::sim {

using core::Fit;
using core::Place;
using core::StoreAnswer;
using Outcome = StoreAnswer::Outcome;

namespace {

constexpr std::size_t kShards = 2;
constexpr std::size_t kMostReaders = 5;
constexpr std::size_t kKept = 40;

}  // namespace

// One hub, those who wait for its answers, and its readers.
struct StoreWorld::Node final : core::Store::Client {
  Node(StoreWorld& owner) : world(owner) { begin(); }

  void begin() {
    auto link = std::make_unique<SimStoreLink>(world.store_, world.random_, kKept);
    store = link.get();
    floor = link->beginning().last();
    hub = std::make_unique<core::Hub>(std::move(link), kShards, core::HubSettings{});
    store->start(*this);
  }

  void committed(const Place& place, std::span<const core::NewEvent> events,
                 core::TimeMs) override {
    const Sequence last = hub->last_sequence();
    const bool next = place.first == last + 1 && place == world.store_.batch_of(place.first);
    const Fit fit = hub->journal().fit(place);
    world.require((fit == Fit::next) == next, "the next batch is known from all others");
    world.happened(static_cast<Event>(fit));
    if (fit != Fit::next) return;
    const core::ShardSet wake = hub->apply(place, events, world.now_);
    wake.for_each(
        [&](core::ShardId shard) { world.require(hub->has_news(shard), "who is woken has news"); });
  }

  void answered(core::Ticket ticket, const StoreAnswer& answer) override {
    const auto it = waiting.find(ticket);
    if (it == waiting.end()) return world.happened(Event::stale);
    world.check_answer(answer, it->second);
    waiting.erase(it);
  }

  void forked(proto::Epoch epoch) override { hub->fork(epoch); }
  void lost(std::string_view) override { world.require(false, "this store says nothing of it"); }

  StoreWorld& world;
  SimStoreLink* store = nullptr;
  std::unique_ptr<core::Hub> hub;
  Sequence floor = 0;  // what is not above it is not here
  core::Ticket tickets = 0;
  std::map<core::Ticket, std::vector<std::string>> waiting;    // the bodies of its events
  std::map<std::pair<core::ShardId, core::Topic*>, int> uses;  // by how many readers
  std::vector<Reader> readers;
};

StoreWorld::StoreWorld(std::uint64_t seed) : random_(seed), store_(random_) {
  for (std::uint64_t n = random_.between(1, 2); n > 0; --n) {
    nodes_.push_back(std::make_unique<Node>(*this));
  }
}

StoreWorld::~StoreWorld() = default;

void StoreWorld::require(bool holds, std::string_view what) {
  if (!holds && failure_.empty()) failure_ = what;
}

void StoreWorld::step() {
  Node& node = *random_.pick(nodes_);
  now_ += random_.below(20);
  const std::uint64_t what = random_.below(100);
  if (what < 25) {
    publish(node);
  } else if (what < 65) {
    node.store->step(node.hub->last_sequence());
  } else if (what < 85) {
    sweep(node, static_cast<core::ShardId>(random_.below(kShards)));
  } else if (what < 92) {
    subscribe(node);
  } else if (what < 94) {
    give_up(node);
  } else if (what < 98 && !node.readers.empty()) {
    go_or_come_back(node, random_.pick(node.readers));
  } else if (what == 98) {
    restart(node);
  } else if (what == 99) {
    fork();
  }
  check();
}

void StoreWorld::check() {
  for (const auto& node : nodes_) {
    const core::Journal& journal = node->hub->journal();
    const Sequence last = journal.last();
    require(last <= store_.history().size(), "I12: nothing is applied that is not in the store");
    require(last == 0 || store_.batch_of(last).last == last, "I13: batches are applied whole");
    require(journal.epochs().current() == store_.journal().epochs().current(), "the epoch");
  }
}

// --- publishers

void StoreWorld::publish(Node& node) {
  std::vector<std::string> bodies;
  std::vector<std::string> ids;
  std::vector<std::string> topics;
  const std::size_t size = random_.between(1, 4);
  for (std::size_t i = 0; i < size; ++i) {
    const std::string token = std::to_string(++tokens_);
    bodies.push_back("data: " + token + "\n");
    ids.push_back(random_.chance(20) ? "p" + token : std::string{});
    topics.push_back("t" + std::to_string(random_.below(4)));
  }
  std::vector<core::NewEvent> events;
  for (std::size_t i = 0; i < size; ++i) {
    events.push_back({.topic = topics[i], .id = ids[i], .body = bodies[i]});
  }
  const core::Ticket ticket = ++node.tickets;
  const Sequence before = node.hub->last_sequence();
  const auto published = node.hub->publish(events, now_, nullptr, ticket);
  require(node.hub->last_sequence() == before, "I12: nothing is visible before its commit");
  if (published) {
    require(published->pending(), "this store answers later");
    node.waiting.emplace(ticket, bodies);
  } else {
    require(published.error() == core::PublishError::unavailable, "why a batch is refused");
    check_answer({.outcome = Outcome::refused}, bodies);
  }
}

// A time-out: the answer, if it comes, is nobody's.
void StoreWorld::give_up(Node& node) {
  if (node.waiting.empty()) return;
  node.waiting.erase(node.waiting.begin());
  happened(Event::given_up);
}

// I14: what a publisher is told is so, and stays so.
void StoreWorld::check_answer(const StoreAnswer& answer, const std::vector<std::string>& bodies) {
  switch (answer.outcome) {
    case Outcome::committed: {
      happened(Event::committed);
      const Place& place = answer.place;
      const SimStore::History& history = store_.history_of(place.epoch);
      require(place.events() == bodies.size(), "I14: all of a batch is acknowledged");
      for (std::size_t i = 0; i < bodies.size() && failure_.empty(); ++i) {
        const Sequence s = place.first + i;
        require(s <= history.size() && history[s - 1].body == bodies[i],
                "I14: what is acknowledged is in the store");
      }
      break;
    }
    case Outcome::refused:
      happened(Event::refused);
      refused_.insert(bodies.begin(), bodies.end());
      break;
    case Outcome::unknown:
      happened(Event::unknown);
      break;
    case Outcome::pending:
      require(false, "I14: who is told is told what happened");
      break;
    case Outcome::repeated:
    case Outcome::differs:
    case Outcome::hole:
    case Outcome::forgotten:
      require(false, "an answer to a key that was not given");
  }
}

// --- readers

void StoreWorld::subscribe(Node& node) {
  if (node.readers.size() == kMostReaders) {
    Reader& leaver = random_.pick(node.readers);
    leave(node, leaver);
    std::swap(leaver, node.readers.back());
    node.readers.pop_back();
    return;
  }
  Reader reader;
  reader.shard = static_cast<core::ShardId>(random_.below(kShards));
  for (std::uint64_t n = random_.between(1, 3); n > 0; --n) {
    reader.topics.push_back("t" + std::to_string(random_.below(4)));
  }
  const bool live = random_.chance(60);
  const auto kind = live ? core::Resume::Kind::live : core::Resume::Kind::earliest;
  begin(node, reader, {.kind = kind});
  reader.position = live ? node.hub->last_sequence() : node.floor;
  node.readers.push_back(std::move(reader));
}

void StoreWorld::begin(Node& node, Reader& reader, const core::Resume& resume) {
  const std::vector<std::string_view> names(reader.topics.begin(), reader.topics.end());
  auto subscription = node.hub->subscribe(names, resume, reader.shard, now_);
  require(subscription.has_value(), "topics are made by use");
  reader.at = std::move(*subscription);
  for (const core::TopicCursor& at : reader.at.topics) ++node.uses[{reader.shard, at.topic}];
  // What a stream opens with.
  if (!reader.at.gap) reader.last_id = proto::to_string({node.hub->epoch(), reader.at.cursor});
}

void StoreWorld::leave(Node& node, Reader& reader) {
  for (const core::TopicCursor& at : reader.at.topics) {
    if (--node.uses[{reader.shard, at.topic}] == 0) node.hub->leave(*at.topic, reader.shard, now_);
  }
  reader.at.topics.clear();
}

void StoreWorld::go_or_come_back(Node& node, Reader& reader) {
  if (reader.away) return come_back(node, reader);
  leave(node, reader);
  reader.away = true;
}

// With the last id that it was sent.
void StoreWorld::come_back(Node& node, Reader& reader) {
  reader.away = false;
  const auto expected = expected_position(node, reader);
  const std::string id = reader.last_id;
  const std::string_view ids[] = {id};
  begin(node, reader, {.kind = core::Resume::Kind::after_id, .ids = ids});
  const auto& gap = reader.at.gap;
  if (!expected) {
    require(gap == core::GapReason::unknown_id, "what the history does not have is a gap");
  } else if (*expected < node.floor) {
    require(gap == core::GapReason::expired, "what is older than the hub is a gap");
  } else {
    require(!gap && reader.at.cursor == *expected, "a position in the history resumes exactly");
    const auto own = proto::parse_event_id(id);
    if (!own) happened(Event::publishers_id);
    if (own && own->epoch != node.hub->epoch()) happened(Event::exact_in_older_epoch);
  }
  if (gap) {
    happened(Event::gap);
    reader.last_id = proto::to_string({node.hub->epoch(), reader.at.cursor});
  }
  reader.position = gap ? node.floor : *expected;
}

// Where the reader's last id is in the history, by the histories themselves.
std::optional<Sequence> StoreWorld::expected_position(const Node& node,
                                                      const Reader& reader) const {
  const SimStore::History& history = store_.history();
  const Sequence told = node.hub->last_sequence();
  if (const auto own = proto::parse_event_id(reader.last_id)) {
    const SimStore::History& old = store_.history_of(own->epoch);
    const bool same =
        own->sequence <= std::min(old.size(), told) &&
        std::equal(old.begin(), old.begin() + static_cast<std::ptrdiff_t>(own->sequence),
                   history.begin());
    return same ? std::optional{own->sequence} : std::nullopt;
  }
  for (Sequence s = node.floor + 1; s <= told; ++s) {
    const bool read = std::ranges::find(reader.topics, history[s - 1].topic) != reader.topics.end();
    if (read && history[s - 1].id == reader.last_id) return s;
  }
  return std::nullopt;
}

void StoreWorld::sweep(Node& node, core::ShardId shard) {
  core::Collected collected;
  node.hub->collect(shard, collected);
  for (Reader& reader : node.readers) {
    if (reader.shard == shard && !reader.away) read(node, reader);
  }
  node.hub->swept(shard);
}

// A part of what is there, or all of it.
void StoreWorld::read(Node& node, Reader& reader) {
  std::vector<core::Piece> pieces;
  const std::size_t bytes = random_.chance(30) ? random_.between(1, 300) : 1 << 20;
  const auto status =
      node.hub->read(reader.at.topics, reader.at.cursor, bytes, random_.between(1, 5), pieces);
  require(status != core::ReadStatus::gap, "nothing goes that is needed");
  for (const core::Piece& piece : pieces) {
    for (std::uint32_t i = piece.first; i < piece.last; ++i) {
      deliver(reader, piece.page->sequence_of(i), piece.page->frame(i));
    }
    reader.at.cursor = piece.last_sequence();
  }
  if (status == core::ReadStatus::end || status == core::ReadStatus::last) {
    const Sequence missing = next_for(reader, reader.position);
    require(missing == 0 || missing > node.hub->last_sequence(), "all that is there was read");
  }
}

void StoreWorld::deliver(Reader& reader, Sequence s, std::string_view frame) {
  const SimStore::History& history = store_.history();
  if (s == 0 || s > history.size()) return require(false, "I12: what is seen is in the store");
  const StoredEvent& event = history[s - 1];
  require(frame == event.body + "id: " + event.id + "\n\n", "I12: as it is in the store");
  require(s == next_for(reader, reader.position), "I13: in order, without holes");
  reader.position = s;
  reader.last_id = event.id;
}

// The first event of its topics above `after`; 0: none.
Sequence StoreWorld::next_for(const Reader& reader, Sequence after) const {
  const SimStore::History& history = store_.history();
  for (Sequence s = after + 1; s <= history.size(); ++s) {
    if (std::ranges::find(reader.topics, history[s - 1].topic) != reader.topics.end()) return s;
  }
  return 0;
}

// --- what happens to hubs

void StoreWorld::restart(Node& node) {
  happened(Event::restart);
  node.waiting.clear();  // their connections are gone
  node.uses.clear();
  node.hub.reset();
  node.begin();
  for (Reader& reader : node.readers) {
    reader.at.topics.clear();
    reader.away = true;
    if (random_.chance(50)) come_back(node, reader);
  }
}

void StoreWorld::fork() {
  happened(Event::fork);
  store_.fork();
  for (const auto& node : nodes_) {
    const Sequence told = node->hub->last_sequence();
    if (told <= store_.history().size() && random_.chance(70)) {
      happened(Event::went_on);
      node->store->follow_fork(told);
    } else {
      restart(*node);
    }
  }
}

void StoreWorld::finish() {
  for (const auto& node : nodes_) node->store->finish(node->hub->last_sequence());
  for (const auto& node : nodes_) {
    node->store->finish(node->hub->last_sequence());  // what the others' appends have brought
    require(node->hub->last_sequence() == store_.history().size(), "everything is applied");
    for (Reader& reader : node->readers) {
      if (reader.away) come_back(*node, reader);
    }
    for (int i = 0; i < 200; ++i) {
      for (core::ShardId shard = 0; shard < kShards; ++shard) sweep(*node, shard);
    }
    for (const Reader& reader : node->readers) {
      require(next_for(reader, reader.position) == 0, "everybody has everything");
    }
  }
  check();
  for (proto::Epoch epoch = 1; epoch <= store_.journal().epochs().current(); ++epoch) {
    for (const StoredEvent& event : store_.history_of(epoch)) {
      require(!refused_.contains(event.body), "I14: what is refused is nowhere");
    }
  }
}

}  // namespace tocsin::sim
