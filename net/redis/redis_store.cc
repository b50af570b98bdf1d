#include "net/redis/redis_store.h"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "net/base/clock.h"
#include "net/base/jitter.h"
#include "net/base/thread_signals.h"
#include "net/log.h"
#include "net/redis/history_start.h"
#include "net/redis/master_link.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

using std::chrono::milliseconds;

// Between two attempts to reach the server; jittered.
constexpr std::uint32_t kFirstPauseMs = 50;
constexpr std::uint32_t kMostPauseMs = 1000;

std::minstd_rand& random_numbers() {
  static thread_local std::minstd_rand random(std::random_device{}());
  return random;
}

milliseconds pause(unsigned failures) {
  const std::uint32_t most = std::min(kMostPauseMs, kFirstPauseMs << std::min(failures, 8U));
  return milliseconds(jittered(most, random_numbers()) / 2 + 1);
}

TimePoint later(TimePoint now, std::uint32_t ms) {
  return now == kNever ? kNever : now + milliseconds(ms);
}

}  // namespace

// --- the beginning

std::expected<RedisStore::Beginning, RedisFault> RedisStore::find_beginning(
    const RedisOptions& options, const RedisTrust& trust, const StoredKeys& keys, Waiter& waiter) {
  const TimePoint deadline = later(waiter.now(), options.connect_ms);
  auto master = open_master(options.url, trust, waiter, deadline);
  if (!master) return std::unexpected(std::move(master.error()));
  RedisLink& link = master->link;
  auto head = open_history(link, keys, nullptr, waiter, deadline);
  if (!head) return std::unexpected(std::move(head.error()));
  const auto kept = find_entries(link, keys, *head, options.load_bytes, waiter, deadline);
  if (!kept) return std::unexpected(kept.error());
  return Beginning{.head = *std::move(head), .kept = *kept};
}

std::expected<std::unique_ptr<RedisStore>, std::string> RedisStore::open(RedisOptions options) {
  const StoredKeys keys(options.url.name);
  Waiter& waiter = system_waiter();
  const TimePoint patience = later(waiter.now(), options.patience_ms);
  const auto sentence = [&](std::string_view why) {
    return std::unexpected(fmt::format("the history {}: {}", options.url.to_string(), why));
  };
  auto trust = trust_of(options.url);
  if (!trust) return sentence(trust.error());
  for (unsigned failures = 0;; ++failures) {
    auto found = find_beginning(options, *trust, keys, waiter);
    if (found) {
      FollowedHistory history(std::move(found->head), found->kept.behind);
      const auto journal = history.journal();
      if (!journal) return sentence("its epochs are damaged");
      std::unique_ptr<RedisStore> store(
          new RedisStore(std::move(options), *std::move(trust), std::move(history), *journal,
                         found->kept.floor));
      if (!store->waiter_.is_good()) return sentence("no eventfd is left");
      return store;
    }
    if (found.error().lasting || waiter.now() >= patience) return sentence(found.error().text);
    if (failures == 0) {
      log::warning("the history's server cannot be reached, trying again",
                   {{"error", found.error().text}});
    }
    std::array<pollfd, 1> none{pollfd{-1, 0, 0}};
    waiter.wait(none, std::min(patience, waiter.now() + pause(failures)));
  }
}

RedisStore::RedisStore(RedisOptions options, RedisTrust trust, FollowedHistory history,
                       core::Journal beginning, core::Sequence floor)
    : options_(std::move(options)),
      trust_(std::move(trust)),
      keys_(options_.url.name),
      beginning_(std::move(beginning)),
      floor_(floor),
      past_(options_, trust_, keys_),
      publisher_(options_, keys_, queue_),
      reader_(options_, keys_, publisher_, std::move(history)) {}

RedisStore::~RedisStore() {
  RedisStore::stop();
}

// --- start and stop

void RedisStore::start(Client& client) {
  TOCSIN_ASSERT(client_ == nullptr);
  client_ = &client;
  if (!options_.url.master.empty()) {
    watch_.emplace(options_.url, trust_, [this] { waiter_.wake(); });
  }
  const TimePoint patience = later(waiter_.now(), options_.patience_ms);
  bool loaded = false;
  while (!loaded && !done_ && !waiter_.stopped()) {
    if (!session_) {
      come_back();
      continue;
    }
    auto all = load(head_.last);
    if (all) all = wait_replicas(patience);
    if (all) {
      loaded = true;
    } else {
      leave(all.error());
    }
  }
  if (!loaded) return;
  const SignalsBlocked blocked;
  thread_ = std::thread([this] { run(); });
}

