// Who testifies what a history had, apart from the history's own file: PATH.lock.
//
// A file cannot tell that its newest part is missing. SQLite takes a write-ahead log up to the
// first frame that is not sound, and says nothing of what stood behind it; a file without the log
// that belonged to it, or from yesterday's backup, is a good file. So the hub keeps beside it which
// event is the newest that it has acknowledged. If a file has less, or if nobody testifies, its
// history has forked, and a new epoch begins. That costs readers nothing where nothing was lost: an
// id of the older epoch is a position all the same.
//
// The testimony is written with every commit and not synced: a process that is killed leaves it to
// the kernel. What a machine that loses its power may lose of it makes it testify to less.
//
// A backup of all files together, put back onto them, has a testimony that fits. So a hub that
// closes its file says when that changed last, by the kernel's clock, which nobody can set back for
// a file (st_ctim, inode(7)): who writes into it later, or changes its owner or mode, shows.
//
// The file is locked as well (flock(2)), from take() to the end: two hubs on one history would each
// go on from its own memory of it. SQLite lets them.
//
// Threads: one at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <utility>

#include "net/base/locked_file.h"
#include "proto/sse/event_id.h"

namespace tocsin::net {

struct Testimony {
  proto::EventId newest{};      // acknowledged
  std::uint64_t file = 0;       // the history's inode: a copy is another
  bool synced = true;           // what was acknowledged was on the disk
  bool closed = false;          // properly, and all of it is on the disk
  std::uint64_t changed_ns = 0;  // closed: when the file changed last (st_ctim); 0: not known
  std::string boot{};           // which start of the machine it was
};

class Witness {
 public:
  // Locks `path`, and makes it if it is not there. Who has it locked is waited for. The error is a
  // sentence for the operator.
  [[nodiscard]] static std::expected<Witness, std::string> take(
      const std::string& path, std::chrono::milliseconds patience = {});
  // Of the one before; nothing: there is none, or it cannot be read.
  [[nodiscard]] const std::optional<Testimony>& before() const { return before_; }

  // In place of what was said before. False: it could not be written.
  bool testify(const Testimony& testimony);
  // The same, on the disk when it returns.
  bool testify_and_sync(const Testimony& testimony);

 private:
  explicit Witness(LockedFile file) : file_(std::move(file)) {}

  LockedFile file_;
  std::optional<Testimony> before_;
};

// Which start of the machine this is; empty: unknown, and then no other one's.
[[nodiscard]] std::string boot_id();

}  // namespace tocsin::net
