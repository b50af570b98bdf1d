#include "tests/net/store/faulty_vfs.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <new>
#include <utility>

namespace tocsin::net {
namespace {

// What the kernel writes at once.
constexpr std::size_t kSector = 512;

}  // namespace

// What SQLite has of an open file; the real one's stands behind it.
struct FaultyVfs::File : sqlite3_file {
  FaultyVfs* vfs;
  std::string* path;

  [[nodiscard]] sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

// Its functions, by the names that SQLite has for them.
struct FaultyVfs::Methods {
  static File& of(sqlite3_file* file) { return static_cast<File&>(*file); }
  static sqlite3_file* real(sqlite3_file* file) { return of(file).real(); }

  static int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags,
                  int* flags_out) {
    auto& self = *static_cast<FaultyVfs*>(vfs->pAppData);
    auto* opened = new (file) File{};
    if (self.is_dead()) return SQLITE_CANTOPEN;
    const int code = self.real_->xOpen(self.real_, path, opened->real(), flags, flags_out);
    if (opened->real()->pMethods == nullptr) return code;
    opened->vfs = &self;
    opened->path = new std::string(path != nullptr ? path : "");
    opened->pMethods = &kMethods;
    return code;
  }
  static int remove(sqlite3_vfs* vfs, const char* path, int sync) {
    auto& self = *static_cast<FaultyVfs*>(vfs->pAppData);
    const std::scoped_lock lock(self.mutex_);
    if (self.dead_) return SQLITE_IOERR_DELETE;
    self.unsynced_.erase(path);
    return self.real_->xDelete(self.real_, path, sync);
  }

  static int close(sqlite3_file* file) {
    const int code = real(file)->pMethods->xClose(real(file));
    delete of(file).path;
    return code;
  }
  static int read(sqlite3_file* file, void* to, int size, sqlite3_int64 offset) {
    if (of(file).vfs->is_dead()) return SQLITE_IOERR_READ;
    return real(file)->pMethods->xRead(real(file), to, size, offset);
  }
  static int write(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset) {
    FaultyVfs& vfs = *of(file).vfs;
    const std::scoped_lock lock(vfs.mutex_);
    if (const int code = vfs.next(&FaultyVfs::writes_fail_)) return code;
    vfs.note(of(file), offset, {static_cast<const char*>(from), static_cast<std::size_t>(size)});
    return real(file)->pMethods->xWrite(real(file), from, size, offset);
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    FaultyVfs& vfs = *of(file).vfs;
    const std::scoped_lock lock(vfs.mutex_);
    if (const int code = vfs.next(&FaultyVfs::writes_fail_)) return code;
    vfs.note(of(file), size, {});
    return real(file)->pMethods->xTruncate(real(file), size);
  }
  static int sync(sqlite3_file* file, int flags) {
    FaultyVfs& vfs = *of(file).vfs;
    std::unique_lock lock(vfs.mutex_);
    ++vfs.held_;
    vfs.held_changed_.notify_all();
    vfs.held_changed_.wait(lock, [&] { return !vfs.hold_ || vfs.dead_; });
    --vfs.held_;
    if (const int code = vfs.next(&FaultyVfs::syncs_fail_)) return code;
    vfs.unsynced_.erase(*of(file).path);
    return real(file)->pMethods->xSync(real(file), flags);
  }

  // As they are.
  static int size(sqlite3_file* file, sqlite3_int64* bytes) {
    return real(file)->pMethods->xFileSize(real(file), bytes);
  }
  static int take_lock(sqlite3_file* file, int level) {
    return real(file)->pMethods->xLock(real(file), level);
  }
  static int let_go(sqlite3_file* file, int level) {
    return real(file)->pMethods->xUnlock(real(file), level);
  }
  static int is_reserved(sqlite3_file* file, int* result) {
    return real(file)->pMethods->xCheckReservedLock(real(file), result);
  }
  static int control(sqlite3_file* file, int what, void* argument) {
    return real(file)->pMethods->xFileControl(real(file), what, argument);
  }
  static int sector(sqlite3_file* file) { return real(file)->pMethods->xSectorSize(real(file)); }
  static int characteristics(sqlite3_file* file) {
    return real(file)->pMethods->xDeviceCharacteristics(real(file));
  }
  static int shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** at) {
    return real(file)->pMethods->xShmMap(real(file), page, size, extend, at);
  }
  static int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
    return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
  }
  static void shm_barrier(sqlite3_file* file) { real(file)->pMethods->xShmBarrier(real(file)); }
  static int shm_unmap(sqlite3_file* file, int remove) {
    return real(file)->pMethods->xShmUnmap(real(file), remove);
  }

  static constexpr sqlite3_io_methods kMethods{
      2,         close,     read,    write,  truncate,        sync,    size,
      take_lock, let_go,    is_reserved, control, sector, characteristics, shm_map,
      shm_lock,  shm_barrier, shm_unmap, nullptr, nullptr};
};

