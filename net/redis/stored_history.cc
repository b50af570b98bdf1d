#include "net/redis/stored_history.h"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "proto/assert.h"
#include "proto/limits.h"
#include "proto/text/number.h"

namespace tocsin::net {
namespace {

template <typename Number>
bool take_number(std::string_view& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool take_sign(std::string_view& text, char sign) {
  if (!text.starts_with(sign)) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::vector<StoredHead::Older>> parse_older(std::string_view text) {
  std::vector<StoredHead::Older> all;
  while (!text.empty()) {
    StoredHead::Older& one = all.emplace_back();
    const bool good = take_number(text, one.epoch) && take_sign(text, ':') &&
                      take_number(text, one.generation) && take_sign(text, ':') &&
                      take_number(text, one.end) && take_sign(text, ',');
    if (!good || all.size() >= limits::kMaxEpochs) return std::nullopt;
  }
  return all;
}

}  // namespace

std::string to_string(const EntryId& id) {
  return fmt::format("{}-{}", id.generation, id.last);
}

std::optional<EntryId> parse_entry_id(std::string_view text) {
  EntryId id;
  const bool good = take_number(text, id.generation) && take_sign(text, '-') &&
                    take_number(text, id.last) && text.empty();
  return good ? std::optional(id) : std::nullopt;
}

std::string StoredHead::older_text() const {
  std::string text;
  for (const Older& one : older) {
    text += fmt::format("{}:{}:{},", one.epoch, one.generation, one.end);
  }
  return text;
}

std::string key_text(const core::PublishKey& key) {
  return fmt::format("{:02x}", fmt::join(key.name, ""));
}

std::string content_text(const core::PublishKey& key) {
  return fmt::format("{:x}", key.content);
}

core::StoreAnswer parse_finding(const RespValue& reply) {
  using Outcome = core::StoreAnswer::Outcome;
  const std::string_view what = reply.at(0).text;
  if (what == "differs") return {.outcome = Outcome::differs};
  if (what == "hole" || what == "forgotten") {
    return {.outcome = what == "hole" ? Outcome::hole : Outcome::forgotten,
            .expected = parse_count(reply.at(1)).value_or(0)};
  }
  const auto epoch = proto::read_number<proto::Epoch>(reply.at(1).text);
  const auto first = parse_count(reply.at(2));
  const auto last = parse_count(reply.at(3));
  const bool good = what == "repeated" && epoch && first && last && *first > 0 && *first <= *last;
  if (!good) return {.outcome = Outcome::unknown};
  return {.outcome = Outcome::repeated,
          .place = {.epoch = *epoch, .first = *first, .last = *last}};
}

std::optional<core::Epochs> StoredHead::epochs() const {
  std::vector<core::Epochs::Older> ended;
  for (const Older& one : older) ended.push_back({.epoch = one.epoch, .end = one.end});
  return core::Epochs::kept(epoch, std::move(ended));
}

std::uint64_t StoredHead::generation_behind(core::Sequence after) const {
  const auto one = std::ranges::upper_bound(older, after, {}, &Older::end);
  return one == older.end() ? generation : one->generation;
}

std::optional<StoredHead> parse_head(const RespValue& reply) {
  auto head = parse_stored_head(reply);
  const auto now_ms = parse_count(reply.at(5));
  if (!head || !now_ms) return std::nullopt;
  head->now_ms = *now_ms;
  head->dropped = std::min(parse_count(reply.at(6)).value_or(0), head->last);
  return head;
}

std::optional<StoredHead> parse_stored_head(const RespValue& reply) {
  const auto epoch = proto::read_number<proto::Epoch>(reply.at(0).text);
  const auto generation = parse_count(reply.at(1));
  const auto last = parse_count(reply.at(2));
  auto older = parse_older(reply.at(3).text);
  const auto bytes = parse_count(reply.at(4));
  if (!epoch || !generation || !last || !older || !bytes) return std::nullopt;
  return StoredHead{.epoch = *epoch,
                    .generation = *generation,
                    .last = *last,
                    .older = *std::move(older),
                    .bytes = *bytes};
}

std::optional<core::Place> place_of(const StoredEntry& entry, const StoredHead& head) {
  TOCSIN_ASSERT(entry.events > 0);
  const auto one =
      std::ranges::find(head.older, entry.id.generation, &StoredHead::Older::generation);
  const bool current = one == head.older.end();
  if (current && entry.id.generation != head.generation) return std::nullopt;
  if (entry.id.last > (current ? head.last : one->end)) return std::nullopt;
  return core::Place{.epoch = current ? head.epoch : one->epoch,
                     .first = entry.id.last - entry.events + 1,
                     .last = entry.id.last};
}

std::optional<StoredEntry> parse_entry(const RespValue& entry) {
  const auto id = parse_entry_id(entry.at(0).text);
  if (!id) return std::nullopt;
  StoredEntry stored{.id = *id};
  const auto fields = entry.at(1).items();
  bool good = fields.size() % 2 == 0 && !fields.empty();
  bool begins = false;
  for (std::size_t i = 0; good && i < fields.size(); i += 2) {
    const std::string_view name = fields[i].text;
    const std::string_view value = fields[i + 1].text;
    const auto number = [&](auto& into) {
      const auto parsed = proto::read_number<std::decay_t<decltype(into)>>(value);
      if (parsed) into = *parsed;
      return parsed.has_value();
    };
    if (name == "open") good = begins = number(stored.opens);
    if (name == "n") good = number(stored.events) && stored.events > 0;
    if (name == "k") good = number(stored.number);
    if (name == "t") good = number(stored.time_ms);
    if (name == "p") stored.producer = value;
    if (name == "d") stored.bytes = value;
  }
  if (!good || begins == (stored.events > 0) || stored.events > stored.id.last) {
    return std::nullopt;
  }
  return stored;
}

std::optional<StoredMark> parse_mark(std::string_view text) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto id = parse_entry_id(text.substr(0, space));
  text.remove_prefix(space + 1);
  std::uint64_t bytes = 0;
  if (!id || !take_number(text, bytes)) return std::nullopt;
  return StoredMark{.id = *id, .bytes = bytes};
}

std::optional<std::uint64_t> parse_count(const RespValue& value) {
  if (value.is(RespValue::Kind::number) && value.number >= 0) {
    return static_cast<std::uint64_t>(value.number);
  }
  return proto::read_number<std::uint64_t>(value.text);
}

}  // namespace tocsin::net