void RedisStore::stop() {
  waiter_.stop();
  if (thread_.joinable()) thread_.join();
  watch_.reset();
  session_.reset();
}

core::StoreAnswer RedisStore::append(std::span<const core::NewEvent> events, core::Ticket ticket,
                                     const core::PublishKey* key) {
  switch (queue_.add(events, ticket, key)) {
    case CommitQueue::Added::no:
      return {.outcome = core::StoreAnswer::Outcome::refused};
    case CommitQueue::Added::first:
      waiter_.wake();
      break;
    case CommitQueue::Added::yes:
      break;
  }
  return {};
}

std::optional<core::Sequence> RedisStore::read(core::Sequence after, core::Sequence until,
                                               const TakeEvent& take) {
  const core::Sequence floor = floor_.load();
  const auto above = past_.read(after, until, take);
  // Somebody has dropped more.
  if (above && after <= floor) raise_floor(*above);
  return above;
}

void RedisStore::raise_floor(core::Sequence floor) {
  core::Sequence before = floor_.load();
  while (before < floor && !floor_.compare_exchange_weak(before, floor)) {
  }
}

// --- the thread

void RedisStore::run() {
  ::pthread_setname_np(::pthread_self(), "history");
  while (!waiter_.stopped() && !done_) {
    if (!session_) {
      come_back();
    } else if (auto turned = turn(true); !turned) {
      leave(turned.error());
    }
  }
}

// Until the reader is there.
RedisStore::Result RedisStore::load(core::Sequence until) {
  while (!waiter_.stopped() &&
         (reader_.history().behind().last < until || reader_.is_unsound())) {
    if (auto turned = turn(false); !turned) return turned;
  }
  return {};
}

// What was read is shown once the start returns, so it is to be where what is shown has to be.
RedisStore::Result RedisStore::wait_replicas(TimePoint patience) {
  if (options_.url.replicas == 0) return {};
  while (!waiter_.stopped()) {
    if (auto stays = stays_master(); !stays) return stays;
    const auto have = reader_.are_replicas_there(session_->read, waiter_);
    if (!have) return std::unexpected(Fault{.text = have.error().text});
    if (*have) return {};
    const std::string why =
        fmt::format("fewer than {} replicas have what it had", options_.url.replicas);
    if (waiter_.now() >= patience) return std::unexpected(Fault{.text = why, .lost = true});
    static constinit log::OncePerSecond place;
    place.write(now_ns(), LogLevel::warning, "the start waits for the history's replicas",
                {{"error", why}});
  }
  return {};
}

// Sentinels have named no other server since.
RedisStore::Result RedisStore::stays_master() const {
  if (!watch_ || watch_->configuration() <= session_->configuration) return {};
  return std::unexpected(Fault{.text = "the Sentinels have made another server the master"});
}

// Sends, receives, and works off what came; if nothing did, waits. `wait`: the reader, too.
RedisStore::Result RedisStore::turn(bool wait) {
  TOCSIN_ASSERT(session_);
  if (auto stays = stays_master(); !stays) return stays;
  const TimePoint now = waiter_.now();
  if (publisher_.wants_resume()) {
    const TimePoint deadline = later(now, options_.connect_ms);
    const auto resumed =
        publisher_.resume(session_->publish, head_.epoch, waiter_, deadline, answers_);
    if (!resumed) return std::unexpected(Fault{.text = resumed.error().text});
  }
  publisher_.send(session_->publish, now);
  reader_.send(session_->read, now, wait);
  bool came = false;
  const Result published = work_off(session_->publish, false, now, came);
  const Result read = published ? work_off(session_->read, true, now, came) : published;
  tell();
  raise_floor(reader_.dropped());
  figures_.behind = reader_.behind();
  count();
  if (!read) return read;
  if (came || session_->publish.has_buffered() || session_->read.has_buffered()) return {};
  std::array fds{session_->publish.poll_request(), session_->read.poll_request()};
  waiter_.wait(fds, std::min(session_->publish.deadline(), session_->read.deadline()));
  return {};
}