FaultyVfs::FaultyVfs() : real_(sqlite3_vfs_find(nullptr)), vfs_(*real_) {
  vfs_.zName = "faulty";
  vfs_.pNext = nullptr;
  vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
  vfs_.pAppData = this;
  vfs_.xOpen = Methods::open;
  vfs_.xDelete = Methods::remove;
  sqlite3_vfs_register(&vfs_, 0);
}

FaultyVfs::~FaultyVfs() {
  sqlite3_vfs_unregister(&vfs_);
}

bool FaultyVfs::is_dead() const {
  const std::scoped_lock lock(mutex_);
  return dead_;
}

int FaultyVfs::next(int FaultyVfs::* fault) {
  dead_ = dead_ || operations_ >= dies_at_;
  if (dead_) return SQLITE_IOERR;
  ++operations_;
  return this->*fault;
}

// Before it happens. Without bytes: the file is cut at `offset`.
void FaultyVfs::note(File& file, std::int64_t offset, std::string after) {
  Unsynced write{.offset = offset, .before = {}, .after = std::move(after), .size_before = 0};
  sqlite3_int64 size = 0;
  file.real()->pMethods->xFileSize(file.real(), &size);
  write.size_before = size;
  const auto most = static_cast<std::int64_t>(write.after.size());
  const std::int64_t there = std::max<std::int64_t>(0, size - offset);
  write.before.resize(static_cast<std::size_t>(most == 0 ? there : std::min(there, most)));
  if (!write.before.empty()) {
    file.real()->pMethods->xRead(file.real(), write.before.data(),
                                 static_cast<int>(write.before.size()), offset);
  }
  unsynced_[*file.path].push_back(std::move(write));
}

void FaultyVfs::fail_writes(int code) {
  const std::scoped_lock lock(mutex_);
  writes_fail_ = code;
}

void FaultyVfs::fail_syncs(int code) {
  const std::scoped_lock lock(mutex_);
  syncs_fail_ = code;
}

void FaultyVfs::hold_syncs(bool hold) {
  const std::scoped_lock lock(mutex_);
  hold_ = hold;
  held_changed_.notify_all();
}

void FaultyVfs::wait_held() {
  std::unique_lock lock(mutex_);
  held_changed_.wait(lock, [this] { return held_ > 0; });
}

void FaultyVfs::kill_behind(std::uint64_t operations) {
  const std::scoped_lock lock(mutex_);
  dies_at_ = operations_ + operations;
  dead_ = dead_ || operations == 0;
  held_changed_.notify_all();
}

void FaultyVfs::revive() {
  const std::scoped_lock lock(mutex_);
  dead_ = false;
  dies_at_ = UINT64_MAX;
  unsynced_.clear();
}

void FaultyVfs::lose_power(std::mt19937_64& random) {
  const std::scoped_lock lock(mutex_);
  for (const auto& [path, writes] : unsynced_) {
    if (!std::filesystem::exists(path)) continue;
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    for (auto write = writes.rbegin(); write != writes.rend(); ++write) {
      file.seekp(write->offset).write(write->before.data(),
                                      static_cast<std::streamsize>(write->before.size()));
      file.flush();
      std::filesystem::resize_file(path, static_cast<std::uintmax_t>(write->size_before));
    }
    for (const Unsynced& write : writes) {
      if (write.after.empty() || random() % 2 == 0) continue;
      std::size_t size = write.after.size();
      if (random() % 4 == 0) size = std::min(size, random() % (size / kSector + 1) * kSector);
      file.seekp(write.offset).write(write.after.data(), static_cast<std::streamsize>(size));
    }
  }
}

std::uint64_t FaultyVfs::operations() const {
  const std::scoped_lock lock(mutex_);
  return operations_;
}

}  // namespace tocsin::net
