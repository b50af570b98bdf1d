// A file system for SQLite (a VFS around the usual one) on which things go wrong: writes and syncs
// fail, the process dies between two of them, and the machine loses its power, with what was not
// synced.
//
// Threads: any; one of these at a time.
#pragma once

#include <sqlite3.h>

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <vector>

namespace tocsin::net {

class FaultyVfs {
 public:
  FaultyVfs();
  ~FaultyVfs();
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;

  [[nodiscard]] const char* name() const { return vfs_.zName; }

  // From now on these operations fail with a code of SQLite's; 0: they succeed.
  void fail_writes(int code);
  void fail_syncs(int code);
  // From now on syncs wait; or no more.
  void hold_syncs(bool hold);
  // Until one waits.
  void wait_held();
  // The process dies in the middle of what it does, behind so many more writes and syncs: nothing
  // it tries from then on happens. Until revive(), by when all of its files are closed.
  void kill_behind(std::uint64_t operations);
  void kill() { kill_behind(0); }
  void revive();
  [[nodiscard]] bool is_dead() const;
  // When it died the machine lost its power: of what was written since the last sync of its file
  // some is there, perhaps in part. Before revive().
  void lose_power(std::mt19937_64& random);
  // Writes and syncs so far.
  [[nodiscard]] std::uint64_t operations() const;

 private:
  struct File;
  // A write that was not synced; without `after` a cut.
  struct Unsynced {
    std::int64_t offset;
    std::string before;  // of what was there
    std::string after;
    std::int64_t size_before;
  };
  struct Methods;

  // What becomes of the next operation. 0: it happens.
  int next(int FaultyVfs::* fault);
  void note(File& file, std::int64_t offset, std::string after);

  sqlite3_vfs* const real_;
  sqlite3_vfs vfs_;
  mutable std::mutex mutex_;
  int writes_fail_ = 0;
  int syncs_fail_ = 0;
  bool hold_ = false;
  int held_ = 0;
  std::condition_variable held_changed_;
  bool dead_ = false;
  std::uint64_t operations_ = 0;
  std::uint64_t dies_at_ = UINT64_MAX;
  std::map<std::string, std::vector<Unsynced>> unsynced_;  // by path
};

}  // namespace tocsin::net
