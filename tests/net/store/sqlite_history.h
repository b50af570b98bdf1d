// A history in a SQLite file, in a folder of its own.
#pragma once

#include <fcntl.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "net/base/locked_file.h"
#include "net/store/sqlite_store.h"
#include "net/store/witness.h"
#include "tests/net/store/faulty_vfs.h"
#include "tests/net/store/tested_history.h"
#include "tests/net/support/temporary_folder.h"

namespace tocsin::net {

class SqliteHistory final : public TestedHistory {
 public:
  SqliteHistory() {
    options.path = folder / "history.db";
    options.reserve_bytes = 64 * 1024;
    options.vfs = vfs.name();
  }

  // The error of a history that is refused.
  [[nodiscard]] std::expected<std::unique_ptr<core::Store>, std::string> try_open() {
    vfs.revive();
    return SqliteStore::open(options);
  }
  [[nodiscard]] std::unique_ptr<core::Store> open() override {
    auto store = try_open();
    if (!store) throw std::runtime_error(store.error());
    return *std::move(store);
  }
  [[nodiscard]] bool survives() const override { return true; }
  [[nodiscard]] bool cut_off(bool off) override {
    vfs.fail_writes(off ? SQLITE_FULL : 0);
    return true;
  }
  [[nodiscard]] bool crash() override {
    vfs.kill();
    return true;
  }
  [[nodiscard]] bool lose_oldest(std::size_t events) override {
    for (std::int64_t lost = 0; lost < static_cast<std::int64_t>(events);) {
      lost += number("SELECT n FROM batch ORDER BY last LIMIT 1");
      change("DELETE FROM batch WHERE last = (SELECT min(last) FROM batch)");
    }
    return true;
  }
  [[nodiscard]] bool lose_newest(std::size_t events) override {
    for (std::int64_t lost = 0; lost < static_cast<std::int64_t>(events);) {
      lost += number("SELECT n FROM batch ORDER BY last DESC LIMIT 1");
      change("DELETE FROM batch WHERE last = (SELECT max(last) FROM batch)");
    }
    return true;
  }

  // What somebody does to the file who is no hub.
  void change(const std::string& statements) const {
    auto database = Database::open(options.path, Database::Access::write);
    ASSERT_TRUE(database) << database.error().text;
    const auto done = database->run(statements);
    ASSERT_TRUE(done) << done.error().text;
    database->close();
    change_unnoticed();
  }
  // As if the file had not changed since a hub had closed it: what a disk does to it.
  void change_unnoticed() const {
    auto witness = Witness::take(beside(".lock"));
    if (!witness || !witness->before() || !witness->before()->closed) return;
    Testimony said = *witness->before();
    said.changed_ns = LockedFile::open(options.path, O_RDONLY)->changed_ns();
    EXPECT_TRUE(witness->testify(said));
  }
  [[nodiscard]] std::int64_t number(const std::string& statement) const {
    auto database = Database::open(options.path, Database::Access::read);
    return database->number(statement).value();
  }
  [[nodiscard]] std::filesystem::path beside(const char* end) const {
    return options.path + end;
  }

  const TemporaryFolder made;
  const std::filesystem::path folder = made.path();
  FaultyVfs vfs;
  HistoryFileOptions options;
};

}  // namespace tocsin::net
