// A history in Redis or Valkey: several hubs on one server are one hub to those who publish and
// read, and it outlives all of them. How it is kept: net/redis/stored_history.h.
//
// What a hub publishes reaches it as it reaches the others, through the stream; only there is it
// acknowledged. Two connections: one appends, the other reads. Either breaks, or Sentinels make
// another server the master: both are made anew, nothing was missed or comes twice. While there is
// none, appends are refused.
//
// Where the history forks (core/store.h) and has all that the hub was told of, the hub goes on;
// else the store is done.
//
// What is older than a hub's memory is read by a third one, when somebody wants it.
//
// Threads: as core/store.h; one of its own, and with Sentinels another (net/redis/master_watch.h).
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>

#include "core/store.h"
#include "net/redis/commit_queue.h"
#include "net/redis/history_start.h"
#include "net/redis/master_watch.h"
#include "net/redis/past_entries.h"
#include "net/redis/redis_options.h"
#include "net/redis/redis_publisher.h"
#include "net/redis/redis_reader.h"
#include "net/transport/stop_waiter.h"

namespace tocsin::net {

class RedisStore final : public core::Store {
 public:
  // Asks the server where the history stands, and begins one where there is none. Waits for a
  // server that is not there yet, as long as the options say. The error is a sentence for the
  // operator.
  [[nodiscard]] static std::expected<std::unique_ptr<RedisStore>, std::string> open(
      RedisOptions options);
  ~RedisStore() override;

  [[nodiscard]] core::Journal beginning() const override { return beginning_; }
  [[nodiscard]] bool is_shared() const override { return true; }
  // Waits for the server, if it is away; and until as many replicas as the URL asks for have what
  // it tells of. Where they do not within RedisOptions::patience_ms the store is done.
  void start(Client& client) override;
  void stop() override;
  [[nodiscard]] core::StoreAnswer append(std::span<const core::NewEvent> events,
                                         core::Ticket ticket,
                                         const core::PublishKey* key) override;
  // As this hub was told last; the server may have dropped more.
  [[nodiscard]] core::Sequence floor() const override { return floor_.load(); }
  [[nodiscard]] std::optional<core::Sequence> read(core::Sequence after, core::Sequence until,
                                                   const TakeEvent& take) override;

 private:
  struct Beginning {
    StoredHead head;
    KeptEntries kept;
  };
  struct Session {
    RedisLink publish;
    RedisLink read;
    std::uint64_t configuration = 0;  // by which Sentinels named the server
  };
  // Why a session is not made, or ends.
  using Fault = RedisReader::Fault;
  using Result = std::expected<void, Fault>;

  RedisStore(RedisOptions options, RedisTrust trust, FollowedHistory history,
             core::Journal beginning, core::Sequence floor);
  [[nodiscard]] static std::expected<Beginning, RedisFault> find_beginning(
      const RedisOptions& options, const RedisTrust& trust, const StoredKeys& keys, Waiter& waiter);
  [[nodiscard]] Result connect();
  [[nodiscard]] Result load(core::Sequence until);
  [[nodiscard]] Result wait_replicas(TimePoint patience);
  [[nodiscard]] Result stays_master() const;
  [[nodiscard]] Result turn(bool wait);
  [[nodiscard]] Result work_off(RedisLink& link, bool reads, TimePoint now, bool& came);
  void come_back();
  void leave(const Fault& fault);
  void rest(unsigned failures);
  void end(const std::string& why);
  void refuse_waiting();
  void count();
  void tell();
  void raise_floor(core::Sequence floor);
  void run();

  const RedisOptions options_;
  const RedisTrust trust_;
  const StoredKeys keys_;
  const core::Journal beginning_;
  std::atomic<core::Sequence> floor_;
  PastEntries past_;  // of who reads
  StopWaiter waiter_;
  std::optional<MasterWatch> watch_;  // where Sentinels name the master
  CommitQueue queue_;

  // Of the store's thread; before it runs, of who starts it.
  RedisPublisher publisher_;
  RedisReader reader_;
  std::optional<Session> session_;
  std::optional<RedisUrl::Server> server_{};  // of the newest session
  StoredHead head_{};  // when it was opened
  unsigned failures_ = 0;  // since a page was answered
  bool done_ = false;  // the history was lost
  RedisPublisher::Answers answers_;  // to be told
  core::LinkFigures figures_{};
  core::LinkFigures counted_{};  // the client knows them
  Client* client_ = nullptr;

  std::thread thread_;
};

}  // namespace tocsin::net