RedisStore::Result RedisStore::work_off(RedisLink& link, bool reads, TimePoint now, bool& came) {
  const auto moved = link.move(now);
  const bool asked = link.unanswered() > 0;
  while (link.unanswered() > 0) {
    const RespValue* reply = link.next_reply();
    if (reply == nullptr) break;
    came = true;
    if (reads) {
      if (auto told = reader_.on_reply(*reply, *client_, answers_, now); !told) return told;
    } else if (auto told = publisher_.on_reply(*reply, answers_); !told) {
      return std::unexpected(Fault{.text = std::move(told.error().text)});
    }
  }
  if (!moved) return std::unexpected(Fault{.text = moved.error().text});
  if (link.is_broken()) return std::unexpected(Fault{.text = "it does not speak RESP"});
  // A server that can be connected to may refuse everything then.
  if (reads && asked && link.unanswered() == 0 && std::exchange(failures_, 0) > 0) {
    log::info("the history's server is back");
  }
  return {};
}

RedisStore::Result RedisStore::connect() {
  TOCSIN_ASSERT(!session_ && !done_ && answers_.empty());
  const TimePoint deadline = later(waiter_.now(), options_.connect_ms);
  const auto fault = [](const RedisFault& error) {
    return std::unexpected(Fault{.text = error.text});
  };
  auto master = open_master(options_.url, trust_, waiter_, deadline);
  if (!master) return fault(master.error());
  if (watch_ && watch_->configuration() > master->configuration) {
    return std::unexpected(Fault{.text = "the Sentinels do not agree yet who is the master"});
  }
  RedisLink& publish = master->link;
  const StoredHead known = reader_.history().known();
  auto head = open_history(publish, keys_, &known, waiter_, deadline);
  if (!head) return fault(head.error());
  if (auto goes_on = reader_.resume(*head, waiter_.now()); !goes_on) return goes_on;
  auto read = open_again(options_.url, publish.server(), trust_, waiter_, deadline);
  if (!read) return fault(read.error());
  auto resumed = publisher_.resume(publish, head->epoch, waiter_, deadline, answers_);
  if (!resumed) return fault(resumed.error());
  head_ = *std::move(head);
  if (server_) ++figures_.reconnects;
  if (server_ && *server_ != publish.server()) ++figures_.failovers;
  server_ = publish.server();
  figures_.away = false;
  session_.emplace(std::move(publish), *std::move(read), master->configuration);
  return {};
}

void RedisStore::come_back() {
  const Result connected = connect();
  tell();
  if (connected) {
    count();
    queue_.open();
    return;
  }
  if (connected.error().lost) {
    end(connected.error().text);
    return;
  }
  if (waiter_.stopped()) return;
  static constinit log::OncePerSecond place;
  place.write(now_ns(), LogLevel::warning, "the history's server cannot be reached",
              {{"error", connected.error().text}});
  rest(++failures_);
}

void RedisStore::rest(unsigned failures) {
  std::array<pollfd, 1> none{pollfd{-1, 0, 0}};
  waiter_.wait(none, later(waiter_.now(), static_cast<std::uint32_t>(pause(failures).count())));
}

void RedisStore::leave(const Fault& fault) {
  const bool unsound = reader_.is_unsound() && !waiter_.stopped();
  if (unsound && !reader_.note_unsound(session_->read, waiter_,
                                       later(waiter_.now(), options_.answer_ms))) {
    log::warning("what is missing or damaged in the history could not be noted there");
  }
  session_.reset();
  if (waiter_.stopped()) return;
  if (fault.lost || unsound) {
    end(fault.text);
    return;
  }
  figures_.away = true;
  count();
  static constinit log::OncePerSecond place;
  place.write(now_ns(), LogLevel::warning, "the history's server is lost, publishes are refused",
              {{"error", fault.text}});
  refuse_waiting();
  // A connection that is cut is made again at once; one that brought nothing, after a while.
  if (failures_++ > 0) rest(failures_);
}

// What was not sent is nowhere.
void RedisStore::refuse_waiting() {
  for (const Commit& commit : queue_.close()) {
    for (const Commit::Part& part : commit.parts) {
      answers_.emplace_back(
          part.ticket, core::StoreAnswer{.outcome = core::StoreAnswer::Outcome::refused});
    }
  }
  tell();
}

void RedisStore::end(const std::string& why) {
  TOCSIN_ASSERT(!session_ && !done_);
  done_ = true;
  log::error("the hub cannot go on with this history: it ends, to be started again",
             {{"error", why}});
  publisher_.give_up(answers_);
  refuse_waiting();
  client_->lost(why);
}

void RedisStore::count() {
  if (std::exchange(counted_, figures_) != figures_) client_->linked(figures_);
}

void RedisStore::tell() {
  for (const auto& [ticket, answer] : answers_) client_->answered(ticket, answer);
  answers_.clear();
  for (const core::CommitFigures& figures : publisher_.take_figures()) client_->counted(figures);
}

}  // namespace tocsin::net
