#include "tests/sim/world/sim_world.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "proto/sse/wire_id.h"
namespace tocsin::sim {
namespace {

// All of a hub's gauges are counters of unsigned type: one that was taken from too often is huge.
constexpr std::uint64_t kUnderflow = 1ULL << 60;
// A stream that is past its limits must be dealt with within the slow check's interval and the
// wheel's resolution, and one step of the world.
constexpr std::uint64_t kSlowSlackMs = 2500;

}  // namespace

World::World(std::uint64_t seed, const WorldOptions& options)
    : random(seed),
      kernel(random, options.shards),
      // One shard more than there are: the model's.
      state(make_store(options), options.shards + 1, options.server, {}, {},
            options.access),
      turning_(options.shards),
      generous_(options.kernel.least_capacity >= 4000) {
  kernel.options = options.kernel;
  adopt(options.server);
  state.hub.start_store(clock);
  if (options.past) {
    model.set_past_floor(link->floor());
    state.past.attach(*link);
  }
  state.phase = net::Phase::running;
  for (std::size_t i = 0; i < options.shards; ++i) {
    ios_.push_back(std::make_unique<FakeIo>(kernel, i, random));
    const int listener = kernel.listen(i);
    shards_.push_back(std::make_unique<net::Shard>(static_cast<core::ShardId>(i), state, *ios_[i],
                                                   clock, std::vector<int>{listener},
                                                   random.below(1 << 30)));
    ios_[i]->while_waiting = [this, i] { other_shards(i); };
    shards_[i]->start_accepting();
  }
}

World::~World() = default;

std::unique_ptr<core::Store> World::make_store(const WorldOptions& options) {
  if (!options.late_store) return std::make_unique<core::MemoryStore>(kEpoch);
  store.emplace(random, kEpoch);
  auto made = std::make_unique<SimStoreLink>(*store, random, 0);
  link = made.get();
  if (options.past) link->keep_past();
  return made;
}

void World::fail(const std::string& what) {
  if (failure_.empty()) failure_ = fmt::format("at {} ms: {}", now_ms(), what);
}

std::string World::new_token() {
  return fmt::format("e{}", ++tokens_);
}

void World::note_topic(const std::string& topic) {
  if (std::ranges::find(published_topics, topic) == published_topics.end()) {
    published_topics.push_back(topic);
  }
}

// Answers may be under way when the options change: what was allowed once stays so.
void World::adopt(const net::ServerOptions& options) {
  options_ = options;
  model.limit_history(options_);
  slow_seconds_ = std::max(slow_seconds_, options_.slow_seconds);
  generous_ &= options_.slow_bytes >= 256 * 1024 && options_.history_total_bytes >= 8 << 20;
  refuses_at_the_door_ |= kernel.options.descriptors < 100 || kernel.options.failed_accept != 0;
  may_refuse_ |= options_.max_connections < 100 || net::limits_clients(options_) ||
                 options_.accept_rate != 0 || refuses_at_the_door_;
  may_end_ |= options_.max_stream_age_s != 0;
  may_be_unknown_ |= !options_.auto_topics;
  may_take_back_ |= options_.history_total_bytes < 8 << 20;
}

// --- running
// ----------------------------------------------------------------------------------------

void World::turn(std::size_t shard) {
  turning_[shard] = 1;
  shards_[shard]->turn();
  turning_[shard] = 0;
  take_in();
  ++turns_;
  check();
  if (!kernel.failures().empty()) fail(kernel.failures().front());
}

// True: somebody was given a page of what is older than memory.
bool World::serve_past() {
  return has_past() && state.past.serve() == net::PastReader::Served::one;
}

void World::store_step(bool calm) {
  if (link == nullptr) return;
  if (has_past()) {
    link->be_calm(calm);
    if (calm || random.chance(50)) serve_past();
    if (!calm && random.chance(2)) link->drop_oldest();
    model.set_past_floor(link->floor());
  }
  const auto [waits, told] = state.hub.with(
      [](const core::Hub& hub) { return std::pair{hub.overloaded(), hub.last_sequence()}; });
  if (waits) return;  // it would not come back from its call
  if (calm) {
    (void)link->calm_step(told);
  } else {
    link->step(told);
  }
  take_in();
}

// While one shard sleeps others work; what they publish must wake it.
void World::other_shards(std::size_t waiting) {
  if (!random.chance(30)) return;
  store_step(quiet);
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    if (!turning_[i]) turn(i);
  }
  const bool news = state.hub.with(
      [&](const core::Hub& hub) { return hub.has_news(static_cast<core::ShardId>(waiting)); });
  const bool mail = !state.mailboxes[waiting]->empty();
  if ((news || mail) && !ios_[waiting]->woken) fail("a shard with news was left asleep");
}

