// Who may read what, in worlds where that changes while streams are open, and subjects are revoked:
// nobody is sent a byte that it may not read, and nobody's stream ends for somebody else's right.
#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "net/log.h"
#include "net/state/stream_inquiry.h"
#include "tests/net/support/test_access.h"
#include "tests/sim/world/scenario.h"
#include "tests/sim/world/seeds.h"
#include "tests/sim/world/sim_world.h"

namespace tocsin::sim {
namespace {

using net::TestAccess;
using net::TopicAccess;
using Topics = std::set<std::string>;

constexpr std::uint64_t kSeeds = 300;
constexpr int kSteps = 250;
const std::array<std::string, 4> kTopics{"t0", "t1", "t2", "t3"};
const std::array<std::string, 2> kSubjects{"ann", "bob"};  // of tokens
const std::array<std::string, 2> kSecrets{std::string(net::kTestSecret),
                                          std::string(net::kOtherTestSecret)};

std::string json(const Topics& topics) {
  std::string text = "[";
  for (const std::string& topic : topics) text += (text == "[" ? "\"" : ",\"") + topic + '"';
  return text + "]";
}

// What a hub is configured with, as naively as can be.
struct Configured {
  std::array<std::string, 2> keys;          // never changed
  std::array<bool, 2> has_key{true, true};
  std::array<Topics, 2> of_key;             // what it may read
  std::array<bool, 2> has_secret{true, true};  // of tokens
  Topics of_nobody;
  std::array<TopicAccess, 4> rules{};  // of each topic
  std::array<std::int64_t, 2> revoked_until_s{};  // by an administrator; no part of the file

  [[nodiscard]] std::shared_ptr<const net::Access> make() const {
    TestAccess access;
    access.secrets.clear();
    for (std::size_t i = 0; i < 2; ++i) {
      if (has_secret[i]) access.secrets.push_back(kSecrets[i]);
      if (!has_key[i]) continue;
      access.keys.push_back(
          {.key = keys[i],
           .principal = {.kind = net::CredentialKind::key,
                         .subscribe = net::selectors({of_key[i].begin(), of_key[i].end()})}});
    }
    access.anonymous.assign(of_nobody.begin(), of_nobody.end());
    return access.make();
  }
  [[nodiscard]] std::vector<net::TopicNamespace> namespaces() const {
    std::vector<net::TopicNamespace> all;
    for (std::size_t i = 0; i < kTopics.size(); ++i) {
      all.push_back(
          {.match = kTopics[i], .publish = TopicAccess::open, .subscribe = rules[i]});
    }
    return all;
  }
};

Topics draw(Random& random) {
  Topics topics;
  for (const std::string& topic : kTopics) {
    if (random.chance(60)) topics.insert(topic);
  }
  return topics;
}

void change(Configured& configured, Random& random) {
  switch (random.below(5)) {
    case 0:
      configured.has_key[random.below(2)] ^= true;
      break;
    case 1:
      configured.of_key[random.below(2)] = draw(random);
      break;
    case 2:
      configured.has_secret[random.below(2)] ^= true;
      break;
    case 3:
      configured.of_nobody = draw(random);
      break;
    default:
      configured.rules[random.below(kTopics.size())] =
          static_cast<TopicAccess>(random.below(3));
      break;
  }
}

// One subscriber's credential, and what it is good for.
class RightHolder final : public Visitor {
 public:
  enum class Kind : std::uint8_t { nobody, key, token, short_token };

  RightHolder(World& world, const Configured& configured, std::vector<std::string> topics)
      : world_(world), configured_(configured), topics_(topics.begin(), topics.end()) {
    kind_ = static_cast<Kind>(world.random.below(4));
    which_ = world.random.below(2);
    subject_ = world.random.below(kSubjects.size());
    said_ = draw(world.random);
  }

