// What is in a history's file: the one place that knows its tables (net/store/history_file.h says
// what they mean).
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "core/journal.h"
#include "net/store/database.h"

namespace tocsin::net {

inline constexpr std::int64_t kHistoryApplication = 0x746f6373;  // "tocs": application_id
inline constexpr std::int64_t kHistoryVersion = 2;               // user_version

// The columns that key_at() wants (net/store/history_row.h), and a blank.
inline constexpr const char* kSelectKeys =
    "SELECT last, n, time_ms, name, number, content, crc FROM producer ";
// The columns that row_at() wants (net/store/history_row.h), and a blank.
inline constexpr const char* kSelectRows = "SELECT last, n, time_ms, crc, bytes FROM batch ";

// Whether there is nothing in the database yet; else it is a history that can be read: its tables
// are those of its version, and there is nothing else. The error says what it is instead, as the
// rest of a sentence.
[[nodiscard]] std::expected<bool, std::string> is_new_history(Database& database);

// What is made: a history, or one that nobody can open until it is finished.
enum class Draft : std::uint8_t { no, yes };
// In one transaction: the tables, and a history that begins with these epochs.
[[nodiscard]] Sql<void> make_history(Database& database, const core::Epochs& epochs, Draft draft);
[[nodiscard]] Sql<void> finish_history(Database& database);

// In one transaction: the tables that a history of an earlier version lacks.
[[nodiscard]] Sql<void> migrate_history(Database& database);

// Which epochs it has, and how far it goes.
[[nodiscard]] Sql<core::Journal> read_journal(Database& database);
[[nodiscard]] Sql<void> save_epochs(Database& database, const core::Epochs& epochs);

}  // namespace tocsin::net