void World::step() {
  for (const auto& client : clients_) {
    if (random.chance(70)) client->act(*this);
  }
  for (std::size_t n = random.between(1, 2 * shards_.size()); n > 0; --n) {
    turn(random.below(shards_.size()));
    if (random.chance(70)) store_step(false);
  }
  const std::uint64_t kind = random.below(10);
  if (kind < 6) {
    clock.advance_us(random.below(2000));
  } else {
    clock.advance_us(random.below(kind < 9 ? 30'000 : 200'000));
  }
}

bool World::settle(int most_turns) {
  for (int i = 0; i < most_turns && !failed(); ++i) {
    bool more = false;
    for (std::size_t shard = 0; shard < shards_.size(); ++shard) {
      turning_[shard] = 1;
      more |= shards_[shard]->turn();
      turning_[shard] = 0;
      take_in();
      more |= serve_past() || kernel.due(shard) || !state.mailboxes[shard]->empty() ||
              state.hub.with([&](const core::Hub& hub) {
                return hub.has_news(static_cast<core::ShardId>(shard));
              });
    }
    if (!kernel.failures().empty()) fail(kernel.failures().front());
    if (!more) {
      check();
      return true;
    }
  }
  return false;
}

void World::pass(std::uint64_t ms) {
  for (std::uint64_t i = 0; i < ms && !failed(); i += 10) {
    clock.advance_us(10'000);
    for (std::size_t shard = 0; shard < shards_.size(); ++shard) turn(shard);
  }
}

void World::go_quiet(std::uint64_t ms) {
  quiet = true;
  const KernelOptions before = kernel.options;
  kernel.options = {.least_capacity = before.least_capacity,
                    .most_capacity = before.most_capacity,
                    .descriptors = 4096};
  kernel.widen(1 << 20);  // a flood has to go through
  const std::uint64_t until = now_ms() + ms;
  while (now_ms() < until && !failed()) {
    for (const auto& client : clients_) client->act(*this);
    for (std::size_t shard = 0; shard < shards_.size(); ++shard) turn(shard);
    for (int i = 0; i < 3; ++i) store_step(true);
    // A reader of a small socket needs many rounds, and they cost no time worth counting.
    clock.advance_us(random.chance(50) ? 1000 : 120'000);
  }
  for (int i = 0; i < 10 && !failed(); ++i) {  // who has only just come back reads to the end
    for (std::size_t shard = 0; shard < shards_.size(); ++shard) turn(shard);
    for (const auto& client : clients_) client->act(*this);
  }
}

void World::finish() {
  for (const auto& client : clients_) client->finish(*this);
  check();
  check_slow();
  const auto [encoded, newest] = state.hub.with(
      [](const core::Hub& hub) { return std::pair{hub.events_encoded(), hub.last_sequence()}; });
  const std::uint64_t published = sum([](const auto& m) { return m.events_published.get(); });
  // Of an unknown outcome nobody counts what became of it.
  const bool same = encoded == published || (has_late_store() && encoded > published);
  if (!same || newest != encoded || model.last() != encoded) {
    fail(fmt::format("{} events published, {} encoded, {} sequences, {} in the model", published,
                     encoded, newest, model.last()));
  }
  const std::uint64_t stale = sum([](const auto& m) { return m.stale_completions.get(); });
  if (stale != kernel.counts.stale) {
    fail(fmt::format("{} stale completions counted of {}", stale, kernel.counts.stale));
  }
}

void World::set_options(const net::ServerOptions& options) {
  adopt(options);
  state.set_options(options_, state.access());
}

void World::set_access(const net::ServerOptions& options,
                       std::shared_ptr<const net::Access> access) {
  adopt(options);
  state.set_options(options_, std::move(access));
}

void World::end(bool drain) {
  ending = true;
  state.phase = drain ? net::Phase::draining : net::Phase::stopping;
  const std::uint64_t begin = now_ms();
  const std::uint64_t most = std::uint64_t{options_.drain_timeout_s} * 1000 + 1000;
  const auto drained = [this] {
    return std::ranges::all_of(shards_, [](const auto& shard) { return shard->drained(); });
  };
  while (drain && !failed() && !drained()) {
    for (const auto& client : clients_) client->act(*this);
    for (std::size_t shard = 0; shard < shards_.size(); ++shard) turn(shard);
    store_step(false);
    clock.advance_us(20'000);
    if (now_ms() - begin > most) fail("the drain does not end");
  }
  for (const auto& shard : shards_) shard->end_all();
  state.hub.end();
  if (state.hub.owes_answers() || state.hub.store_metrics().pending.get() != 0) {
    fail("somebody still waits for the store");
  }
  if (state.past.metrics().waiting.get() != 0) fail("somebody still waits for the past");
  kernel.close_listeners();
  check_gauges();
  if (const std::size_t open = kernel.open_descriptors(); open != 0) {
    fail(fmt::format("{} descriptors are left open", open));
  }
  if (state.admission.streams() != 0) fail("streams are still counted by admission");
  const bool pinned = state.hub.with([this](core::Hub& hub) {
    hub.maintain(now_ms());
    return hub.pinned_bytes() != 0;
  });
  if (pinned) fail("a page is still pinned, and nobody is left");
  if (!kernel.failures().empty()) fail(kernel.failures().front());
}

// --- checking
// ---------------------------------------------------------------------------------------

// New events into the model, and whether each is what somebody meant to publish.
void World::take_in() {
  const Sequence before = model.last();
  const std::string error =
      model.take_in(state, static_cast<core::ShardId>(shards_.size()), published_topics, now_ms());
  lost_track |= error == Model::kLostTrack;
  if (!error.empty()) fail(error);
  for (Sequence s = before + 1; s <= model.last(); ++s) identify(s);
}

void World::identify(Sequence s) {
  const ModelEvent& event = model.at(s);
  bool parsed = false;
  proto::SseParser parser([&](const proto::ReceivedEvent& received) {
    parsed = true;
    const std::string_view token = received.data.substr(0, received.data.find(' '));
    const auto it = intents.find(token);
    if (it == intents.end()) {
      fail("an event that nobody published: " + event.frame);
      return;
    }
    Intent& intent = it->second;
    if (intent.sequence != 0) fail("published twice: " + event.frame);
    if (intent.refused) fail("published although it was refused: " + event.frame);
    intent.sequence = s;
    const std::string id =
        intent.id.empty() ? proto::to_string({kEpoch, s}) : proto::wire_id(intent.id);
    if (intent.topic != event.topic || received.data != intent.data ||
        received.last_event_id != id ||
        received.type != (intent.type.empty() ? "message" : intent.type)) {
      fail("not what was published: " + event.frame);
    }
  });
  if (!parser.feed(event.frame) || !parsed) fail("no event in the frame: " + event.frame);
}

void World::check() {
  for (const auto& shard : shards_) shard->check_invariants();
  check_gauges();
  check_memory();
  if (turns_ % 32 == 0) check_slow();
}

void World::check_gauges() {
  std::uint32_t admitted = 0;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    std::uint64_t requests = 0;
    std::uint64_t streams = 0;
    std::uint64_t blocked = 0;
    std::uint64_t closing = 0;
    const net::ConnectionTable& table = shards_[i]->connections();
    std::uint32_t left = table.used();
    for (std::uint32_t slot = 0; slot < table.size() && left > 0; ++slot) {
      const net::Peer& peer = table[slot].peer;
      if (peer.state == net::State::free) continue;
      --left;
      requests += peer.state == net::State::request || peer.state == net::State::linger ? 1U : 0U;
      streams += peer.is_stream() ? 1U : 0U;
      blocked += peer.is_stream() && peer.blocked ? 1U : 0U;
      closing += peer.state == net::State::closing ? 1U : 0U;
      admitted += peer.admitted ? 1U : 0U;
    }
    const net::ShardMetrics& metrics = *state.metrics[i];
    const auto same = [&](const char* name, const net::Counter& gauge, std::uint64_t truth) {
      const std::uint64_t value = gauge.get();
      if (value == truth) return;
      fail(fmt::format("gauge {} of shard {} is {}{}, and the truth {}", name, i,
                       value > kUnderflow ? "-" : "", value > kUnderflow ? 0 - value : value,
                       truth));
    };
    same("requests_open", metrics.requests_open, requests);
    same("streams_open", metrics.streams_open, streams);
    same("streams_blocked", metrics.streams_blocked, blocked);
    same("closing", metrics.closing, closing);
  }
  if (state.admission.streams() != admitted) {
    fail(fmt::format("admission counts {} streams of {}", state.admission.streams(), admitted));
  }
}

// What readers are in the middle of has its bound at every moment.
void World::check_memory() {
  const std::size_t pinned =
      state.hub.with([](const core::Hub& hub) { return hub.pinned_bytes(); });
  if (pinned > options_.history_total_bytes / limits::kPinnedShare) {
    fail(fmt::format("{} bytes are pinned", pinned));
  }
}

// A blocked stream is watched: past its limits it is closed, or will be told.
void World::check_slow() {
  const std::uint64_t most_ms = std::uint64_t{slow_seconds_} * 1000 + kSlowSlackMs;
  for (const auto& shard : shards_) {
    const net::ConnectionTable& table = shard->connections();
    std::uint32_t left = table.used();
    for (std::uint32_t slot = 0; slot < table.size() && left > 0; ++slot) {
      const net::Peer& peer = table[slot].peer;
      left -= peer.state != net::State::free ? 1U : 0U;
      if (!peer.is_stream() || !peer.blocked) continue;
      if (peer.extra().deadline_ms == 0) fail("a blocked stream that no timer looks at");
      if (options_.slow_policy == net::SlowPolicy::disconnect &&
          peer.extra().blocked_since_ms + most_ms < now_ms()) {
        fail("a stream that takes nothing was not closed");
      }
    }
  }
}

}  // namespace tocsin::sim
