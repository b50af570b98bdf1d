// A row of table `batch`, as it is checked whenever it is read.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/batch.h"
#include "core/epochs.h"
#include "core/publish/published_keys.h"
#include "net/store/database.h"

namespace tocsin::net {

// A commit's row.
struct HistoryRow {
  core::Place place{};
  std::uint64_t time_ms = 0;  // Unix time: row_time_ms()
  std::string_view bytes{};
};

// A row of table `producer`: what was published under a key, and where.
struct KeyRow {
  core::PublishKey key{};
  core::Place place{};
};

// Of a row that is made now.
[[nodiscard]] std::uint64_t row_time_ms();

// Of all that is in the row: SQLite checks nothing of the kind.
[[nodiscard]] std::int64_t checksum_of(const HistoryRow& row);

[[nodiscard]] std::int64_t checksum_of(const KeyRow& row);

// Of a statement that selects last, n, time_ms, name, number, content, crc; nothing: it is not
// sound.
[[nodiscard]] std::optional<KeyRow> key_at(const Statement& statement, const core::Epochs& epochs);

// Of a statement that selects last, n, time_ms, crc, bytes; nothing: it is not sound.
[[nodiscard]] std::optional<HistoryRow> row_at(const Statement& statement,
                                               const core::Epochs& epochs);

}  // namespace tocsin::net