  std::string fields() override {
    if (kind_ == Kind::short_token) {
      expires_s_ = world_.clock.unix_s() + static_cast<std::int64_t>(world_.random.below(6));
    }
    could_ = may();
    could_not_ = !could_;
    switch (kind_) {
      case Kind::nobody:
        return "";
      case Kind::key:
        return net::bearer(configured_.keys[which_]);
      case Kind::token:
        return net::bearer(net::token_for(json(said_), "[]", subject_claim(), kSecrets[which_]));
      case Kind::short_token:
        return net::bearer(net::token_for(
            json(said_), "[]", fmt::format("{},\"exp\":{}", subject_claim(), expires_s_),
            kSecrets[which_]));
    }
    return "";
  }
  bool may_be_answered(int status) override {
    note();
    if (status == 200) return could_;
    return (status == 401 || status == 403) && could_not_;
  }
  // What it may has changed, or the time.
  void note() {
    could_ |= may();
    could_not_ |= !may();
  }
  [[nodiscard]] bool may() const {
    return std::ranges::all_of(topics_, [this](const std::string& topic) {
      switch (configured_.rules[static_cast<std::size_t>(topic[1] - '0')]) {
        case TopicAccess::open:
          return is_good();
        case TopicAccess::nobody:
          return false;
        case TopicAccess::token:
          break;
      }
      return is_good() && readable().contains(topic);
    });
  }
  // Its stream may be ended though it may read: see StreamRight.
  [[nodiscard]] bool is_mixed() const {
    return has_token() && !std::ranges::includes(said_, topics_);
  }
  [[nodiscard]] bool is(std::size_t subject) const { return has_token() && subject_ == subject; }
  [[nodiscard]] bool expired_by(std::int64_t seconds) const {
    return kind_ == Kind::short_token && world_.clock.unix_s() >= expires_s_ + seconds;
  }

 private:
  [[nodiscard]] bool has_token() const {
    return kind_ == Kind::token || kind_ == Kind::short_token;
  }
  [[nodiscard]] std::string subject_claim() const {
    return fmt::format(",\"sub\":\"{}\"", kSubjects[subject_]);
  }
  [[nodiscard]] bool is_revoked() const {
    return world_.clock.unix_s() < configured_.revoked_until_s[subject_];
  }
  // A credential that is not good does not even open what is open.
  [[nodiscard]] bool is_good() const {
    switch (kind_) {
      case Kind::nobody:
        return true;
      case Kind::key:
        return configured_.has_key[which_];
      case Kind::token:
      case Kind::short_token:
        return configured_.has_secret[which_] && !expired_by(0) && !is_revoked();
    }
    return false;
  }
  [[nodiscard]] const Topics& readable() const {
    if (kind_ == Kind::nobody) return configured_.of_nobody;
    return kind_ == Kind::key ? configured_.of_key[which_] : said_;
  }

  World& world_;
  const Configured& configured_;
  const Topics topics_;
  Kind kind_;
  std::size_t which_;
  std::size_t subject_;
  Topics said_;  // by its token
  std::int64_t expires_s_ = 0;
  bool could_ = false;  // at some time since it asked
  bool could_not_ = false;
};

struct Watched {
  RightHolder* reader;
  const SimSubscriber* subscriber;

