// A history in a SQLite file (net/store/history_file.h), by a thread of its own.
//
// The thread takes all that has gathered, gives it its places and commits it as one row; what comes
// meanwhile is the next one's. So nothing waits for a timer, and a commit has the more in it the
// longer one takes. When the row is on the disk, its batches are told of, and then answered.
//
// What is published with a key (core/publish/published_keys.h) is looked up when its turn has come,
// and its row is of the same transaction. Of two that come at once one is therefore the first, and
// the other is answered after it.
//
// Trouble: what could not be written is refused, if it is certain that it is nowhere. Else it is
// kept and written again, as what it is, until it is in the history: nothing else may have its
// place. In the meantime, and as long as the disk is full, everything that comes is refused; once a
// second the store tries whether it can go on.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "core/batch.h"
#include "core/publish/published_keys.h"
#include "core/store.h"
#include "net/base/mutex.h"
#include "net/store/history_file.h"
#include "net/store/past_rows.h"

namespace tocsin::net {

// Threads: as core/store.h.
class SqliteStore final : public core::Store {
 public:
  // The error is a sentence for the operator: HistoryFile::open().
  [[nodiscard]] static std::expected<std::unique_ptr<core::Store>, std::string> open(
      const HistoryFileOptions& options);
  ~SqliteStore() override;

  [[nodiscard]] core::Journal beginning() const override { return beginning_; }
  void start(Client& client) override;
  void stop() override;
  [[nodiscard]] core::StoreAnswer append(std::span<const core::NewEvent> events,
                                         core::Ticket ticket,
                                         const core::PublishKey* key) override;
  [[nodiscard]] core::Sequence floor() const override { return floor_.load(); }
  [[nodiscard]] std::optional<core::Sequence> read(core::Sequence after, core::Sequence until,
                                                   const TakeEvent& take) override;

 private:
  struct Append {
    core::Batch batch;
    core::Ticket ticket;
    std::optional<core::PublishKey> key;
    core::Place place{};
  };
  // Who is not published, and is told after the commit.
  struct Found {
    core::Ticket ticket;
    core::StoreAnswer answer;
  };

  explicit SqliteStore(std::unique_ptr<HistoryFile> file);

  // Of the thread.
  void run();
  [[nodiscard]] bool take_group();
  void make_row();
  [[nodiscard]] bool is_new(Append& append);
  HistoryFile::Write commit();
  void tell_found();
  void withdraw();
  template <typename Appends>
  void refuse(Appends&& appends);
  void sit_out(HistoryFile::Write failed);
  [[nodiscard]] bool pause();

  std::unique_ptr<HistoryFile> file_;  // the thread's while it runs; null: it was stopped
  const core::Journal beginning_;
  std::atomic<core::Sequence> floor_;
  std::unique_ptr<PastRows> past_;  // of who reads; null: nobody has
  Client* client_ = nullptr;
  std::thread thread_;

  // Of the thread: what is next, and what is being committed.
  std::deque<Append> taken_;
  std::vector<Append> group_;
  std::string bytes_;  // of the row
  HistoryRow row_;
  std::vector<Found> found_;
  core::PublishedKeys keys_;            // those of group_, too
  std::vector<KeyRow> key_rows_;        // of group_
  core::PublishedKeys::Gone gone_keys_;  // whose rows are yet to go

  Mutex mutex_;
  Condition changed_;
  std::deque<Append> appended_ TOCSIN_LOCKS(guarded_by(mutex_));
  bool refuses_ TOCSIN_LOCKS(guarded_by(mutex_)) = false;
  bool stopping_ TOCSIN_LOCKS(guarded_by(mutex_)) = false;
};

}  // namespace tocsin::net
