#include "net/store/history_row.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>

#include "net/base/clock.h"
#include "net/store/crc32c.h"

namespace tocsin::net {
namespace {

static_assert(std::endian::native == std::endian::little, "checksums are of numbers in this order");

}  // namespace

std::uint64_t row_time_ms() {
  return read_clock_ns(CLOCK_REALTIME) / 1'000'000;
}

std::int64_t checksum_of(const HistoryRow& row) {
  const std::array<std::uint64_t, 3> head{row.place.last, row.place.events(), row.time_ms};
  const std::string_view head_bytes(reinterpret_cast<const char*>(head.data()), sizeof(head));
  return crc32c(row.bytes, crc32c(head_bytes));
}

std::int64_t checksum_of(const KeyRow& row) {
  const std::array<std::uint64_t, 5> numbers{row.place.last, row.place.events(), row.key.time_ms,
                                             row.key.number, row.key.content};
  const std::string_view bytes(reinterpret_cast<const char*>(numbers.data()), sizeof(numbers));
  const std::string_view name(reinterpret_cast<const char*>(row.key.name.data()),
                              row.key.name.size());
  return crc32c(name, crc32c(bytes));
}

std::optional<KeyRow> key_at(const Statement& statement, const core::Epochs& epochs) {
  const auto last = static_cast<core::Sequence>(statement.number_at(0));
  const auto events = static_cast<std::uint64_t>(statement.number_at(1));
  const std::string_view name = statement.bytes_at(3);
  KeyRow row;
  if (last == 0 || events == 0 || events > last || name.size() != row.key.name.size()) {
    return std::nullopt;
  }
  const core::Sequence first = last - events + 1;
  row.place = {.epoch = epochs.of(first), .first = first, .last = last};
  row.key.time_ms = static_cast<std::uint64_t>(statement.number_at(2));
  row.key.number = static_cast<std::uint64_t>(statement.number_at(4));
  row.key.content = static_cast<std::uint64_t>(statement.number_at(5));
  std::ranges::copy(name, row.key.name.begin());
  if (checksum_of(row) != statement.number_at(6)) return std::nullopt;
  return row;
}

std::optional<HistoryRow> row_at(const Statement& statement, const core::Epochs& epochs) {
  const auto last = static_cast<core::Sequence>(statement.number_at(0));
  const auto events = static_cast<std::uint64_t>(statement.number_at(1));
  if (statement.number_at(0) <= 0 || events == 0 || events > last) return std::nullopt;
  const core::Sequence first = last - events + 1;
  if (epochs.of(first) != epochs.of(last)) return std::nullopt;  // a fork is between two rows
  const HistoryRow row{.place = {.epoch = epochs.of(first), .first = first, .last = last},
                       .time_ms = static_cast<std::uint64_t>(statement.number_at(2)),
                       .bytes = statement.bytes_at(4)};
  if (checksum_of(row) != statement.number_at(3)) return std::nullopt;
  return row;
}

}  // namespace tocsin::net