  // The hub has it open. Its client may not have read that it is.
  [[nodiscard]] SocketRef open() const {
    const SocketRef& socket = subscriber->socket();
    const bool begun = subscriber->stream() != nullptr && subscriber->stream()->begun();
    return begun && !socket->server_finished && !socket->server_reset ? socket : nullptr;
  }
};

WorldOptions draw_world(Random& random, const Configured& configured) {
  WorldOptions options;
  options.shards = random.between(1, 2);
  options.access = configured.make();
  options.server.namespaces = configured.namespaces();
  options.server.slow_policy = net::SlowPolicy::latest;
  options.server.slow_seconds = 60;
  options.server.heartbeat_s = random.chance(50) ? 0 : 3;
  options.server.retry_ms = 100;
  options.kernel.least_capacity = random.chance(30) ? 300 : 4000;
  options.kernel.most_capacity = 8000;
  options.kernel.short_send = random.chance(50) ? 0 : 30;
  options.kernel.late = random.chance(50) ? 0 : 30;
  return options;
}

std::vector<SocketRef> open_ones(const std::vector<Watched>& streams) {
  std::vector<SocketRef> open;
  for (const Watched& stream : streams) open.push_back(stream.open());
  return open;
}

bool has_left(const SocketRef& client) {
  return client->client_finished || client->client_gone || client->client_reset;
}

// Ends the streams of a subject; by chance it is revoked for some seconds, or not any more.
void administrate(World& world, Configured& configured, const std::vector<Watched>& streams) {
  Random& random = world.random;
  const std::size_t subject = random.below(kSubjects.size());
  const std::int64_t now_s = world.clock.unix_s();
  if (random.chance(60)) {
    configured.revoked_until_s[subject] = now_s + static_cast<std::int64_t>(random.below(4));
    if (!world.state.revocations.set(kSubjects[subject], configured.revoked_until_s[subject],
                                     now_s)) {
      world.fail("there is no room for a revocation");
    }
  }
  for (const Watched& stream : streams) stream.reader->note();
  const std::vector<SocketRef> before = open_ones(streams);
  net::StreamQuestion question{.kind = net::StreamQuestion::Kind::end,
                               .filter = {.subject = kSubjects[subject]}};
  const net::RequestTicket nobody{.slot = 0xff'ffff};
  if (!net::StreamInquiry::begin(world.state, nobody, std::move(question))) {
    world.fail("nobody else has asked");
  }
  // The model reads as a shard that nobody runs.
  std::vector<net::Letter> letters;
  world.state.mailboxes[world.shards()]->take(letters);
  std::get<std::shared_ptr<net::StreamInquiry>>(letters.at(0).value)->add(
      static_cast<core::ShardId>(world.shards()), {});
  letters.clear();
  if (!world.settle()) return;
  if (world.state.inquiries != 0) world.fail("a question was not answered");
  for (std::size_t s = 0; s < streams.size(); ++s) {
    const auto& [reader, subscriber] = streams[s];
    if (!before[s] || has_left(before[s]) || reader->expired_by(0)) continue;
    const bool ended = !streams[s].open();
    if (ended != reader->is(subject)) {
      world.fail(ended ? "a stream of somebody else was ended" : "a stream was not ended");
    }
  }
}

// Empty, or what went wrong.
std::string run_world(std::uint64_t seed) {
  Random random(seed);
  Configured configured;
  for (std::size_t i = 0; i < 2; ++i) {
    configured.keys[i] = net::make_access_key().view();
    configured.of_key[i] = draw(random);
  }
  configured.of_nobody = draw(random);
  configured.rules.fill(TopicAccess::token);

  WorldOptions options = draw_world(random, configured);
  std::vector<std::unique_ptr<RightHolder>> readers;
  World world(random.below(UINT64_MAX), options);
  std::vector<Watched> streams;
  for (std::uint64_t n = random.between(2, 10); n > 0; --n) {
    SimSubscriber::Plan plan;
    for (std::uint64_t t = random.between(1, 3); t > 0; --t) {
      plan.topics.push_back(kTopics[random.below(kTopics.size())]);
    }
    plan.pace = random.chance(60) ? Pace::fast : Pace::slow;
    plan.leaves = random.chance(30) ? 20 : 0;
    plan.requests_before = random.chance(20) ? 3 : 0;
    if (random.chance(30)) plan.start.kind = Start::Kind::earliest;
    readers.push_back(std::make_unique<RightHolder>(world, configured, plan.topics));
    plan.visitor = readers.back().get();
    streams.push_back({readers.back().get(), &world.add<SimSubscriber>(std::move(plan))});
  }
  SimPublisher::Plan publisher;
  publisher.topics.assign(kTopics.begin(), kTopics.end());
  publisher.depth = 4;
  world.add<SimPublisher>(std::move(publisher));

  for (int i = 0; i < kSteps && !world.failed(); ++i) {
    world.step();
    for (const Watched& stream : streams) {
      if (stream.reader->expired_by(5) && stream.open()) world.fail("a stream has not expired");
    }
    if (random.chance(4)) administrate(world, configured, streams);
    if (!random.chance(8)) continue;
    const std::vector<SocketRef> before = open_ones(streams);
    change(configured, random);
    options.server.namespaces = configured.namespaces();
    world.set_access(options.server, configured.make());
    for (const Watched& stream : streams) stream.reader->note();
    if (!world.settle()) continue;
    for (std::size_t s = 0; s < streams.size(); ++s) {
      const auto& [reader, subscriber] = streams[s];
      const SocketRef now = streams[s].open();
      if (now && !reader->may() && !reader->expired_by(0)) {
        world.fail("a stream is open whose right is gone");
      }
      if (before[s] && !now && !has_left(before[s]) && reader->may() && !reader->is_mixed()) {
        world.fail("a stream has ended whose right is there");
      }
    }
  }
  if (!world.failed()) world.go_quiet(3000);
  if (!world.failed()) world.end(random.chance(50));
  return world.lost_track ? "" : world.failure();
}

TEST(SimAccess, NobodyReadsWhatItMayNot) {
  net::log::set_level(net::LogLevel::error);
  over_seeds(kSeeds, run_world);
}

}  // namespace
}  // namespace tocsin::sim
