// A history that a test keeps, of one kind of store: how it is opened, and what happens to it. What
// any store must do (core/store.h) is asked of each kind in store_conformance_test.cc and
// store_keys_test.cc; a new one is a class here and a line in store_conformance.h.
#pragma once

#include <cstddef>
#include <memory>
#include <ostream>

#include "core/store.h"

namespace tocsin::net {

class TestedHistory {
 public:
  TestedHistory() = default;
  virtual ~TestedHistory() = default;
  TestedHistory(const TestedHistory&) = delete;
  TestedHistory& operator=(const TestedHistory&) = delete;

  // A store over the history, which begins empty. The one before was stopped or has crashed, and
  // the history outlives it.
  [[nodiscard]] virtual std::unique_ptr<core::Store> open() = 0;

  // What only some kinds can do. False: this one cannot, and nothing was done.

  // The history is there for the next open().
  [[nodiscard]] virtual bool survives() const { return false; }
  // From now on the open store has no room, or cannot reach what keeps its history; or it can
  // again.
  [[nodiscard]] virtual bool cut_off(bool) { return false; }
  // The open store's process dies here; it is still to be destroyed.
  [[nodiscard]] virtual bool crash() { return false; }
  // Of the open store's history: its oldest events go, so many at least.
  [[nodiscard]] virtual bool lose_oldest(std::size_t) { return false; }
  // Of a history that no store has open: it loses its newest events, so many at least, as where
  // a backup is put back.
  [[nodiscard]] virtual bool lose_newest(std::size_t) { return false; }
};

struct HistoryKind {
  const char* name;
  std::unique_ptr<TestedHistory> (*make)();

  // For gtest, which would print the addresses.
  friend void PrintTo(const HistoryKind& kind, std::ostream* out) { *out << kind.name; }
};

}  // namespace tocsin::net
